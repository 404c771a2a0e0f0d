import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** The id under which this database archives. The pseudonyms in a month lead to shoppers only with the keys of the database that archived it. */
export async function archiveIdOf(db: Queryable): Promise<string> {
  return onlyRow(await sql<{ id: string }>`select archive_id as id from archive_identity`.execute(db)).id
}
