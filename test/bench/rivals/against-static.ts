import { createDatabase } from '../../harness/servers/database.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'
import { startLoad } from '../client/start-load.ts'
import { storeProducts } from '../items/products.ts'
import { NO_RESTATE, type ReadRun, readRun, STATIC_ITEMS, STATIC_PATH } from '../measure/read-run.ts'
import { interleaved, series, median } from '../measure/rounds.ts'

export interface AgainstStatic<Name extends string> {
  products: number
  /** Stores further data. */
  prepare?: (db: Database) => Promise<unknown>
  /** Settings of the gateway. */
  settings: Record<string, string>
  /** The addresses that are read in random order. Each lists STATIC_ITEMS products. */
  paths: Record<Name, readonly string[]>
  seconds: number
  rounds: number
  /** READ_CONNECTIONS unless given. */
  connections?: number
}

/** Reads lists of products and, as the rival, a static page. */
export function readAgainstStatic<Name extends string>(options: AgainstStatic<Name>): Promise<Record<Name | 'fixed', ReadRun[]>> {
  const { products, prepare, settings, paths, seconds, rounds, connections } = options
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    await storeProducts(db, products)
    await prepare?.(db)
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE, kind: 'withStaticPage', settings }))
    const load = stopAtEnd(startLoad())
    const all = Object.entries<readonly string[]>({ fixed: [STATIC_PATH], ...paths })
    const ways = all.map(([name, pagePaths]) => {
      const job = {
        pages: pagePaths.map((path) => ({ path, items: STATIC_ITEMS })),
        secondsMax: seconds,
        ...(connections !== undefined && { connections }),
      }
      return [name, () => readRun(load, gateway.url, job)]
    })
    return interleaved(Object.fromEntries(ways) as Record<Name | 'fixed', () => Promise<ReadRun>>, rounds)
  })
}

/** Answers per second of each run. */
export function ratesOf(runs: readonly ReadRun[]): number[] {
  return series(runs, (run) => run.perSecond)
}

/** The median of the runs' latencies, in milliseconds. */
export function latencyOf(runs: readonly ReadRun[], part: 'p50' | 'p99'): number {
  return median(series(runs, (run) => run.latency[part]))
}
