import { sql } from 'kysely'
import { type Lsn, lsnOf } from '../../contract/fields/lsn.ts'
import type { Queryable } from './connection.ts'
import { onlyRow } from './rows.ts'

/** Where the log of a primary ends; undefined on a standby. Everything that is committed, and answered, is before it. */
export async function primaryLsn(db: Queryable): Promise<Lsn | undefined> {
  const result = await sql<{ lsn: string | null }>`
    select case when not pg_is_in_recovery() then pg_current_wal_lsn()::text end as lsn`.execute(db)
  return fromText(onlyRow(result).lsn)
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
