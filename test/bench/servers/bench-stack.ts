import { createDatabase } from '../../harness/servers/database.ts'
import { type BenchGateway, startBenchGateway } from './bench-gateway.ts'
import { type BenchPostgres, startBenchPostgres } from './bench-postgres.ts'
import { type BenchEndpoint, type BenchRestate, startBenchRestate } from './bench-restate.ts'
import { type LoadProcess, startLoad } from '../client/start-load.ts'

/** PostgreSQL, Restate, endpoint, gateway and load, each in a process of its own. */
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
export type StopAtEnd = <P extends Part>(part: P) => P

/** Does the work, then stops its parts in reverse order, also after an error or Ctrl-C. */
export async function withParts<T>(work: (stopAtEnd: StopAtEnd) => Promise<T>): Promise<T> {
  const parts: Part[] = []
  const stopAll = async () => {
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) await part.stop()
  }
  const onSignal = () => void stopAll().finally(() => process.exit(1))
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  try {
    return await work((part) => {
      parts.push(part)
      return part
    })
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    await stopAll()
  }
}

/** Works with all processes but a gateway. */
export function withServers<T>(
  work: (servers: BenchServers, stopAtEnd: StopAtEnd) => Promise<T>,
  restateSettings: Record<string, string> = {},
  startPostgres: () => Promise<BenchPostgres> = startBenchPostgres,
): Promise<T> {
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startPostgres())
    const restate = stopAtEnd(await startBenchRestate(restateSettings))
    const endpoint = await restate.serve('footfall', POOL_CONNECTIONS)
    return work({ postgres, restate, endpoint, load: stopAtEnd(startLoad()) }, stopAtEnd)
  })
}

/** Works with all processes. The gateway keeps its database while the endpoint's changes, so such a row cannot read. */
export function withStack<T>(work: (stack: BenchStack) => Promise<T>, startPostgres?: () => Promise<BenchPostgres>): Promise<T> {
  const ofGateway = async (servers: BenchServers, stopAtEnd: StopAtEnd) => {
    const { postgres, restate } = servers
    // Without keys in it, because the gateway looks for them.
    const { url: databaseUrl, drop } = await createDatabase(postgres.url)
    stopAtEnd({ stop: drop })
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate }))
    return work({ ...servers, gateway })
  }
  return withServers(ofGateway, {}, startPostgres)
}
