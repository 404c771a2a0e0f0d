import { sql } from 'kysely'
import { MODES, type Mode } from '../../src/contract/popular.ts'
import { createDatabase } from '../harness/database.ts'
import { startBenchGateway } from './bench-gateway.ts'
import { startBenchPostgres } from './bench-postgres.ts'
import { withParts } from './bench-stack.ts'
import { type Claim, formatted, type RowResult } from './claim.ts'
import { startLoad } from './client/start.ts'
import { storeProducts } from './products.ts'
import { NO_RESTATE, POPULAR_PATH, type ReadRun, readRun, STATIC_ITEMS, STATIC_PATH } from './read-run.ts'
import { median } from './report.ts'
import { interleaved, ratioOf, series } from './rounds.ts'

const FULL = { products: 1_000_000, seconds: 3, rounds: 5 }
const QUICK = { products: 20_000, seconds: 0.2, rounds: 1 }
const P99_MS_MAX = 15
const MODE_NAMES = Object.keys(MODES) as Mode[]

/** Every mode without a window from the database for every request, against a page that never changes. */
export function popular(isQuick: boolean): Promise<RowResult> {
  const { products, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (kept) => {
    const postgres = kept(await startBenchPostgres())
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    kept({ stop: () => db.destroy() })
    await storeProducts(db, products)
    await sql`insert into product_rising (product_id, rising_score)
      select product_id, 1.01 + random() from product_popularity order by score_micros desc limit ${products / 10}`.execute(db)
    const settings = { POPULAR_CACHE_MS: '0' }
    const gateway = kept(await startBenchGateway({ databaseUrl, restate: NO_RESTATE, kind: 'withStaticPage', settings }))
    const load = kept(startLoad())
    const way = (path: string) => () =>
      readRun(load, gateway.url, { pages: [{ path, items: STATIC_ITEMS }], secondsMax: seconds })
    const modes = Object.fromEntries(
      MODE_NAMES.map((mode) => [mode, way(`${POPULAR_PATH}?mode=${mode}&limit=${STATIC_ITEMS}`)]),
    ) as Record<Mode, () => Promise<ReadRun>>
    const runs = await interleaved({ fixed: way(STATIC_PATH), ...modes }, rounds)
    return { claims: claimsOf(runs, products), measured: runs }
  })
}

function claimsOf(runs: Record<'fixed' | Mode, ReadRun[]>, products: number): Claim[] {
  const rates = (which: 'fixed' | Mode) => series(runs[which], (run) => run.perSecond)
  const latency = (which: 'fixed' | Mode, part: 'p50' | 'p99') => median(series(runs[which], (run) => run.latency[part]))
  const slowest = MODE_NAMES.toSorted((one, other) => latency(other, 'p99') - latency(one, 'p99'))[0]!
  return [
    {
      what: `products/popular of ${products.toLocaleString('en')} products, each mode without a window, no cache, 32 connections: the slowest p99`,
      measured: latency(slowest, 'p99'),
      unit: 'ms',
      target: { max: P99_MS_MAX },
      detail: `${MODE_NAMES.map((mode) => `${mode} ${formatted(latency(mode, 'p99'))}`).join(', ')}; of a static page ${formatted(latency('fixed', 'p99'))} ms`,
    },
    {
      what: '— its answers/s ÷ a static page',
      measured: ratioOf(rates(slowest), rates('fixed')),
      detail: `${slowest}: ${formatted(median(rates(slowest)))} answers/s against ${formatted(median(rates('fixed')))}`,
    },
  ]
}
