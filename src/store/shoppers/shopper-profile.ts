import { sql } from 'kysely'
import type { BatchRef } from '../log/batch.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { claimGroup, type Group, type GroupSize, inGroupOrAlone, isTaken, LOST, NOTHING, sizeOf } from '../log/group.ts'
import { insertRecent, shopperEventsOf, shoppersToTrim, trimRecent } from './shopper-recent.ts'

/**
 * Adds a recorded batch to the profiles and the recent events of shoppers once, together with waiting batches, as counting does.
 * @returns how much was fed; nothing when the batch was fed before, and LOST when the log does not have it.
 */
export async function feedBatch(db: Database, own: BatchRef): Promise<GroupSize | typeof LOST> {
  return inGroupOrAlone((othersMax) =>
    db.transaction().execute(async (tx) => {
      const group = await claimGroup(tx, own, { done: 'fed_at', othersMax })
      if (group === undefined) return NOTHING
      if (group === LOST) return LOST
      await trimRecent(tx, await feedGroup(tx, group))
      return sizeOf(group)
    }),
  )
}

/** Whether a batch is fed; false when the log does not have it. */
export function isFed(db: Queryable, batch: BatchRef): Promise<boolean> {
  return isTaken(db, batch, 'fed_at')
}

/**
 * Marks the group, and adds its events to the profiles and to the recent events, in the order of the keys. Costs one pass over the group's
 * rows, an index probe for each shopper, product and type, and one for each event.
 * @returns the shoppers to trim.
 */
async function feedGroup(tx: Queryable, group: Group): Promise<string[]> {
  const { rows } = await sql<{ shopperId: string }>`
    with fed as (
      update interaction_batch set fed_at = now(), recent_at = now() where batch_id = any(${group.ids}::bigint[])
    ), event as materialized (${shopperEventsOf(group)}
    ), profile as (
      insert into shopper_product as s (shopper_id, product_id, event_type, events, last_at)
      select shopper_id, product_id, event_type, count(*)::int, max(occurred_at) from event
      group by 1, 2, 3 order by 1, 2, 3
      on conflict (shopper_id, product_id, event_type) do update
        set events = s.events + excluded.events, last_at = greatest(s.last_at, excluded.last_at)
    ), recent as (${insertRecent(sql`event`)})
    ${shoppersToTrim(sql`event`)}`.execute(tx)
  return rows.map(({ shopperId }) => shopperId)
}
