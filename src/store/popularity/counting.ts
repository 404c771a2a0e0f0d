import { sql } from 'kysely'
import { addRows } from '../database/add-rows.ts'
import type { BatchRef } from '../log/batch.ts'
import type { Queryable, Database } from '../database/connection.ts'
import { takeLock } from '../database/locks.ts'
import { productEvents } from './product-event.ts'
import { type Group, type GroupSize, lockToMark, mustHaveMarked, sizeOf } from '../log/group.ts'
import { isTaken, type LOST } from '../log/waiting.ts'
import { ALL_SLOTS, isInSlots, slotsValue } from '../log/slots.ts'
import { type Taken, type TakeOptions, takeWaiting } from '../log/take-waiting.ts'
import { cellsOf, daysOf, addToDay, weighed, scoreOf, trendingOf, countersOf, HOURS, PRODUCTS } from './cells.ts'

type Sql = ReturnType<typeof sql>

/**
 * Counts a recorded batch once, together with waiting batches: hot products are then locked once per group instead of once per batch.
 * Either the whole group is counted and marked, or nothing is.
 * @returns how much was counted; nothing when the batch was counted before, and LOST when the log does not have it.
 */
export function countBatch(db: Database, own: BatchRef, options?: TakeOptions): Promise<Taken | typeof LOST> {
  const begin = (tx: Queryable) => takeLock(tx, 'rules', 'shared')
  return takeWaiting(db, own, { name: 'counting', done: 'scored_at', begin, take: countGroup }, options)
}

/** Whether a batch is counted; false when the log does not have it. */
export function isCounted(db: Queryable, batch: BatchRef): Promise<boolean> {
  return isTaken(db, batch, 'scored_at')
}

async function countGroup(tx: Queryable, group: Group, isAlone: boolean): Promise<GroupSize> {
  return group.slots === undefined ? countWhole(tx, group, isAlone) : countSlots(tx, group, group.slots, isAlone)
}

async function countWhole(tx: Queryable, group: Group, isAlone: boolean): Promise<GroupSize> {
  await sql`with ${addedTo(cellsOf(eventsOf(group)), sql`now()`, isAlone)}`.execute(tx)
  await lockToMark(tx, group)
  const { numAffectedRows } = await sql`
    update interaction_batch set scored_at = now() where batch_id = any(${group.ids}::bigint[]) and scored_at is null`.execute(tx)
  mustHaveMarked(group, Number(numAffectedRows))
  return sizeOf(group)
}

/** Counts the events of some slots. @returns the batches of which no slot waits any more. */
async function countSlots(tx: Queryable, group: Group, slots: bigint, isAlone: boolean): Promise<GroupSize> {
  const cells = cellsOf(eventsInSlots(group, slots), sql`, max(e.counted_at) as counted_at`)
  await sql`with ${addedTo(cells, sql`max(c.counted_at)`, isAlone)}`.execute(tx)
  await lockToMark(tx, group)
  const { rows } = await sql<{ events: number; isDone: boolean }>`
    update interaction_batch set counted_slots = counted_slots | ${slotsValue(slots)},
      scored_at = case when coalesce(product_slots, ${slotsValue(ALL_SLOTS)}) & ~(counted_slots | ${slotsValue(slots)}) = 0 then now() end
    where batch_id = any(${group.ids}::bigint[]) and scored_at is null and counted_slots & ${slotsValue(slots)} = 0
    returning events, scored_at is not null as "isDone"`.execute(tx)
  mustHaveMarked(group, rows.length)
  const done = rows.filter(({ isDone }) => isDone)
  return { batches: done.length, events: done.reduce((sum, { events }) => sum + events, 0) }
}

/**
 * Adds cells to the aggregates in key order. Those of an hour that was rolled up go to its day. Costs one pass over the group's rows, and one index probe per product and per product, hour and type.
 * Stored values change by SQL arithmetic, and the days as those of a roll-up at the same time.
 */
function addedTo(cells: Sql, countedAt: Sql, isAlone: boolean): Sql {
  const hours = sql`
      select product_id, hour, event_type, events, decayed from cell
      where hour >= (select rolled_to from popularity_rules) order by product_id, hour, event_type`
  const products = sql`
    select c.product_id, ${scoreOf}, ${trendingOf}, ${countersOf}, sum(c.events), max(c.last_at), ${countedAt}
    from cell c cross join popularity_rules r ${weighed}
    group by c.product_id order by c.product_id`
  return sql`cell as materialized (${cells}
    ), hours as (${addRows(HOURS, hours, { isAlone })}
    ), days as (
      insert into product_day as d (product_id, day, event_type, events, decayed)
      ${daysOf(sql`(select * from cell where hour < (select rolled_to from popularity_rules))`)}
      ${addToDay}
    )
    ${addRows(PRODUCTS, products, { isAlone })}`
}

/** The events of the group. Tables without a batch in the group cost nothing. */
function eventsOf({ ids, from, to, kinds }: Group): Sql {
  return productEvents(kinds, sql`log.batch_id = any(${ids}::bigint[]) and log.occurred_at between ${from} and ${to}`)
}

/**
 * Those of some slots. Each is counted when its batch was received: the lanes of a batch count it at different times, of which the batch keeps only
 * the last one. That time is found by the batch's place, because a join without hashes would compare each event with all batches.
 */
function eventsInSlots(group: Group, slots: bigint): Sql {
  const place = sql`array_position(${group.ids}::bigint[], log.batch_id)`
  return sql`
    select log.*, (${group.receivedAt}::timestamptz[])[${place}] as counted_at from (${eventsOf(group)}) log
    where ${isInSlots(slotsValue(slots), sql`log.product_id`)}`
}
