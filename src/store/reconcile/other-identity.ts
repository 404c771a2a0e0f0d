import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** Which database this is, next to another one. */
export interface DatabaseIdentity {
  systemIdentifier: string
  /** Differs after each start of a server, also from that of its standbys and copies. */
  startedAt: string
  database: string
  isStandby: boolean
  timeline: number
  /** When its first tables were made: the same in each copy of a shop, and another one in another shop. */
  madeAt: string
  /** The newest file of sql/ that was applied. */
  schema: string
}

/** A standby follows its primary, and says the timeline of its last restart point. */
export async function databaseIdentity(db: Queryable): Promise<DatabaseIdentity> {
  const result = await sql<DatabaseIdentity>`
    select s.system_identifier::text as "systemIdentifier", pg_postmaster_start_time()::text as "startedAt", current_database() as database,
      pg_is_in_recovery() as "isStandby", (select min(applied_at)::text from migration) as "madeAt",
      (select max(name) from migration) as schema,
      case when pg_is_in_recovery() then (select timeline_id from pg_control_checkpoint())
        else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer end as timeline
    from pg_control_system() s`.execute(db)
  return onlyRow(result)
}
