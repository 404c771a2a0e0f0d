import { sql } from 'kysely'
import type { Queryable } from './connection.ts'
import { onlyRow } from './rows.ts'

/** Whether standbys stream from this primary, and a commit is answered before any of them has it: a failover may lose the last ones. */
export async function answersBeforeStandbys(db: Queryable): Promise<boolean> {
  const result = await sql<{ isSo: boolean }>`
    select exists (select from pg_stat_replication where coalesce(state, '') <> 'backup')
      and (current_setting('synchronous_standby_names') = '' or current_setting('synchronous_commit') in ('off', 'local')) as "isSo"`.execute(
    db,
  )
  return onlyRow(result).isSo
}
