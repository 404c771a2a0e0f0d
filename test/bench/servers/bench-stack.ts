import { createDatabase } from '../../harness/servers/database.ts'
import { type BenchGateway, startBenchGateway } from './bench-gateway.ts'
import { type BenchPostgres, startBenchPostgres } from './bench-postgres.ts'
import { type BenchEndpoint, type BenchRestate, startBenchRestate } from './bench-restate.ts'
import { type LoadProcess, startLoad } from '../client/start-load.ts'

/** Everything that takes part, in processes of their own. */
export interface BenchStack extends BenchServers {
  gateway: BenchGateway
}

export interface BenchServers {
  postgres: BenchPostgres
  restate: BenchRestate
  endpoint: BenchEndpoint
  load: LoadProcess
}

/** The default of DATABASE_CONNECTIONS. */
export const POOL_CONNECTIONS = 10

interface Part {
  stop: () => Promise<void>
}
type StopAtEnd = <P extends Part>(part: P) => P

/** Does the work, and stops what it keeps in the opposite order, whatever became of it: Ctrl-C too leaves nothing behind. */
export async function withParts<T>(work: (kept: StopAtEnd) => Promise<T>): Promise<T> {
  const parts: Part[] = []
  const stopAll = async () => {
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) await part.stop()
  }
  const told = () => void stopAll().finally(() => process.exit(1))
  process.once('SIGINT', told).once('SIGTERM', told)
  try {
    return await work((part) => {
      parts.push(part)
      return part
    })
  } finally {
    process.off('SIGINT', told).off('SIGTERM', told)
    await stopAll()
  }
}

/** With everything but a gateway. */
export function withServers<T>(work: (servers: BenchServers, kept: StopAtEnd) => Promise<T>): Promise<T> {
  return withParts(async (kept) => {
    const postgres = kept(await startBenchPostgres())
    const restate = kept(await startBenchRestate())
    const endpoint = await restate.serve('footfall', POOL_CONNECTIONS)
    return work({ postgres, restate, endpoint, load: kept(startLoad()) }, kept)
  })
}

/** With everything. The gateway's database stays the same, while the endpoint's changes: such a row reads nothing. */
export function withStack<T>(work: (stack: BenchStack) => Promise<T>): Promise<T> {
  return withServers(async (servers, kept) => {
    const { postgres, restate } = servers
    // It looks for keys, and finds that there are none.
    const { url: databaseUrl, drop } = await createDatabase(postgres.url)
    kept({ stop: drop })
    const gateway = kept(await startBenchGateway({ databaseUrl, restate }))
    return work({ ...servers, gateway })
  })
}
