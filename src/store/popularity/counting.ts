import { sql } from 'kysely'
import type { BatchRef } from '../log/batch.ts'
import type { Queryable, Database } from '../database/connection.ts'
import { takeLock } from '../database/locks.ts'
import { productEvents } from './product-event.ts'
import { inGroupOrAlone, type GroupSize, isTaken, NOTHING, sizeOf, type Group, claimGroup, LOST } from '../log/group.ts'
import { cellsOf, daysOf, addToDay, weighed, scoreOf, trendingOf, counterColumns, countersOf, addToProduct } from './cells.ts'

/**
 * Counts a recorded batch once, together with waiting batches: hot products are then locked once per group instead of once per batch.
 * Either the whole group is counted and marked, or nothing is.
 * @returns how much was counted; nothing when the batch was counted before, and LOST when the log does not have it.
 */
export async function countBatch(db: Database, own: BatchRef): Promise<GroupSize | typeof LOST> {
  return inGroupOrAlone((othersMax) =>
    db.transaction().execute(async (tx) => {
      await takeLock(tx, 'rules', 'shared')
      const group = await claimGroup(tx, own, { done: 'scored_at', othersMax })
      if (group === undefined) return NOTHING
      if (group === LOST) return LOST
      await countGroup(tx, group)
      return sizeOf(group)
    }),
  )
}

/** Whether a batch is counted; false when the log does not have it. */
export function isCounted(db: Queryable, batch: BatchRef): Promise<boolean> {
  return isTaken(db, batch, 'scored_at')
}

/**
 * Marks the group, adds up its events per product and hour, and updates the aggregates in key order. Events of an hour that was
 * rolled up go to its day. Costs one pass over the group's rows, and one index probe per product and per product, hour and type.
 * No read comes before a write, because stored values change by SQL arithmetic.
 */
async function countGroup(tx: Queryable, group: Group): Promise<void> {
  await sql`
    with scored as (
      update interaction_batch set scored_at = now() where batch_id = any(${group.ids}::bigint[])
    ), cell as materialized (${cellsOf(eventsOf(group))}
    ), hours as (
      insert into product_hour as h (product_id, hour, event_type, events, decayed)
      select product_id, hour, event_type, events, decayed from cell
      where hour >= (select rolled_to from popularity_rules) order by product_id, hour, event_type
      on conflict (product_id, hour, event_type) do update
        set events = h.events + excluded.events, decayed = h.decayed + excluded.decayed
    ), days as (
      insert into product_day as d (product_id, day, event_type, events, decayed)
      ${daysOf(sql`(select * from cell where hour < (select rolled_to from popularity_rules))`)}
      ${addToDay}
    )
    insert into product_popularity as p (product_id, score_micros, trending,
      ${counterColumns}, interaction_count, last_interaction, date_updated)
    select c.product_id, ${scoreOf}, ${trendingOf}, ${countersOf}, sum(c.events), max(c.last_at), now()
    from cell c cross join popularity_rules r ${weighed}
    group by c.product_id order by c.product_id
    ${addToProduct}`.execute(tx)
}

/** The events of the group. Tables without a batch in the group cost nothing. */
function eventsOf({ ids, from, to, kinds }: Group): ReturnType<typeof sql> {
  return productEvents(kinds, sql`log.batch_id = any(${ids}::bigint[]) and log.occurred_at between ${from} and ${to}`)
}
