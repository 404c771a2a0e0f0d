import { createDatabase } from '../../harness/servers/database.ts'
import type { Page } from '../client/job.ts'
import { startLoad } from '../client/start-load.ts'
import { shopperOf, storeShoppers } from '../items/shoppers.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { NO_RESTATE, type ReadRun, readRun } from '../measure/read-run.ts'
import { interleaved, median, series } from '../measure/rounds.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'

const FEW = 100
const MANY = 10_000
const FULL = { shoppers: { count: 200, interactions: [FEW, MANY], products: 100_000 }, seconds: 5, rounds: 5 }
const QUICK = { shoppers: { ...FULL.shoppers, count: 5, products: 1_000 }, seconds: 0.2, rounds: 1 }
const CONNECTIONS = 8

/** Preferences of shoppers with few and with many interactions. */
export function preferences(isQuick: boolean): Promise<RowResult> {
  const { shoppers, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    await storeShoppers(db, shoppers)
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE }))
    const load = stopAtEnd(startLoad())
    const way = (interactions: number, connections: number) => () =>
      readRun(load, gateway.url, { pages: pagesOf(interactions, shoppers.count), secondsMax: seconds, connections })
    const runs = await interleaved(
      { few: way(FEW, CONNECTIONS), many: way(MANY, CONNECTIONS), fewAlone: way(FEW, 1), manyAlone: way(MANY, 1) },
      rounds,
    )
    return {
      claims: claimsOfRounds(runs, ({ few, fewAlone, many, manyAlone }) => [
        claimOf(FEW, few, fewAlone),
        claimOf(MANY, many, manyAlone),
      ]),
      measured: { runs },
    }
  })
}

function pagesOf(interactions: number, count: number): Page[] {
  return Array.from({ length: count }, (_, n) => {
    return { path: `/api/v1/shoppers/${encodeURIComponent(shopperOf(interactions, n + 1))}/preferences` }
  })
}

function claimOf(interactions: number, runs: readonly ReadRun[], alone: readonly ReadRun[]): Claim {
  const latencyOf = (some: readonly ReadRun[], part: 'p50' | 'p99') => median(series(some, (run) => run.latency[part]))
  return {
    what: `preferences of a shopper with ${formatted(interactions)} interactions in a year, ${CONNECTIONS} connections: p99`,
    measured: latencyOf(runs, 'p99'),
    unit: 'ms',
    detail: `p50 ${formatted(latencyOf(runs, 'p50'))} ms; ${formatted(median(series(runs, (run) => run.perSecond)))} answers/s; alone p50 ${formatted(latencyOf(alone, 'p50'))} ms, p99 ${formatted(latencyOf(alone, 'p99'))} ms`,
  }
}
