import { sql } from 'kysely'
import { type Lsn, lsnOf } from '../../contract/fields/lsn.ts'
import type { Queryable } from './connection.ts'
import { onlyRow } from './rows.ts'

/** Where the log of a primary ends. Another timeline is the log of another primary. */
export interface PrimaryEnd {
  lsn: Lsn
  timeline: number
}

/** Where the log of a primary ends; undefined on a standby. Everything that is committed, and answered, is before it. */
export async function primaryEnd(db: Queryable): Promise<PrimaryEnd | undefined> {
  const result = await sql<{ lsn: string | null; timeline: number | null }>`
    select case when not pg_is_in_recovery() then pg_current_wal_lsn()::text end as lsn,
      case when not pg_is_in_recovery() then ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer end as timeline`.execute(
    db,
  )
  const { timeline, lsn: text } = onlyRow(result)
  const lsn = fromText(text)
  return lsn === undefined || timeline === null ? undefined : { lsn, timeline }
}

/** Up to where a standby has replayed the log, and shows it to reads; undefined on a primary, also on a promoted standby. */
export async function replayedLsn(db: Queryable): Promise<Lsn | undefined> {
  const result = await sql<{ lsn: string | null }>`
    select case when pg_is_in_recovery() then pg_last_wal_replay_lsn()::text end as lsn`.execute(db)
  return fromText(onlyRow(result).lsn)
}

function fromText(text: string | null): Lsn | undefined {
  return text === null ? undefined : lsnOf(text)
}
