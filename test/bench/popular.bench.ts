import { sql } from 'kysely'
import { MODES, type Mode } from '../../src/contract/popular.ts'
import type { Store } from '../../src/store/database.ts'
import { latencyOf, ratesOf, readAgainstStatic } from './against-static.ts'
import { type Claim, formatted, type RowResult } from './claim.ts'
import { POPULAR_PATH, type ReadRun, STATIC_ITEMS } from './read-run.ts'
import { median } from './report.ts'
import { ratioOf } from './rounds.ts'

const FULL = { products: 1_000_000, seconds: 3, rounds: 5 }
const QUICK = { products: 20_000, seconds: 0.2, rounds: 1 }
const P99_MS_MAX = 15
const MODE_NAMES = Object.keys(MODES) as Mode[]

/** Every mode without a window from the database for every request, against a page that never changes. */
export async function popular(isQuick: boolean): Promise<RowResult> {
  const size = isQuick ? QUICK : FULL
  const paths = MODE_NAMES.map((mode) => [mode, `${POPULAR_PATH}?mode=${mode}&limit=${STATIC_ITEMS}`])
  const runs = await readAgainstStatic({
    ...size,
    prepare: (db) => storeRising(db, size.products / 10),
    settings: { POPULAR_CACHE_MS: '0' },
    paths: Object.fromEntries(paths) as Record<Mode, string>,
  })
  return { claims: claimsOf(runs, size.products), measured: runs }
}

/** The best products rise. */
async function storeRising(db: Store, products: number): Promise<void> {
  await sql`insert into product_rising (product_id, rising_score)
    select product_id, 1.01 + random() from product_popularity order by score_micros desc limit ${products}`.execute(db)
}

function claimsOf(runs: Record<'fixed' | Mode, ReadRun[]>, products: number): Claim[] {
  const rates = (which: 'fixed' | Mode) => ratesOf(runs[which])
  const latency = (which: 'fixed' | Mode) => latencyOf(runs[which], 'p99')
  const slowest = MODE_NAMES.toSorted((one, other) => latency(other) - latency(one))[0]!
  return [
    {
      what: `products/popular of ${products.toLocaleString('en')} products, each mode without a window, no cache, 32 connections: the slowest p99`,
      measured: latency(slowest),
      unit: 'ms',
      target: { max: P99_MS_MAX },
      detail: `${MODE_NAMES.map((mode) => `${mode} ${formatted(latency(mode))}`).join(', ')}; of a static page ${formatted(latency('fixed'))} ms`,
    },
    {
      what: '— its answers/s ÷ a static page',
      measured: ratioOf(rates(slowest), rates('fixed')),
      detail: `${slowest}: ${formatted(median(rates(slowest)))} answers/s against ${formatted(median(rates('fixed')))}`,
    },
  ]
}
