import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

/** The shopper ids that a run erases, until it ends. */
export async function shopperIdsOfRun(db: Queryable, runId: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select shopper_id as id from erasure_shopper where run_id = ${runId}::uuid order by 1`.execute(db)
  return rows.map(({ id }) => id)
}
