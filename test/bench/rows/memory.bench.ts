import { createDatabase } from '../../harness/servers/database.ts'
import { withStack } from '../servers/bench-stack.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import type { IngestJob } from '../client/job.ts'
import { mustHaveCounted } from '../measure/row-counts.ts'
import { entrancesOf } from '../ingest/ingest-run.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { type Sample, sampleMemory, slopeOf } from '../measure/process-memory.ts'
import { median } from '../measure/rounds.ts'

const FULL = { seconds: 600, settling: 60 }
const QUICK = { seconds: 4, settling: 2 }
/** Batches and single events concurrently, as the two processes serve them in production. */
const LOADS = [
  { requestEvents: 1_000, connections: 32 },
  { requestEvents: 1, connections: 256 },
]
const SETTLED_MS_MAX = 900_000
const MEGABYTES_MAX = 480

/** The memory of endpoint and gateway at full ingest load, and its growth. */
export function memory(isQuick: boolean): Promise<RowResult> {
  const { seconds, settling } = isQuick ? QUICK : FULL
  return withStack(async ({ postgres, endpoint, gateway, load, restate }) => {
    const { db, url, drop } = await createDatabase(postgres.url)
    try {
      await endpoint.use(url)
      const entrance = entrancesOf({ gateway, restate }).gateway
      const jobs = LOADS.map((size): IngestJob => ({ kind: 'ingest', ...entrance, ...size, secondsMax: seconds }))
      const runs = await Promise.all(jobs.map((job) => load.prepare(job)))
      let isOver = false
      const samples = sampleMemory([endpoint.pid, gateway.pid], () => isOver)
      const results = await Promise.all(runs.map((run) => run())).finally(() => (isOver = true))
      await waitUntil(() => isSettled(db), SETTLED_MS_MAX)
      const events = results.reduce((sum, result) => sum + result.events, 0)
      await mustHaveCounted(db, events)
      const later = (await samples).filter((sample) => sample.second >= settling)
      return { claims: claimsOf(later, { perSecond: events / seconds, seconds }), measured: { events, samples: await samples } }
    } finally {
      await endpoint.use(null)
      await drop()
    }
  })
}

function claimsOf(samples: readonly Sample[], { perSecond, seconds }: { perSecond: number; seconds: number }): Claim[] {
  const both = samples.map(({ megabytes }) => megabytes[0]! + megabytes[1]!)
  const perMinute = (process: 0 | 1) => slopeOf(samples.map(({ second, megabytes }) => [second / 60, megabytes[process]!]))
  const medianOf = (process: 0 | 1) => formatted(Math.round(median(samples.map(({ megabytes }) => megabytes[process]!))))
  return [
    {
      what: 'memory of endpoint and gateway at full ingest load, the maximum',
      measured: Math.round(Math.max(...both)),
      unit: 'MB',
      target: { max: MEGABYTES_MAX },
      detail: `medians ${medianOf(0)} and ${medianOf(1)} MB, at ${formatted(perSecond)} events/s in requests of 1,000 and of 1`,
    },
    {
      what: '— its growth',
      measured: perMinute(0) + perMinute(1),
      unit: 'MB/min',
      detail: `a straight line through ${formatted(seconds / 60)} minutes, apart from the first; endpoint ${formatted(perMinute(0))}, gateway ${formatted(perMinute(1))}`,
    },
  ]
}
