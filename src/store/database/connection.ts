import { Kysely, type KyselyConfig, type LogEvent, PostgresDialect, type QueryExecutorProvider } from 'kysely'
import pg from 'pg'
import { type Route, routeOver } from './addresses.ts'
import { cancellingClients } from './cancelling-clients.ts'
import { comingOften, isSelect, prepare } from './prepared.ts'
import { clientOn, connectionToPrimary } from './primary.ts'
import { closeWhenSilent } from './silent-server.ts'
import { UnavailableError } from './unavailable-error.ts'

/** An open pool. The other rooms hold one and pass it to the store's functions. */
export type Database = Kysely<unknown>

/** A pool or an open transaction: anything that can run a statement. Each statement types its own rows. */
export type Queryable = QueryExecutorProvider

/** How many connections a pool has now. */
export interface PoolState {
  total: number
  idle: number
  /** Callers that wait for a connection. */
  waiting: number
}

/** A statement that ended. Its text has $1 in the place of each value, and never the values. */
export interface Statement {
  text: string
  seconds: number
  error?: unknown
}

/** Hooks into the work of a pool. A hook that is left out costs nothing. */
export interface StoreObserver {
  /** The pool is open. `state` reads its connections at any time. */
  opened?: (state: () => PoolState) => void
  /** A caller got its connection, or gave up waiting for one. */
  waited?: (seconds: number) => void
  /** A statement ended. Runs in the asynchronous context of its caller. */
  queried?: (statement: Statement) => void
}

export interface ConnectOptions {
  /** An address, or those of a primary and its standbys with commas between them: each connection leads to the primary. */
  url: string
  /** Shown in pg_stat_activity. */
  name: string
  connectionsMax?: number
  /** Makes every transaction read-only. */
  readOnly?: boolean
  /** How long a caller waits for a connection. */
  waitMsMax?: number
  /** How many callers may wait while none gets a connection for 2 s. A further one is turned away at once. */
  stalledWaitersMax?: number | undefined
  /** Longest statement; 0 for no limit. */
  statementMsMax?: number
  /** A connection is closed when a statement has no answer for so long; undefined to wait as long as it takes. */
  silentMsMax?: number
  /**
   * For many short reads at once: each select is parsed and planned once per connection, and not only statements that come often. No select runs in
   * parallel workers or is compiled, and the planner takes pages to be in memory or on an SSD.
   */
  prepares?: boolean
  /** Called when an idle connection breaks; the pool replaces it. */
  onConnectionLost?: (error: Error) => void
  observer?: StoreObserver | undefined
}

/** For so long no caller got a connection: PostgreSQL is away, or all connections wait for something. */
const STALLED_MS = 2_000
const WAIT_MS_MAX = 5_000
const STATEMENT_MS_MAX = 30_000

/** Opens a pool. Every session speaks UTC. A lost server fails the statements that are running, and never the process. */
export function connect(options: ConnectOptions): Database {
  const settings = ['-c timezone=UTC', '-c idle_in_transaction_session_timeout=60s']
  settings.push(`-c statement_timeout=${options.statementMsMax ?? STATEMENT_MS_MAX}`)
  if (options.readOnly) settings.push('-c default_transaction_read_only=on')
  if (options.prepares) settings.push('-c max_parallel_workers_per_gather=0 -c jit=off -c random_page_cost=1.1')
  const poolOptions = {
    connectionString: options.url,
    application_name: options.name,
    max: options.connectionsMax ?? 10,
    connectionTimeoutMillis: options.waitMsMax ?? WAIT_MS_MAX,
    options: settings.join(' '),
    keepAlive: true,
  }
  const route = routeOver(options.url)
  const clients = route.count > 1 ? { ...poolOptions, Client: clientOn(route, options.readOnly === true) } : poolOptions
  const pool = new pg.Pool(clients)
  pool.on('error', (error) => options.onConnectionLost?.(error))
  // The pool handles errors of idle connections only. A connection that breaks between two statements of a transaction would end
  // the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  const { silentMsMax } = options
  if (silentMsMax !== undefined) pool.on('connect', (client) => closeWhenSilent(client, silentMsMax))
  const isPrepared = options.prepares ? isSelect : comingOften()
  pool.on('connect', (client) => prepare(client, isPrepared))
  const { opened, waited, queried } = options.observer ?? {}
  opened?.(() => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }))
  const cancelling = cancellingClients(clients)
  const config: KyselyConfig = {
    dialect: new PostgresDialect({
      pool: {
        options: pool.options,
        connect: connecting(pool, route, options.stalledWaitersMax ?? Infinity, waited),
        end: async () => void (await Promise.all([pool.end(), cancelling.end()])),
      },
      controlClient: cancelling.Client,
    }),
  }
  return new Kysely<unknown>(queried ? { ...config, log: (event) => queried(statementOf(event)) } : config)
}

/** Gives a connection of the pool, and measures how long its caller waits for it. A transaction waits once. */
function connecting(pool: pg.Pool, route: Route, stalledWaitersMax: number, waited: (seconds: number) => void = () => undefined) {
  let lastMs = performance.now()
  return async (): Promise<pg.PoolClient> => {
    const startedMs = performance.now()
    if (pool.waitingCount === 0) lastMs = startedMs
    else if (pool.waitingCount >= stalledWaitersMax && startedMs - lastMs > STALLED_MS) {
      throw new UnavailableError(`${pool.waitingCount} others wait for a connection to the database, and none gets one`)
    }
    try {
      const client = await (route.count > 1 ? connectionToPrimary(pool, route) : pool.connect())
      lastMs = performance.now()
      return client
    } finally {
      waited((performance.now() - startedMs) / 1_000)
    }
  }
}

function statementOf(event: LogEvent): Statement {
  const statement = { text: event.query.sql, seconds: event.queryDurationMillis / 1_000 }
  return event.level === 'error' ? { ...statement, error: event.error } : statement
}
