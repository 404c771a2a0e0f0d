import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** Where a restored database is. */
export interface RestoredState {
  timeline: number
  schema: string
  lsn: string
  lastBatch: string
  /** Null before the first batch. */
  lastBatchAt: Date | null
}

export async function restoredState(db: Queryable): Promise<RestoredState> {
  return onlyRow(
    await sql<RestoredState>`
      select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer as timeline,
        pg_current_wal_lsn()::text as lsn, (select max(name) from migration) as schema,
        (select coalesce(max(batch_id), 0)::text from interaction_batch) as "lastBatch",
        (select max(received_at) from interaction_batch) as "lastBatchAt"`.execute(db),
  )
}

/** Sets the password of the user of npm start. */
export async function setPassword(db: Queryable, password: string): Promise<void> {
  await sql`alter role postgres password ${sql.lit(password)}`.execute(db)
}
