import { sql } from 'kysely'
import { addRows, latest, plus, type Sums } from '../database/add-rows.ts'
import type { BatchRef } from '../log/batch.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { type Group, lockToMark, mustHaveMarked, sizeOf } from '../log/group.ts'
import { isTaken, type LOST } from '../log/waiting.ts'
import { type Taken, type TakeOptions, takeWaiting } from '../log/take-waiting.ts'
import { insertRecent, shopperEventsOf, shoppersToTrim, trimRecent } from './shopper-recent.ts'

/**
 * Adds a recorded batch to the profiles and the recent events of shoppers once, together with waiting batches, as counting does.
 * @returns how much was fed; nothing when the batch was fed before, and LOST when the log does not have it.
 */
export function feedBatch(db: Database, own: BatchRef, options?: TakeOptions): Promise<Taken | typeof LOST> {
  const take = async (tx: Queryable, group: Group, isAlone: boolean) => {
    await trimRecent(tx, await feedGroup(tx, group, isAlone))
    await markFed(tx, group)
    return sizeOf(group)
  }
  return takeWaiting(db, own, { name: 'feeding', done: 'fed_at', haveLanesCommonRows: true, take }, options)
}

/** Whether a batch is fed; false when the log does not have it. */
export function isFed(db: Queryable, batch: BatchRef): Promise<boolean> {
  return isTaken(db, batch, 'fed_at')
}

const PROFILES: Sums = {
  table: 'shopper_product',
  key: ['shopper_id', 'product_id', 'event_type'],
  columns: { events: plus, last_at: latest },
}

/**
 * Adds the group's events to the profiles and to the recent events, in the order of the keys. Costs one pass over the group's
 * rows, an index probe for each shopper, product and type, and one for each event.
 * @returns the shoppers to trim.
 */
async function feedGroup(tx: Queryable, group: Group, isAlone: boolean): Promise<string[]> {
  const sums = sql`
      select shopper_id, product_id, event_type, count(*)::int, max(occurred_at) from event
      group by 1, 2, 3 order by 1, 2, 3`
  const { rows } = await sql<{ shopperId: string }>`
    with event as materialized (${shopperEventsOf(group)}
    ), profile as (${addRows(PROFILES, sums, { isAlone })}
    ), recent as (${insertRecent(sql`event`)})
    ${shoppersToTrim(sql`event`)}`.execute(tx)
  return rows.map(({ shopperId }) => shopperId)
}

async function markFed(tx: Queryable, group: Group): Promise<void> {
  await lockToMark(tx, group)
  const { numAffectedRows } = await sql`
    update interaction_batch set fed_at = now(), recent_at = now()
    where batch_id = any(${group.ids}::bigint[]) and fed_at is null`.execute(tx)
  mustHaveMarked(group, Number(numAffectedRows))
}
