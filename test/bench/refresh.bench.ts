import { sql } from 'kysely'
import type { Store } from '../../src/store/database.ts'
import { refreshRising } from '../../src/store/rising.ts'
import { refreshTrending } from '../../src/store/trending-window.ts'
import { createDatabase } from '../harness/database.ts'
import { type BesideIngest, besideIngest, noteWaits } from './beside-ingest.ts'
import { withStack } from './bench-stack.ts'
import { type Claim, formatted, type RowResult } from './claim.ts'
import { median } from './report.ts'
import { interleaved, ratioOf, series } from './rounds.ts'
import { storeShop } from './shop.ts'

const FULL = { shop: { products: 100_000, events: 10_000_000, days: 90, categories: 50 }, seconds: 15, rounds: 5 }
const QUICK = { shop: { products: 2_000, events: 30_000, days: 90, categories: 50 }, seconds: 1, rounds: 1 }
const REFRESH_SECONDS_MAX = 20
const RATE_MIN = 0.8
const WAIT_MS_MAX = 50

/** What the half-hourly refresh of trending and rising costs, and what it costs those who send events meanwhile. */
export function refresh(isQuick: boolean): Promise<RowResult> {
  const { shop, seconds, rounds } = isQuick ? QUICK : FULL
  return withStack(async (stack) => {
    const database = await createDatabase(stack.postgres.url)
    await storeShop(database.db, shop)
    await noteWaits(database.db)
    const runs = await interleaved(
      {
        alone: () => besideIngest(stack, database, seconds),
        beside: () => besideIngest(stack, database, seconds, refreshed),
      },
      rounds,
    )
    await database.drop()
    return { claims: claimsOf(runs, shop), measured: runs }
  })
}

/** An hour leaves the window again: computing what it leaves behind is the same work each time. */
async function refreshed(background: Store): Promise<{ isOver: boolean }> {
  await sql`
    update popularity_rules set edge = edge - interval '1 hour', repaired_to = repaired_to - interval '1 hour'`.execute(
    background,
  )
  await refreshTrending(background)
  await refreshRising(background, Date.now())
  return { isOver: false }
}

function claimsOf({ alone, beside }: Record<'alone' | 'beside', BesideIngest[]>, shop: typeof FULL.shop): Claim[] {
  const rates = (runs: readonly BesideIngest[]) => series(runs, (run) => run.perSecond)
  const longest = (runs: readonly BesideIngest[]) => formatted(Math.max(...runs.map((run) => run.longestAnswerMs)))
  const refreshes = beside.flatMap((run) => run.workMs)
  return [
    {
      what: `popularity refresh, ${formatted(shop.products)} products, ${formatted(shop.events)} events in ${shop.days} days, beside ingest: the longest`,
      measured: Math.max(...refreshes) / 1_000,
      unit: 's',
      target: { max: REFRESH_SECONDS_MAX },
      detail: `${refreshes.length} refreshes, the median ${formatted(median(refreshes) / 1_000)} s`,
    },
    {
      what: '— ingest meanwhile ÷ ingest alone',
      measured: ratioOf(rates(beside), rates(alone)),
      target: { min: RATE_MIN },
      detail: `${formatted(median(rates(beside)))} events/s against ${formatted(median(rates(alone)))}, one refresh after the other`,
    },
    {
      what: '— the longest that counting waited for it',
      measured: Math.max(...beside.map((run) => run.longestWaitMs)),
      unit: 'ms',
      target: { max: WAIT_MS_MAX },
      detail: `the longest answer ${longest(beside)} ms, without a refresh ${longest(alone)} ms`,
    },
  ]
}
