import { createDatabase } from '../harness/database.ts'
import { withParts } from './bench-stack.ts'
import { startBenchGateway } from './bench-gateway.ts'
import { startBenchPostgres } from './bench-postgres.ts'
import { type Claim, formatted, type RowResult } from './claim.ts'
import { startLoad } from './client/start.ts'
import { storeProducts } from './products.ts'
import { NO_RESTATE, type ReadRun, readRun, STATIC_ITEMS, STATIC_PATH, TOP_PATH } from './read-run.ts'
import { median } from './report.ts'
import { interleaved, ratioOf, series } from './rounds.ts'

const FULL = { products: 1_000_000, seconds: 5, rounds: 5 }
const QUICK = { products: 50_000, seconds: 1, rounds: 1 }

/** The top list from the database for every request, against a page that never changes. */
export function top(isQuick: boolean): Promise<RowResult> {
  const { products, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (kept) => {
    const postgres = kept(await startBenchPostgres())
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    kept({ stop: () => db.destroy() })
    await storeProducts(db, products)
    const settings = { TOP_CACHE_MS: '0' }
    const gateway = kept(await startBenchGateway({ databaseUrl, restate: NO_RESTATE, kind: 'withStaticPage', settings }))
    const load = kept(startLoad())
    const way = (path: string) => () =>
      readRun(load, gateway.url, { pages: [{ path, items: STATIC_ITEMS }], secondsMax: seconds })
    const runs = await interleaved({ fixed: way(STATIC_PATH), top: way(`${TOP_PATH}?limit=${STATIC_ITEMS}`) }, rounds)
    return { claims: claimsOf(runs, products), measured: runs }
  })
}

function claimsOf({ fixed, top: read }: Record<'fixed' | 'top', ReadRun[]>, products: number): Claim[] {
  const rates = (runs: readonly ReadRun[]) => series(runs, (run) => run.perSecond)
  const latency = (runs: readonly ReadRun[], part: 'p50' | 'p99') => median(series(runs, (run) => run.latency[part]))
  return [
    {
      what: `popularity/top of ${products.toLocaleString('en')} products, no cache, 32 connections ÷ a static page`,
      measured: ratioOf(rates(read), rates(fixed)),
      target: { min: 0.2 },
      detail: `${formatted(median(rates(read)))} answers/s against ${formatted(median(rates(fixed)))}`,
    },
    {
      what: '— p99',
      measured: latency(read, 'p99'),
      unit: 'ms',
      target: { max: 15 },
      detail: `p50 ${formatted(latency(read, 'p50'))} ms; of the static page ${formatted(latency(fixed, 'p99'))} and ${formatted(latency(fixed, 'p50'))} ms`,
    },
  ]
}
