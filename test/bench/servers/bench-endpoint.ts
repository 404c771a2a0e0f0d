import { createServer } from 'node:http2'
import { createEndpointHandler, service } from '@restatedev/restate-sdk'
import { sql } from 'kysely'
import { pino } from 'pino'
import type { Deps } from '../../../services/handler/deps.ts'
import { serveEndpoint } from '../../../src/main/endpoint/serve-endpoint.ts'
import { TEST_DEPS } from '../../harness/servers/deps.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import { perRowServices } from '../rivals/per-row-fan-out.ts'

/**
 * A service endpoint in a process of its own, as in production, with the services of Footfall, of the per-row fan-out, or a no-op. Its
 * parent sends it the database of each run, so that the process stays warm.
 */
const [kind, port, connectionsMax, journalMinutes] = process.argv.slice(2) as [string, string, string, string]
/** The next database, or none. */
export interface UseDatabase {
  url: string | null
}

/** A durable call that does nothing. */
const nothing = service({ name: 'Nothing', handlers: { Do: async () => null }, options: { journalRetention: 0 } })

/** The pools of the run. Services copy their dependencies when they are made, so they get objects that stay. */
let pools = poolsTo('postgres://127.0.0.1:1/none')
const deps: Deps = {
  db: followed(() => pools.db),
  background: followed(() => pools.background),
  ...TEST_DEPS,
  journalMinutes: Number(journalMinutes),
}

process.on('message', ({ url }: UseDatabase) => void use(url))
process.on('disconnect', () => process.exit(0))
await (kind === 'per-row'
  ? serve(perRowServices(deps))
  : kind === 'nothing'
    ? serve([nothing])
    : serveEndpoint(deps, { host: '127.0.0.1', port: Number(port), log: pino({ level: 'error' }) }))
process.send?.('listening')

/** Closes the pools, opens those of the next database if there is one, and answers 'ready'. */
async function use(url: string | null): Promise<void> {
  await Promise.all([pools.db.destroy(), pools.background.destroy()])
  if (url !== null) {
    pools = poolsTo(url)
    await Promise.all([sql`select 1`.execute(pools.db), sql`select 1`.execute(pools.background)])
  }
  process.send?.('ready')
}

/** Behaves as the database that `current` gives. */
function followed(current: () => Database): Database {
  const get = (_target: object, name: string | symbol): unknown => {
    const database = current()
    const value: unknown = Reflect.get(database, name, database)
    return typeof value === 'function' ? (value.bind(database) as unknown) : value
  }
  return new Proxy({}, { get }) as Database
}

function poolsTo(url: string): Pick<Deps, 'db' | 'background'> {
  const pool = (name: string) => connect({ url, name, connectionsMax: Number(connectionsMax) })
  return { db: pool('bench endpoint'), background: pool('bench background') }
}

async function serve(services: Parameters<typeof createEndpointHandler>[0]['services']): Promise<void> {
  const server = createServer(createEndpointHandler({ services, logger: () => undefined }))
  await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve))
}
