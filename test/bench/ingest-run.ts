import { sql } from 'kysely'
import { queryRestate } from '../../src/main/embedded/restate.ts'
import { createDatabase } from '../harness/database.ts'
import type { BenchStack } from './bench-stack.ts'
import type { IngestJob, Latency } from './client/job.ts'
import { countsOf, mustHaveCounted } from './counted.ts'
import { isSettled, polled } from './load.ts'

const GATEWAY_PATH = '/api/v1/analytic/interaction'
const INGRESS_PATH = '/Analytic/CreateInteraction'

/** Where events go in. The ingress is called as a careful service calls it: every request has its key. */
export function doorsOf({ gateway, restate }: BenchStack) {
  return {
    gateway: { url: gateway.url + GATEWAY_PATH },
    ingress: { url: restate.ingressUrl + INGRESS_PATH, isKeyed: true },
  }
}

export interface IngestRun {
  events: number
  /** Until everything is recorded, counted and fed. */
  perSecond: number
  /** Of the answers, which come when the events are recorded. */
  latency: Latency
  /** Share of a core that the load process took. */
  loadCores: number
}

/**
 * Resolves when no invocation is left. A batch that was counted along with others leaves a message behind that finds
 * nothing to do, and must not find the batch of the same number in the next run's database. A message between two
 * partitions of Restate is for a moment in neither: so there must be none twice.
 */
async function idle({ adminUrl }: BenchStack['restate']): Promise<void> {
  const text = "select count(*) as n from sys_invocation where status <> 'completed'"
  let times = 0
  await polled(async () => {
    const [row] = await queryRestate<{ n: number }>(adminUrl, text)
    times = row!.n === 0 ? times + 1 : 0
    return times === 2
  })
}

/** Sends events into a fresh database whose pages are on disk, and holds the run to having counted each of them once. */
export async function ingestRun(
  { postgres, restate, endpoint, load }: BenchStack,
  job: Omit<IngestJob, 'kind'>,
  template?: string,
): Promise<IngestRun> {
  const { db, url, drop } = await createDatabase(postgres.url, template)
  try {
    await endpoint.use(url)
    const before = await countsOf(db)
    const go = await load.prepare({ kind: 'ingest', ...job })
    await sql`checkpoint`.execute(db)
    const startMs = performance.now()
    const { events, latency, cpuSeconds, seconds } = await go()
    await polled(() => isSettled(db))
    const perSecond = (events / (performance.now() - startMs)) * 1_000
    await idle(restate)
    await mustHaveCounted(db, events, before)
    return { events, perSecond, latency, loadCores: cpuSeconds / seconds }
  } finally {
    await endpoint.use(null)
    await drop()
  }
}
