import { DAY_MS, instantOf } from '../../../src/contract/fields/time.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import type { Page } from '../client/job.ts'
import { startLoad } from '../client/start-load.ts'
import { NO_RESTATE, type ReadRun, readRun } from '../measure/read-run.ts'
import { interleaved, series, median } from '../measure/rounds.ts'
import { largeSellerOf, type Sales, sellerOf, storeSales } from '../items/sellers.ts'

const RANGE_DAYS = 90
const LARGER = [10, 100, 1_000]
/** The range and the range before it. */
const LARGE_DAYS = 2 * RANGE_DAYS
const FULL = {
  sales: { sellers: 1_000, lines: 10_000_000, days: 730, larger: LARGER, largeDays: LARGE_DAYS },
  seconds: 5,
  rounds: 5,
}
const QUICK = { sales: { ...FULL.sales, sellers: 50, lines: 20_000 }, seconds: 0.2, rounds: 1 }
const CONNECTIONS = 8
const P99_MS_MAX = 100
const ZONES = { utc: 'UTC', local: 'America/Sao_Paulo' }
type Zone = keyof typeof ZONES

/** Dashboards without a cache: of many sellers, and of increasingly large ones. */
export function seller(isQuick: boolean): Promise<RowResult> {
  const { sales, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    await storeSales(db, sales)
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE }))
    const load = stopAtEnd(startLoad())
    const way = (pages: Page[], connections: number) => () =>
      readRun(load, gateway.url, { pages, secondsMax: seconds, connections })
    const runs = await interleaved(
      { utc: way(pagesOfMany(sales, 'utc'), CONNECTIONS), local: way(pagesOfMany(sales, 'local'), CONNECTIONS) },
      rounds,
    )
    const growing = Object.entries(pagesOfGrowing()).map(([name, page]) => [name, way([page], 1)] as const)
    const grown = await interleaved(Object.fromEntries(growing), rounds)
    return {
      claims: [...claimsOfRounds(runs, (rounds) => claimsOf(rounds, sales)), growthClaim(grown, sales)],
      measured: { runs, grown },
    }
  })
}

/** One page of each seller, with a random range in its past. */
function pagesOfMany({ sellers, days }: Sales, zone: Zone): Page[] {
  return Array.from({ length: sellers }, (_, n) => {
    const daysAgo = Math.floor(Math.random() * (days - 2 * RANGE_DAYS))
    return pageOf(sellerOf(n + 1), zone, daysAgo)
  })
}

const nameOf = (times: number, zone: Zone) => `${times} ${zone}`

/** The latest range of a normal seller and of each larger one. */
function pagesOfGrowing(): Record<string, Page> {
  const sellers = [[1, sellerOf(1)] as const, ...LARGER.map((times) => [times, largeSellerOf(times)] as const)]
  return Object.fromEntries(
    sellers.flatMap(([times, id]) =>
      (Object.keys(ZONES) as Zone[]).map((zone) => [nameOf(times, zone), pageOf(id, zone, 0)] as const),
    ),
  )
}

function pageOf(sellerId: string, zone: Zone, daysAgo: number): Page {
  const endMs = Date.now() - daysAgo * DAY_MS
  const [start, end] = [endMs - (RANGE_DAYS - 1) * DAY_MS, endMs].map((ms) => instantOf(ms).slice(0, 10))
  return {
    path: `/api/v1/analytic/seller-dashboard?seller_id=${sellerId}&start=${start}&end=${end}&granularity=day&time_zone=${ZONES[zone]}`,
  }
}

function latencyOf(runs: readonly ReadRun[], part: 'p50' | 'p99'): number {
  return median(series(runs, (run) => run.latency[part]))
}

function claimsOf(runs: Record<Zone, ReadRun[]>, { sellers, lines, days }: Sales): Claim[] {
  const claimOf = (zone: Zone, what: string): Claim => ({
    what,
    measured: latencyOf(runs[zone], 'p99'),
    unit: 'ms',
    target: { max: P99_MS_MAX },
    detail: `p50 ${formatted(latencyOf(runs[zone], 'p50'))} ms; ${formatted(median(series(runs[zone], (run) => run.perSecond)))} answers/s`,
  })
  return [
    claimOf(
      'utc',
      `seller-dashboard of ${RANGE_DAYS} days by day, any of ${formatted(sellers)} sellers, ${formatted(lines)} sale lines in ${days} days, ${CONNECTIONS} connections, UTC: p99`,
    ),
    claimOf('local', `— in ${ZONES.local}`),
  ]
}

function growthClaim(grown: Record<string, ReadRun[]>, { sellers, lines, days }: Sales): Claim {
  const linesInRange = (lines / sellers / days) * RANGE_DAYS
  const p50Of = (times: number, zone: Zone) => latencyOf(grown[nameOf(times, zone)]!, 'p50')
  const textOf = (times: number) =>
    `${formatted(times * linesInRange)}: ${(['utc', 'local'] as const).map((zone) => formatted(p50Of(times, zone))).join(' and ')}`
  const most = Math.max(...LARGER)
  return {
    what: `— of a seller with ${formatted(most)} times as many lines in the range, alone, ${ZONES.local}: p50`,
    measured: p50Of(most, 'local'),
    unit: 'ms',
    detail: `lines in the range, and p50 in UTC and there: ${[1, ...LARGER].map(textOf).join('; ')} ms`,
  }
}
