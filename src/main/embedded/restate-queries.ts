import { setTimeout as sleep } from 'node:timers/promises'
import { recorderApi } from '../../contract/services.ts'
import { fetchFrom } from '../../ingress/addresses.ts'

const QUERY_MS_MAX = 10_000
/** So long, but not longer than a query may take, it is repeated while a partition has no leader. */
const LEADER_MS_MAX = 5_000
const LEADER_POLL_MS = 100

export interface Stuck {
  /** Number of failed invocations that Restate will retry. */
  retrying: number
  /** Number of invocations that used up their attempts and wait for an operator. */
  paused: number
  /** Ids of at most 100 paused invocations. */
  pausedIds: string[]
}

/** What answers at the admin port does not answer a query. */
export class RestateQueryError extends Error {
  override readonly name = 'RestateQueryError'

  constructor(adminUrl: string, status: number, problem: string) {
    super(`Restate at ${adminUrl} did not answer a query: ${status} ${problem}`)
  }
}

/** Runs SQL over Restate's own tables. */
export async function queryRestate<Row>(adminUrl: string, text: string, msMax = QUERY_MS_MAX): Promise<Row[]> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query: text }),
    signal: AbortSignal.timeout(msMax),
  }
  const endMs = performance.now() + Math.min(msMax, LEADER_MS_MAX)
  for (;;) {
    const answer = await fetchFrom(adminUrl, '/query', init)
    if (answer.ok) return ((await answer.json()) as { rows: Row[] }).rows
    const problem = await answer.text()
    if (!hasNoLeader(problem) || performance.now() > endMs) {
      throw new RestateQueryError(adminUrl, answer.status, problem)
    }
    await sleep(LEADER_POLL_MS)
  }
}

/** Whether a partition has no leader yet, which lasts for some tenths of a second after a start and after the loss of a leader. */
export function hasNoLeader(problem: string): boolean {
  return /node lookup for partition|expecting a partition store/.test(problem)
}

/** Makes Restate forget a call that it has completed. A call that it does not know, or has not completed, stays as it is. */
export async function purgeInvocation(adminUrl: string, id: string): Promise<void> {
  const init = { method: 'PATCH', signal: AbortSignal.timeout(QUERY_MS_MAX) }
  const answer = await fetchFrom(adminUrl, `/invocations/${id}/purge`, init)
  const isGone = answer.status === 404 || answer.status === 409
  if (!answer.ok && !isGone) throw new Error(`Restate did not forget ${id}: ${answer.status} ${await answer.text()}`)
}

/** Names of the tasks with a tick or a run that used up its attempts, or that an operator paused. */
export async function pausedTasks(adminUrl: string, msMax = QUERY_MS_MAX): Promise<string[]> {
  const rows = await queryRestate<{ task: string }>(
    adminUrl,
    `select distinct target_service_key as task from sys_invocation
      where status = 'paused' and target_service_name in ('Schedule', 'Task') order by 1`,
    msMax,
  )
  return rows.map((row) => row.task)
}

/** How many calls wait in the inbox of each recorder, without those that are recorded now. Only inboxes are read, which is cheap. */
export async function waitingInRecorders(adminUrl: string): Promise<{ recorder: string; calls: number }[]> {
  return queryRestate(
    adminUrl,
    `select service_key as recorder, count(*) as calls from sys_inbox where service_name = '${recorderApi.name}' group by 1 order by 1`,
  )
}

/** Invocations that fail. */
export async function stuckInvocations(adminUrl: string, msMax = QUERY_MS_MAX): Promise<Stuck> {
  const [counts, listed] = await Promise.all([
    queryRestate<{ status: string; n: number }>(
      adminUrl,
      "select status, count(*) as n from sys_invocation where status in ('paused', 'backing-off') group by status",
      msMax,
    ),
    queryRestate<{ id: string }>(adminUrl, "select id from sys_invocation where status = 'paused' order by id limit 100", msMax),
  ])
  const countOf = (status: string) => counts.find((row) => row.status === status)?.n ?? 0
  return { retrying: countOf('backing-off'), paused: countOf('paused'), pausedIds: listed.map((row) => row.id) }
}
