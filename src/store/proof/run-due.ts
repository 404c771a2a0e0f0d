import { sql } from 'kysely'
import { SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import type { Database } from '../database/connection.ts'
import { findVerification } from './run-list.ts'
import { openVerification } from './run-machine.ts'

/**
 * Requests a run unless one was requested since an instant, by a caller or by Footfall. A repeated attempt finds its own run.
 * @returns whether the run of this id is to be executed.
 */
export async function requestDueVerification(db: Database, runId: string, sinceMs: number): Promise<boolean> {
  if ((await findVerification(db, runId)) !== undefined) return true
  const { rows } = await sql`
    select from verification_run where requested_at >= to_timestamp(${sinceMs / 1_000}::float8) limit 1`.execute(db)
  if (rows.length > 0) return false
  return (await openVerification(db, runId, { actor: SYSTEM_ACTOR })) === runId
}
