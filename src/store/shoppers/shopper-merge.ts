import { sql } from 'kysely'
import type { LaneMergeRequest, Merge } from '../../contract/shopper-merge.ts'
import type { Queryable } from '../database/connection.ts'

/**
 * Notes that a session belongs to an account. No row moves and no lock is held, because readers resolve the redirect. A session that
 * belongs to an account keeps it, so a repeated or overlapping attempt changes nothing and gets the same answer.
 * @returns the session with its first account. Costs two index probes.
 */
export async function mergeSession(db: Queryable, { session_id, account_id }: LaneMergeRequest): Promise<Merge> {
  await sql`
    insert into shopper_redirect (session_id, account_id) values (${session_id}, ${account_id})
    on conflict (session_id) do nothing`.execute(db)
  // A second statement, because RETURNING says nothing of a row that was there before.
  const { rows } = await sql<{ account_id: string; merged_at: Date }>`
    select account_id, merged_at from shopper_redirect where session_id = ${session_id}`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error(`the redirect of session ${session_id} was deleted while it was merged`)
  return { session_id, account_id: row.account_id, merged_at: row.merged_at.toISOString() }
}
