import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { until } from '../../src/main/embedded/until.ts'
import { queryRestate } from '../../src/main/embedded/restate-queries.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { backlog } from '../../src/store/log/backlog.ts'
import { verify } from '../../src/store/proof/verification.ts'
import type { TcpProxy } from '../harness/servers/tcp-proxy.ts'
import { type Addresses, type Outcomes, type Probed, startOutageLoad } from './load.ts'

const SETTLED_MS_MAX = 300_000
const SAMPLE_MS = 1_000
const HOLDING_PLACES = "select count(*) as n from sys_invocation where status in ('ready', 'running', 'backing-off')"

export interface OutageOptions extends Addresses {
  /** A connection that goes on during the outage. */
  db: Database
  /** The address at which gateway and services reach PostgreSQL. */
  proxy: TcpProxy
  adminUrl: string
  outageMs: number
  /** How long the load goes on before and after the outage. */
  aroundMs: number
}

export interface OutageReport {
  /** Events by outcome. */
  requests: Record<keyof Outcomes, number>
  calls: Record<keyof Outcomes, number>
  /** During the outage. */
  probed: Probed
  /** The most invocations that held places in Restate, or waited for one, in samples of a second. */
  placesMax: number
  /** Until everything that was sent in the outage is counted and fed, from the return of PostgreSQL. */
  countedAfterMs: number
  /** Events that were acknowledged and are not in the log. */
  lost: number
  /** Events of which the caller was told that nothing was recorded, and that are in the log. */
  recordedThoughRefused: number
  drift: number
}

/** Cuts PostgreSQL off under load. */
export async function runOutage({ db, proxy, adminUrl, outageMs, aroundMs, ...addresses }: OutageOptions): Promise<OutageReport> {
  const load = startOutageLoad(addresses)
  await sleep(aroundMs)
  await proxy.cut()
  load.probed()
  const placesMax = await placesHeld(adminUrl, outageMs)
  const probed = load.probed()
  await proxy.mend()
  const backMs = performance.now()
  await sleep(aroundMs)
  await load.stop()
  await until(() => isAllCounted(db, sentBy(load.requests, load.calls)), SETTLED_MS_MAX)
  const countedAfterMs = performance.now() - backMs
  const recorded = await recordedIds(db)
  const missing = (ids: readonly string[]) => ids.filter((id) => !recorded.has(id)).length
  const refused = [...load.requests.refused, ...load.calls.refused]
  return {
    requests: countsOf(load.requests),
    calls: countsOf(load.calls),
    probed,
    placesMax,
    countedAfterMs,
    lost: missing(sentBy(load.requests, load.calls)),
    recordedThoughRefused: refused.length - missing(refused),
    drift: (await verify(db)).drift.length,
  }
}

async function placesHeld(adminUrl: string, forMs: number): Promise<number> {
  let placesMax = 0
  for (const endMs = performance.now() + forMs; performance.now() < endMs; await sleep(SAMPLE_MS)) {
    const rows = await queryRestate<{ n: number }>(adminUrl, HOLDING_PLACES).catch(() => [])
    placesMax = Math.max(placesMax, rows[0]?.n ?? 0)
  }
  return placesMax
}

/** The events whose senders were told that they are safe. */
function sentBy(...all: Outcomes[]): string[] {
  return all.flatMap(({ acknowledged, waiting }) => [...acknowledged, ...waiting])
}

async function isAllCounted(db: Database, ids: readonly string[]): Promise<boolean> {
  const { uncountedBatches, unfedBatches } = await backlog(db)
  if (uncountedBatches + unfedBatches > 0) return false
  const recorded = await recordedIds(db)
  return ids.every((id) => recorded.has(id))
}

async function recordedIds(db: Database): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`select event_id as id from interaction`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

function countsOf(outcomes: Outcomes): Record<keyof Outcomes, number> {
  return Object.fromEntries(Object.entries(outcomes).map(([name, ids]) => [name, (ids as string[]).length])) as Record<
    keyof Outcomes,
    number
  >
}
