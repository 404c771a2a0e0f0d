import { createDatabase } from '../harness/database.ts'
import { type BenchGateway, startBenchGateway } from './bench-gateway.ts'
import { type BenchPostgres, startBenchPostgres } from './bench-postgres.ts'
import { type BenchEndpoint, type BenchRestate, startBenchRestate } from './bench-restate.ts'
import { type LoadProcess, startLoad } from './client/start.ts'

/** Everything that takes part, in processes of their own. */
export interface BenchStack {
  postgres: BenchPostgres
  restate: BenchRestate
  endpoint: BenchEndpoint
  gateway: BenchGateway
  load: LoadProcess
}

/** The default of DATABASE_CONNECTIONS. */
export const POOL_CONNECTIONS = 10

/** Starts everything, does the work, and stops everything, whatever became of it. */
export async function withStack<T>(work: (stack: BenchStack) => Promise<T>): Promise<T> {
  const stops: (() => Promise<void>)[] = []
  const kept = <Part extends { stop: () => Promise<void> }>(part: Part): Part => {
    stops.unshift(part.stop)
    return part
  }
  try {
    const postgres = kept(await startBenchPostgres())
    const restate = kept(await startBenchRestate())
    const endpoint = await restate.serve('footfall', POOL_CONNECTIONS)
    // It looks for keys, and finds that there are none.
    const { url: databaseUrl, drop } = await createDatabase(postgres.url)
    stops.unshift(drop)
    const gateway = kept(await startBenchGateway({ databaseUrl, restate }))
    const load = kept(startLoad())
    return await work({ postgres, restate, endpoint, gateway, load })
  } finally {
    for (const stop of stops) await stop()
  }
}
