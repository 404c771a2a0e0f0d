import { sql } from 'kysely'
import { invalidField } from '../../contract/decided-error.ts'
import { audit, SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { takeLock } from '../database/locks.ts'
import { onlyRow } from '../database/rows.ts'
import { LANES } from '../log/waiting.ts'

export const LANE_COUNTS = [1, 2, 4, 8, 16, 32, 64] as const

/** In how many lanes products are counted, and batches fed. */
export async function lanesOf(db: Queryable): Promise<number> {
  return onlyRow(await sql<{ lanes: number }>`select ${LANES} as lanes`.execute(db)).lanes
}

/**
 * Changes the number of lanes, under the exclusive rules lock: transactions that count end before, or begin after it. A batch keeps which of its slots
 * are counted, and a slot is in one lane whatever their number, so that batches that wait are counted once.
 * @returns the number of before.
 */
export function changeLanes(db: Database, lanes: number, actor = SYSTEM_ACTOR): Promise<number> {
  if (!LANE_COUNTS.some((count) => count === lanes)) throw invalidField('lanes', `must be one of ${LANE_COUNTS.join(', ')}`)
  return db.transaction().execute(async (tx) => {
    await takeLock(tx, 'rules', 'exclusive')
    const before = await lanesOf(tx)
    if (before === lanes) return before
    await sql`update popularity_rules set lanes = ${lanes}`.execute(tx)
    await audit(tx, { actor, action: 'lanes.change', resourceType: 'lanes', resourceId: String(lanes), metadata: { before } })
    return before
  })
}
