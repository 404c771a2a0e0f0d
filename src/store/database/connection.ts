import { createHash } from 'node:crypto'
import { Kysely, type KyselyConfig, type LogEvent, PostgresDialect, type PostgresPool, sql, type Transaction } from 'kysely'
import pg from 'pg'

/** An open pool: what the other rooms hold and hand to the store's functions. */
export type Database = Kysely<unknown>

/** What a question takes: a connection pool or an open transaction. Rows are typed at each question. */
export type Queryable = Database | Transaction<unknown>

/** The connections of a pool at a moment. */
export interface PoolState {
  total: number
  idle: number
  /** Questions that wait for a connection. */
  waiting: number
}

/** A statement that ended: its text with $1 in the place of each value, never the values. */
export interface Statement {
  text: string
  seconds: number
  error?: unknown
}

/** What a pool tells of its work as it happens. What is left out costs nothing. */
export interface StoreObserver {
  /** The pool is there; what it hands over tells its state whenever it is asked. */
  opened?: (state: () => PoolState) => void
  /** A question got its connection, or gave up waiting for one. */
  waited?: (seconds: number) => void
  /** Called in the asynchronous context of whoever asked. */
  queried?: (statement: Statement) => void
}

export interface ConnectOptions {
  url: string
  /** Shown in pg_stat_activity. */
  name: string
  connectionsMax?: number
  /** Every transaction refuses to write. */
  readOnly?: boolean
  /** How long a question waits for a connection. */
  waitMsMax?: number
  /** Longest statement; 0 for no limit. */
  statementMsMax?: number
  /**
   * For many short questions at once: each select is parsed and planned once per connection, none is spread over several
   * processes or compiled, and pages are taken to be in memory or on a disk without arms.
   */
  prepares?: boolean
  /** Called when an idle connection breaks; the pool replaces it. */
  onConnectionLost?: (error: Error) => void
  observer?: StoreObserver | undefined
}

const WAIT_MS_MAX = 5_000
const STATEMENT_MS_MAX = 30_000

/** Opens a pool. Every session speaks UTC; a lost server is an error of the question that was asked, never of the process. */
export function connect(options: ConnectOptions): Database {
  const settings = ['-c timezone=UTC', '-c idle_in_transaction_session_timeout=60s']
  settings.push(`-c statement_timeout=${options.statementMsMax ?? STATEMENT_MS_MAX}`)
  if (options.readOnly) settings.push('-c default_transaction_read_only=on')
  if (options.prepares) settings.push('-c max_parallel_workers_per_gather=0 -c jit=off -c random_page_cost=1.1')
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.name,
    max: options.connectionsMax ?? 10,
    connectionTimeoutMillis: options.waitMsMax ?? WAIT_MS_MAX,
    options: settings.join(' '),
    keepAlive: true,
  })
  pool.on('error', (error) => options.onConnectionLost?.(error))
  // The pool listens to idle connections only: one that breaks between two statements of a transaction would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  if (options.prepares) pool.on('connect', prepareReads)
  const { opened, waited, queried } = options.observer ?? {}
  opened?.(() => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }))
  const config: KyselyConfig = { dialect: new PostgresDialect({ pool: waited ? timedPool(pool, waited) : pool }) }
  return new Kysely<unknown>(queried ? { ...config, log: (event) => queried(statementOf(event)) } : config)
}

/** The top list takes PostgreSQL 65 µs of CPU with this, and 160 without. */
function prepareReads(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (config: unknown, values?: unknown) => Promise<pg.QueryResult>
  const ask = (config: unknown, values?: unknown) =>
    typeof config === 'string' && /^\s*select\b/.test(config)
      ? query({ name: nameOfStatement(config), text: config, values })
      : query(config, values)
  client.query = ask as typeof client.query
}

const statementNames = new Map<string, string>()

function nameOfStatement(text: string): string {
  const name = statementNames.get(text) ?? createHash('sha256').update(text).digest('base64url')
  statementNames.set(text, name)
  return name
}

/** The pool with a watch on its door. A transaction waits once. */
function timedPool(pool: pg.Pool, waited: (seconds: number) => void): PostgresPool {
  const connectTimed = async () => {
    const startedAt = performance.now()
    try {
      return await pool.connect()
    } finally {
      waited((performance.now() - startedAt) / 1_000)
    }
  }
  return { Client: pg.Client, options: pool.options, connect: connectTimed, end: () => pool.end() }
}

function statementOf(event: LogEvent): Statement {
  const statement = { text: event.query.sql, seconds: event.queryDurationMillis / 1_000 }
  return event.level === 'error' ? { ...statement, error: event.error } : statement
}

const LONG_MINUTES_MAX = 30

/** For the rest of a transaction: for the few statements that take longer the larger the shop is. */
export async function allowLongStatements(tx: Queryable): Promise<void> {
  await sql`set local statement_timeout = ${sql.lit(`${LONG_MINUTES_MAX}min`)}`.execute(tx)
}

/** The SQLSTATE of an error that PostgreSQL reported; undefined for any other. */
function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}

/** Whether the error says that PostgreSQL is away or overloaded (classes 08, 53, 57), and not that the question was wrong. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const state = sqlState(error)
  if (state !== undefined) return /^(08|53|57)/.test(state)
  return (
    /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOTFOUND)/.test(('code' in error && String(error.code)) || '') ||
    /Connection terminated|timeout exceeded when trying to connect|connection error|not queryable/i.test(error.message)
  )
}

/** SQLSTATE classes 22 (data) and 23 (constraint): a row is at fault, and repeating does not help. */
export function isRefusal(error: unknown): boolean {
  return /^2[23]/.test(sqlState(error) ?? '')
}

/** Whether a time zone is not known. PostgreSQL says the same of other parameters that are not valid. */
export function isUnknownTimeZone(error: unknown): boolean {
  return sqlState(error) === '22023'
}

/** Whether a table is not there, because sql/ was not applied. */
export function lacksTables(error: unknown): boolean {
  return sqlState(error) === '42P01'
}

/** Whether the user, the password or the database is wrong. */
export function isRefusedLogin(error: unknown): boolean {
  return ['28000', '28P01', '3D000'].includes(sqlState(error) ?? '')
}

/** Whether the user may not do this. */
export function isDenied(error: unknown): boolean {
  return sqlState(error) === '42501'
}

/** A partition that does not exist is reported as 23514 that names no constraint. */
export function isMissingPartition(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23514' && error.constraint === undefined
}

/** Two transactions waited for each other, and this one was ended. */
export function isDeadlock(error: unknown): boolean {
  return sqlState(error) === '40P01'
}

/** lock_timeout was reached. */
export function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === '55P03'
}

/** Whether a PostgreSQL answers there. */
export async function isAnswering(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}
