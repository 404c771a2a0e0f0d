import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'

/** Works without a statement timeout, because filling and checking large databases takes longer than any statement of Footfall may. */
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
