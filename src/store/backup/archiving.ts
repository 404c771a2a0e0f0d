import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** Whether PostgreSQL can archive its write-ahead log. */
export interface Archiving {
  isFailing: boolean
  /** The file that it tries to archive; null before the first failure. */
  file: string | null
}

export async function archivingState(db: Queryable): Promise<Archiving> {
  return onlyRow(
    await sql<Archiving>`
      select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as "isFailing", last_failed_wal as file
      from pg_stat_archiver`.execute(db),
  )
}
