import { sql, Transaction } from 'kysely'
import type { Database, Queryable } from './connection.ts'

const LONG_MINUTES_MAX = 30

/** Works in the transaction that is open, or in one of its own. */
export function inTransaction<T>(db: Database | Queryable, work: (tx: Queryable) => Promise<T>): Promise<T> {
  return db instanceof Transaction ? work(db) : (db as Database).transaction().execute(work)
}

/** Raises the statement timeout to 30 minutes until the transaction ends, for statements whose time grows with the shop. */
export async function allowLongStatements(tx: Queryable): Promise<void> {
  await sql`set local statement_timeout = ${sql.lit(`${LONG_MINUTES_MAX}min`)}`.execute(tx)
}
