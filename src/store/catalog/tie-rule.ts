import { sql } from 'kysely'
import type { Database } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { isLockTimeout } from '../database/sql-state.ts'

/** The newest rule for versions of the same time: a deleted one is newer, then the one with the larger JSON text. */
const NEWEST_RULE = 2

/** Ends the name of connections that know rule 2. The releases before end theirs as in OLDER_NAMES, which the migration names too. */
export const TIE_RULE_NAME = `tie rule ${NEWEST_RULE}`
const OLDER_NAMES = ['footfall endpoint', 'footfall endpoint, ledger rule 2']

/** How long no older process must have been seen. Restate lets a call that waits on one of them try again within a minute. */
const QUIET_MINUTES = 10
/** Products that are written queue behind the change while it waits for running transactions. */
const LOCK_MS_MAX = 2_000

/**
 * Takes the newest rule into force when no connection of an older release was seen for ten minutes. An older process that appears
 * later can write no product, because a trigger refuses it. @returns whether the newest rule is in force.
 */
export async function takeTieRuleIntoForce(db: Database, quietMinutes = QUIET_MINUTES): Promise<boolean> {
  if (await isInForce(db)) return true
  await sql`
    update product_tie_rule set older_seen_at = now() where rule < ${NEWEST_RULE} and exists (
      select from pg_stat_activity where datname = current_database() and application_name = any(${OLDER_NAMES}::text[]))`.execute(
    db,
  )
  await changeRule(db, quietMinutes).catch((error: unknown) => {
    // The next run tries again.
    if (!isLockTimeout(error)) throw error
  })
  return isInForce(db)
}

async function isInForce(db: Database): Promise<boolean> {
  const result = await sql<{ isInForce: boolean }>`
    select rule >= ${NEWEST_RULE} as "isInForce" from product_tie_rule`.execute(db)
  return onlyRow(result).isInForce
}

function changeRule(db: Database, quietMinutes: number): Promise<void> {
  return db.transaction().execute(async (tx) => {
    await sql`set local lock_timeout = ${sql.lit(LOCK_MS_MAX)}`.execute(tx)
    await sql`
      update product_tie_rule set rule = ${NEWEST_RULE}
      where rule < ${NEWEST_RULE} and older_seen_at <= now() - ${quietMinutes} * interval '1 minute'`.execute(tx)
  })
}
