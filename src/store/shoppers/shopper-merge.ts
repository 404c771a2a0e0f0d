import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import type { LaneMergeRequest, Merge } from '../../contract/shopper-merge.ts'
import type { Queryable } from '../database/connection.ts'
import { isNewerThan, type Tombstones, WITHOUT_KEY } from '../log/tombstone.ts'

/** A tombstone or an erasure that comes in between costs one more attempt. More than a few mean a fault. */
const ATTEMPTS_MAX = 8

/**
 * Notes that a session belongs to an account. No row moves and no lock is held, because readers resolve the redirect. A session that
 * belongs to an account keeps it, so a repeated or overlapping attempt changes nothing and gets the same answer.
 * A merge that was asked for before its person was erased would tell whose session it was, so it is refused.
 * @returns the session with its first account. Costs two index probes. @throws DecidedError (conflict) for an erased person.
 */
export async function mergeSession(
  db: Queryable,
  request: LaneMergeRequest,
  tombstones: Tombstones = WITHOUT_KEY,
): Promise<Merge> {
  const { session_id, account_id, asked_at_ms: askedAtMs } = request
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const shopperIds = [`account:${account_id}`, `session:${session_id}`]
    const { tombstoneNo, erasedUntilMs } = await tombstones.check(db, shopperIds, attempt > 1)
    if (shopperIds.some((id) => askedAtMs <= (erasedUntilMs.get(id) ?? -Infinity)))
      throw new DecidedError('conflict', 'the person was erased since this merge was asked for, so nothing was merged')
    await sql`
      insert into shopper_redirect (session_id, account_id) select ${session_id}, ${account_id} where not ${isNewerThan(tombstoneNo)}
      on conflict (session_id) do nothing`.execute(db)
    // A second statement, because RETURNING says nothing of a row that was there before.
    const { rows } = await sql<{ account_id: string; merged_at: Date }>`
      select account_id, merged_at from shopper_redirect where session_id = ${session_id}`.execute(db)
    const [row] = rows
    if (row !== undefined) return { session_id, account_id: row.account_id, merged_at: row.merged_at.toISOString() }
  }
  throw new Error(`session ${session_id} could not be merged: persons were being erased`)
}
