import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { refreshRising } from '../../../src/store/popularity/rising.ts'
import { refreshTrending } from '../../../src/store/popularity/trending-window.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { type DuringIngest, workDuringIngest, logLockWaits, type WorkTime } from '../ingest/during-ingest.ts'
import { withStack } from '../servers/bench-stack.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { storeShop } from '../items/shop.ts'
import { median } from '../measure/rounds.ts'

const FULL = { shop: { products: 100_000, events: 10_000_000, days: 90, categories: 50 }, seconds: 90, rounds: 3 }
const QUICK = { shop: { products: 2_000, events: 30_000, days: 90, categories: 50 }, seconds: 2, rounds: 1 }
const REFRESH_SECONDS_MAX = 20
const RATE_MIN = 0.8
const WAIT_MS_MAX = 50

/** The cost of the half-hourly refresh of trending and rising, and its effect on concurrent ingest. */
export function refresh(isQuick: boolean): Promise<RowResult> {
  const { shop, seconds, rounds } = isQuick ? QUICK : FULL
  return withStack(async (stack) => {
    const database = await createDatabase(stack.postgres.url)
    await storeShop(database.db, shop)
    await logLockWaits(database.db)
    const runs = []
    for (let round = 0; round < rounds; round++) runs.push(await workDuringIngest(stack, database, seconds, refreshAgain))
    await database.drop()
    return { claims: claimsOf(runs, shop), measured: runs }
  })
}

/** Moves the window back by an hour and refreshes, which is the same work each time. */
async function refreshAgain(background: Database): Promise<{ isOver: boolean }> {
  await sql`
    update popularity_rules set edge = edge - interval '1 hour', repaired_to = repaired_to - interval '1 hour'`.execute(
    background,
  )
  await refreshTrending(background)
  await refreshRising(background, Date.now())
  return { isOver: false }
}

function claimsOf(runs: readonly DuringIngest[], shop: typeof FULL.shop): Claim[] {
  const times = runs.flatMap((run) => run.times)
  const refreshes = times.map((time) => time.workMs)
  const sum = (name: keyof WorkTime) => times.reduce((total, time) => total + time[name], 0)
  const rates = { work: (sum('workEvents') / sum('workMs')) * 1_000, rest: (sum('restEvents') / sum('restMs')) * 1_000 }
  return [
    {
      what: `popularity refresh, ${formatted(shop.products)} products, ${formatted(shop.events)} events in ${shop.days} days, during ingest: the longest`,
      measured: Math.max(...refreshes) / 1_000,
      unit: 's',
      target: { max: REFRESH_SECONDS_MAX },
      detail: `${refreshes.length} refreshes, the median ${formatted(median(refreshes) / 1_000)} s`,
    },
    {
      what: '— events counted per second during a refresh ÷ in the pauses',
      measured: rates.work / rates.rest,
      target: { min: RATE_MIN },
      detail: `${formatted(rates.work)} against ${formatted(rates.rest)} events/s at full load; after each refresh a pause of the same length`,
    },
    {
      what: '— the longest wait of counting for it',
      measured: Math.max(...runs.map((run) => run.longestWaitMs)),
      unit: 'ms',
      target: { max: WAIT_MS_MAX },
      detail: 'by the lock waits in the log of PostgreSQL',
    },
  ]
}
