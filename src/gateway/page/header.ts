import type { BacklogResponse } from '../../contract/backlog.ts'
import type { LatestVerification } from '../../contract/verification-run.ts'
import { type Answer, dataOf, isProblem } from '../../page/template/answer.ts'
import type { HeaderState } from '../../page/template/header-state.ts'
import type { Frame } from '../../page/template/shell.ts'
import { SCOPES, type Scope } from '../../store/access/api-key.ts'
import type { Caller } from '../access/caller.ts'
import type { PageApi } from './page-api.ts'
import type { PageView } from './view.ts'

/** A view is shown without it when it does not come in time. */
const STATE = { msMax: 2_000 }
/** Each answer takes a call through Restate, a connection of PostgreSQL and four other requests, so that all open pages share it for two seconds. */
export const READY = { ...STATE, keepMs: 2_000 }

/** Where no key is needed the caller may do everything. */
export function scopesOf(caller: Caller | null): readonly Scope[] {
  return caller?.scopes ?? SCOPES
}

/** The views that a caller may open, in the order of the list. The caller of one seller has that seller's alone. */
export function viewsFor(caller: Caller | null, views: readonly PageView[], current: PageView | undefined): Frame['views'] {
  if (caller !== null && caller.sellerId !== null) return []
  const scopes = scopesOf(caller)
  return views
    .filter(({ isInHeader, access }) => isInHeader && scopes.includes(access))
    .map((view) => ({ path: view.path, label: view.label, isCurrent: view === current }))
}

/** What is fresh, what is proved, and who is signed in. What the caller may not ask for is left out. */
export async function headerStateOf(api: PageApi, caller: Caller | null, nowMs: number): Promise<HeaderState> {
  const shownCaller = caller === null ? undefined : { name: caller.name, canSignOut: true }
  const asked = api.get('/ready', {}, READY)
  if (caller !== null && caller.sellerId !== null) return { notReady: outageOf(await asked), caller: shownCaller, nowMs }
  const [ready, backlog, verification] = await Promise.all([
    asked,
    api.get<BacklogResponse>('/api/v1/backlog', {}, STATE),
    api.get<{ data: LatestVerification | null }>('/api/v1/verifications/latest', {}, STATE),
  ])
  return {
    notReady: outageOf(ready, scopesOf(caller).includes('manage') ? '/operations' : undefined),
    countedUpToSeconds: dataOf(backlog)?.counting.oldest_seconds,
    proof: proofOf(dataOf(verification)),
    caller: shownCaller,
    nowMs,
  }
}

/** Parts without which nothing comes in, the first that explains the others. */
const OUTAGES = [
  ['postgresql', 'PostgreSQL does not answer'],
  ['restate', 'Restate does not answer'],
  ['registration', 'the services are not registered with Restate'],
  ['endpoint', 'the service endpoint does not answer'],
] as const

function outageOf(ready: Answer<object>, address?: string): HeaderState['notReady'] {
  if (!isProblem(ready)) return undefined
  const { details, message } = ready.error
  const parts = { ...(typeof details === 'object' ? details : {}) } as Record<string, unknown>
  return { reason: OUTAGES.find(([part]) => parts[part] === false)?.[1] ?? message, address }
}

function proofOf(run: LatestVerification | null | undefined): HeaderState['proof'] {
  return run ? { finishedAt: run.finished_at, cells: run.cells, driftCount: run.drift_count } : undefined
}
