import { sql } from 'kysely'
import { NEWEST_RULE } from '../../ledger/callback.ts'
import type { Database } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { isLockTimeout } from '../database/sql-state.ts'

/** The name of connections that record payments by the newest rule. The release before calls its connections OLDER_NAME. */
export const RECORDING_NAME = `footfall endpoint, ledger rule ${NEWEST_RULE}`
const OLDER_NAME = 'footfall endpoint'

/** How long no older process must have been seen. Restate lets a call that waits on one of them try again within a minute. */
const QUIET_MINUTES = 10
/** An older process that still gets calls has one among the newest thousand, because Restate sends all others to this release. */
const RECENT_CALLBACKS = 1_000
/** New callbacks queue behind the change while it waits for running transactions. */
const LOCK_MS_MAX = 2_000

export interface RuleState {
  /** Whether the newest rule is in force. */
  isInForce: boolean
  /** Whether every payment is settled by it that may be settled differently. */
  isComplete: boolean
}

/**
 * Takes the newest rule into force when no process of an older release was seen for ten minutes: no connection of one, and no callback
 * that one recorded. An older process that appears later can record no callback, because a trigger refuses it.
 */
export async function takeRuleIntoForce(db: Database, quietMinutes = QUIET_MINUTES): Promise<RuleState> {
  const before = await stateOf(db)
  if (before.isInForce) return before
  await sql`
    update ledger_rule set older_seen_at = now() where rule < ${NEWEST_RULE} and (
      exists (select from pg_stat_activity where datname = current_database() and application_name = ${OLDER_NAME})
      or exists (
        select from (select rule, received_at from payment_callback order by callback_no desc limit ${RECENT_CALLBACKS}) recent
        where rule is null and received_at > now() - ${quietMinutes} * interval '1 minute'))`.execute(db)
  await changeRule(db, quietMinutes).catch((error: unknown) => {
    // The next run tries again.
    if (!isLockTimeout(error)) throw error
  })
  return stateOf(db)
}

async function stateOf(db: Database): Promise<RuleState> {
  const result = await sql<RuleState>`
    select rule >= ${NEWEST_RULE} as "isInForce", rule >= ${NEWEST_RULE} and is_complete as "isComplete" from ledger_rule`.execute(
    db,
  )
  return onlyRow(result)
}

function changeRule(db: Database, quietMinutes: number): Promise<void> {
  return db.transaction().execute(async (tx) => {
    await sql`set local lock_timeout = ${sql.lit(LOCK_MS_MAX)}`.execute(tx)
    await sql`
      update ledger_rule set rule = ${NEWEST_RULE}, is_complete = false
      where rule < ${NEWEST_RULE} and older_seen_at <= now() - ${quietMinutes} * interval '1 minute'`.execute(tx)
  })
}

/** Notes that no payment is left that an older rule settled and that the newest one may settle differently. */
export async function completeRule(db: Database): Promise<void> {
  await sql`update ledger_rule set is_complete = true where rule = ${NEWEST_RULE} and not is_complete`.execute(db)
}
