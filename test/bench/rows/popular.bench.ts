import { sql } from 'kysely'
import { MODES, type Mode } from '../../../src/contract/popular-list.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { latencyOf, ratesOf, readAgainstStatic } from '../rivals/against-static.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { POPULAR_PATH, type ReadRun, STATIC_ITEMS } from '../measure/read-run.ts'
import { ratioOf, median } from '../measure/rounds.ts'

const FULL = { products: 1_000_000, seconds: 2, rounds: 5 }
const QUICK = { products: 20_000, seconds: 0.2, rounds: 1 }
const P99_MS_MAX = { same: 15, different: 25 }
const MODE_NAMES = Object.keys(MODES) as Mode[]
/** So many that hardly any two concurrent queries are equal. */
const QUERIES = 1_000

type Sameness = 'same' | 'different'
type Name = `${Mode} ${Sameness}`

/** Every mode without a window and a cache, against a static page: all callers read the same page, or each a different one. */
export async function popular(isQuick: boolean): Promise<RowResult> {
  const size = isQuick ? QUICK : FULL
  const runs = await readAgainstStatic({
    ...size,
    prepare: (db) => storeRising(db, size.products / 200),
    settings: { POPULAR_CACHE_MS: '0' },
    paths: Object.fromEntries(MODE_NAMES.flatMap((mode) => Object.entries(pathsOf(mode)))) as Record<Name, string[]>,
  })
  return {
    claims: claimsOfRounds(runs, (rounds) =>
      (['same', 'different'] as const).flatMap((sameness) => claimsOf(rounds, size.products, sameness)),
    ),
    measured: runs,
  }
}

function pathsOf(mode: Mode): Partial<Record<Name, string[]>> {
  const path = `${POPULAR_PATH}?mode=${mode}&limit=${STATIC_ITEMS}`
  const different = Array.from({ length: QUERIES }, (_, n) => `${path}&min_interactions=${n + 2}`)
  return { [`${mode} same`]: [path], [`${mode} different`]: different }
}

/** Lets the best products rise. */
async function storeRising(db: Database, products: number): Promise<void> {
  await sql`insert into product_rising (product_id, rising_score)
    select product_id, 1.01 + random() from product_popularity order by score_micros desc limit ${products}`.execute(db)
}

const SAMENESS: Record<Sameness, string> = {
  same: 'the same page for all',
  different: 'pages no two alike',
}

function claimsOf(runs: Record<'fixed' | Name, ReadRun[]>, products: number, sameness: Sameness): Claim[] {
  const rates = (which: 'fixed' | Name) => ratesOf(runs[which])
  const latency = (which: 'fixed' | Name) => latencyOf(runs[which], 'p99')
  const names = MODE_NAMES.map((mode) => `${mode} ${sameness}` as const)
  const slowest = names.toSorted((left, right) => latency(right) - latency(left))[0]!
  return [
    {
      what: `products/popular of ${products.toLocaleString('en')} products, each mode without a window, no cache, 32 connections, ${SAMENESS[sameness]}: the slowest p99`,
      measured: latency(slowest),
      unit: 'ms',
      target: { max: P99_MS_MAX[sameness] },
      detail: `${MODE_NAMES.map((mode) => `${mode} ${formatted(latency(`${mode} ${sameness}`))}`).join(', ')}; of a static page ${formatted(latency('fixed'))} ms`,
    },
    {
      what: '— its answers/s ÷ a static page',
      measured: ratioOf(rates(slowest), rates('fixed')),
      detail: `${slowest.split(' ')[0]}: ${formatted(median(rates(slowest)))} answers/s against ${formatted(median(rates('fixed')))}`,
    },
  ]
}
