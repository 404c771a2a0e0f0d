import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'

/** Preparations and proofs of large databases take longer than any statement of the product may. */
export function withoutTimeout<T>(db: Database, work: (db: Database) => Promise<T>): Promise<T> {
  return db.connection().execute(async (connection) => {
    await sql`set statement_timeout = 0`.execute(connection)
    try {
      return await work(connection)
    } finally {
      await sql`reset statement_timeout`.execute(connection)
    }
  })
}
