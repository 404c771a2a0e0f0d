import { createIngress } from '../../../src/ingress/clients.ts'
import { createSimilarityRunsClient } from '../../../src/ingress/similarity-runs-client.ts'
import { until } from '../../../src/main/embedded/until.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import type { Job } from '../client/job.ts'
import type { LoadProcess } from '../client/start-load.ts'
import { storeShopLog, storeVersion } from '../items/shop-log.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { type ReadRun, readRunOf, STATIC_ITEMS } from '../measure/read-run.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { withServers } from '../servers/bench-stack.ts'

const FULL = { log: { products: 100_000, events: 1_000_000, shoppers: 200_000 }, seconds: 10, rounds: 3 }
const QUICK = { log: { products: 2_000, events: 60_000, shoppers: 12_000 }, seconds: 1, rounds: 1 }
const P99_GROWTH_MAX = 2
/** Visitors who look at a page after the other, so that the two processors are not busy without the run. */
const VISITORS = { connections: 8, pauseMs: 20 }
const PAGES = 5_000
const RUN_MS_MAX = 5 * 60_000

const READS = {
  gateway: 'products/{id}/similar of the gateway',
  handler: 'Catalog.Similar of the endpoint that computes',
} as const
type Read = keyof typeof READS
type Name = `${Read} at rest` | `${Read} during`

interface Run extends ReadRun {
  /** Of the computation. */
  runSeconds: number
}

/** What a run of similar products does to reads: its threads work in the process of the endpoint. */
export function similarityReads(isQuick: boolean): Promise<RowResult> {
  const { log, seconds, rounds } = isQuick ? QUICK : FULL
  return withServers(async ({ postgres, restate, endpoint, load }, stopAtEnd) => {
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    await storeShopLog(db, log)
    await storeVersion(db)
    await endpoint.use(databaseUrl)
    stopAtEnd({ stop: () => endpoint.use(null) })
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate }))
    const products = Array.from({ length: PAGES }, () => `p-${1 + Math.floor(log.products * Math.random() ** 3)}`)
    const jobs: Record<Read, Job> = {
      gateway: {
        ...{ kind: 'read', url: gateway.url, secondsMax: seconds, ...VISITORS },
        pages: products.map((id) => ({ path: `/api/v1/products/${id}/similar?limit=${STATIC_ITEMS}`, items: STATIC_ITEMS })),
      },
      handler: {
        ...{ kind: 'repeat', url: `${restate.ingressUrl}/Catalog/Similar`, secondsMax: seconds, ...VISITORS },
        bodies: products.map((id) => JSON.stringify({ product_id: id, limit: STATIC_ITEMS })),
      },
    }
    const compute = () => computeAgain(restate.ingressUrl)
    const ways = (Object.keys(READS) as Read[]).flatMap((read) => [
      [`${read} at rest`, () => readDuring(load, jobs[read], undefined)] as const,
      [`${read} during`, () => readDuring(load, jobs[read], compute)] as const,
    ])
    const runs = await interleaved(Object.fromEntries(ways) as Record<Name, () => Promise<Run>>, rounds)
    return {
      claims: claimsOfRounds(runs, (rounds) => (Object.keys(READS) as Read[]).flatMap((read) => claimsOf(rounds, read, log))),
      measured: runs,
    }
  })
}

/** Reads for the time of the job, while the work is done. */
async function readDuring(load: LoadProcess, job: Job, work: (() => Promise<number>) | undefined): Promise<Run> {
  const go = await load.prepare(job)
  const working = work?.()
  const read = readRunOf(await go())
  return { ...read, runSeconds: (await working) ?? 0 }
}

/** Makes a version, and puts it in force. @returns seconds. */
async function computeAgain(ingressUrl: string): Promise<number> {
  const runs = createSimilarityRunsClient(createIngress({ url: ingressUrl }))
  const startMs = performance.now()
  const { id } = await runs.start({ actor: 'bench' })
  await until(async () => !['pending', 'running'].includes((await runs.status(id)).status), RUN_MS_MAX)
  const { status } = await runs.status(id)
  if (status !== 'completed') throw new Error(`the run is ${status}`)
  return (performance.now() - startMs) / 1_000
}

function claimsOf(runs: Record<Name, Run[]>, read: Read, { events, products }: typeof FULL.log): Claim[] {
  const [rest, during] = [runs[`${read} at rest`], runs[`${read} during`]]
  const p99 = (some: readonly Run[]) => series(some, ({ latency }) => latency.p99)
  const p50 = (some: readonly Run[]) => median(series(some, ({ latency }) => latency.p50))
  return [
    {
      what: `${READS[read]}, while similar products of ${formatted(events)} events and ${formatted(products)} products are computed: p99 ÷ p99 at rest`,
      measured: ratioOf(p99(during), p99(rest)),
      target: { max: P99_GROWTH_MAX },
      detail: `p99 ${formatted(median(p99(during)))} ms against ${formatted(median(p99(rest)))} ms, p50 ${formatted(p50(during))} against ${formatted(p50(rest))} ms; ${formatted(median(series(rest, (run) => run.perSecond)))} reads/s; a run takes ${formatted(median(series(during, (run) => run.runSeconds)))} s`,
    },
  ]
}
