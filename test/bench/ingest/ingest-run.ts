import { sql } from 'kysely'
import { createDatabase, type TestDatabase } from '../../harness/servers/database.ts'
import type { BenchServers, BenchStack } from '../servers/bench-stack.ts'
import type { IngestJob, Latency, LoadResult } from '../client/job.ts'
import { countsOf, mustHaveCounted } from '../measure/row-counts.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

export const GATEWAY_PATH = '/api/v1/analytic/interaction'
const TRACK_PATH = '/api/v1/event'
const INGRESS_PATH = '/Analytic/CreateInteraction'

/** The entrances for events. Calls of the ingress have idempotency keys, as those of a careful service do. */
export function entrancesOf({ gateway, restate }: Pick<BenchStack, 'gateway' | 'restate'>) {
  return {
    gateway: { url: gateway.url + GATEWAY_PATH },
    track: { url: gateway.url + TRACK_PATH, isTracked: true },
    ingress: ingressEntranceOf(restate.ingressUrl),
  }
}

export function ingressEntranceOf(url: string) {
  return { url: url + INGRESS_PATH, isKeyed: true }
}

export interface IngestRun {
  events: number
  /** Events per second until all of them are recorded, counted and fed. */
  perSecond: number
  /** Latency of the answers, which come when the events are recorded. */
  latency: Latency
  /** Share of a core that the load process took. */
  loadCores: number
}

export interface CopyOptions {
  copyOf: TestDatabase
  /**
   * Requests that are sent between the checkpoint and the start of the clock. The first change of a page after a checkpoint writes the
   * whole page into the WAL. In production that happens every 15 minutes, and not in every run.
   */
  requestsBefore: number
}

/** Sends events into a fresh database after a checkpoint. @throws unless each event was counted once. */
export async function ingestRun(
  { postgres, endpoint, load }: BenchServers,
  job: Omit<IngestJob, 'kind'>,
  copy?: CopyOptions,
): Promise<IngestRun> {
  const { db, url, drop } = await createDatabase(postgres.url, copy?.copyOf)
  try {
    await endpoint.use(url)
    const before = await countsOf(db)
    await withoutTimeout(db, (unlimited) => sql`checkpoint`.execute(unlimited))
    const ran = async (work: () => Promise<LoadResult>) => {
      const result = await work()
      // Of callers that did not wait, Restate may still have events.
      if (job.isTracked) await waitUntil(async () => (await countsOf(db)).fed - before.fed >= result.events)
      await waitUntil(() => isSettled(db))
      return result
    }
    const first = copy && (await ran(await load.prepare({ kind: 'ingest', ...job, requestsMax: copy.requestsBefore })))
    const go = await load.prepare({ kind: 'ingest', ...job })
    const startMs = performance.now()
    const { events, latency, cpuSeconds, seconds } = await ran(go)
    const perSecond = (events / (performance.now() - startMs)) * 1_000
    await mustHaveCounted(db, events + (first?.events ?? 0), before)
    return { events, perSecond, latency, loadCores: cpuSeconds / seconds }
  } finally {
    await endpoint.use(null)
    await drop()
  }
}
