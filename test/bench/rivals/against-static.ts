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
  /** What else is stored. */
  prepare?: (db: Database) => Promise<unknown>
  /** Of the gateway. */
  settings: Record<string, string>
  /** What is asked for, in random order, each a list of STATIC_ITEMS. */
  paths: Record<Name, readonly string[]>
  seconds: number
  rounds: number
}

/** Reads lists of so many products, and a page that never changes. */
export function readAgainstStatic<Name extends string>(options: AgainstStatic<Name>): Promise<Record<Name | 'fixed', ReadRun[]>> {
  const { products, prepare, settings, paths, seconds, rounds } = options
  return withParts(async (kept) => {
    const postgres = kept(await startBenchPostgres())
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    kept({ stop: () => db.destroy() })
    await storeProducts(db, products)
    await prepare?.(db)
    const gateway = kept(await startBenchGateway({ databaseUrl, restate: NO_RESTATE, kind: 'withStaticPage', settings }))
    const load = kept(startLoad())
    const all = Object.entries<readonly string[]>({ fixed: [STATIC_PATH], ...paths })
    const ways = all.map(([name, asked]) => {
      const job = { pages: asked.map((path) => ({ path, items: STATIC_ITEMS })), secondsMax: seconds }
      return [name, () => readRun(load, gateway.url, job)]
    })
    return interleaved(Object.fromEntries(ways) as Record<Name | 'fixed', () => Promise<ReadRun>>, rounds)
  })
}

/** Answers per second, of each run. */
export function ratesOf(runs: readonly ReadRun[]): number[] {
  return series(runs, (run) => run.perSecond)
}

/** The median of the runs, in milliseconds. */
export function latencyOf(runs: readonly ReadRun[], part: 'p50' | 'p99'): number {
  return median(series(runs, (run) => run.latency[part]))
}
