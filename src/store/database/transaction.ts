import { sql } from 'kysely'
import type { Queryable } from './connection.ts'

const LONG_MINUTES_MAX = 30

/** Raises the statement timeout to 30 minutes until the transaction ends, for statements whose time grows with the shop. */
export async function allowLongStatements(tx: Queryable): Promise<void> {
  await sql`set local statement_timeout = ${sql.lit(`${LONG_MINUTES_MAX}min`)}`.execute(tx)
}
