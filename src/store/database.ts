import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import pg from 'pg'

/** An open pool: what the other rooms hold and hand to the store's functions. */
export type Store = Kysely<unknown>

/** What a question takes: a connection pool or an open transaction. Rows are typed at each question. */
export type Database = Store | Transaction<unknown>

export interface ConnectOptions {
  url: string
  /** Shown in pg_stat_activity. */
  name: string
  connectionsMax?: number
  /** Every transaction refuses to write. */
  readOnly?: boolean
  /** Longest statement; 0 for no limit. */
  statementMsMax?: number
  /** Called when an idle connection breaks; the pool replaces it. */
  onConnectionLost?: (error: Error) => void
}

const CONNECT_MS_MAX = 5_000
const STATEMENT_MS_MAX = 30_000

/** Opens a pool. Every session speaks UTC; a lost server is an error of the question that was asked, never of the process. */
export function connect(options: ConnectOptions): Store {
  const settings = ['-c timezone=UTC', '-c idle_in_transaction_session_timeout=60s']
  settings.push(`-c statement_timeout=${options.statementMsMax ?? STATEMENT_MS_MAX}`)
  if (options.readOnly) settings.push('-c default_transaction_read_only=on')
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.name,
    max: options.connectionsMax ?? 10,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    options: settings.join(' '),
    keepAlive: true,
  })
  pool.on('error', (error) => options.onConnectionLost?.(error))
  // The pool listens to idle connections only: one that breaks between two statements of a transaction would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
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

/** A partition that does not exist is reported as 23514 that names no constraint. */
export function isMissingPartition(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23514' && error.constraint === undefined
}
