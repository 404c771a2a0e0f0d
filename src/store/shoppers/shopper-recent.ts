import { sql } from 'kysely'
import { SHOPPER_EVENTS_MAX, type ShopperEvent } from '../../ranking/shopper-event.ts'
import type { Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { shopperOf } from './shopper-of-event.ts'

type Sql = ReturnType<typeof sql>

/**
 * The product events of some batches, each with its shopper, in the order of the profiles' key. Feeding materialises them, and so sorts
 * them once for both tables: PostgreSQL knows the order of a materialised query.
 */
export function shopperEventsOf({ ids, from, to }: { ids: readonly string[]; from: Date; to: Date }): Sql {
  return sql`
    select ${shopperOf(sql`i.account_id`, sql`i.session_id`)} as shopper_id, i.ref_id as product_id, i.event_type, i.occurred_at,
      i.event_id, i.category, i.brand
    from interaction i
    where i.batch_id = any(${ids}::bigint[]) and i.occurred_at between ${from} and ${to} and not i.is_category
    order by shopper_id, product_id, event_type`
}

/**
 * Adds events of shoppers, but for those from before the horizon. An event is in one batch, and a batch is brought once, so no event
 * conflicts and no insert waits for another, in any order. It is fastest when events of a shopper follow each other, and shoppers are sorted.
 */
export function insertRecent(events: Sql): Sql {
  return sql`
    insert into shopper_recent (shopper_id, occurred_at, event_id, product_id, event_type, category, brand)
    select shopper_id, occurred_at, event_id, product_id, event_type, category, brand from ${events}
    where occurred_at >= (select horizon from log_horizon)`
}

/**
 * A shopper is trimmed at about one of so many of its events, because to look for a hundred events costs more than to add one. So a
 * shopper has about so many events more than 100.
 */
const TRIM_EVERY = 32

/** The shoppers of these events to trim, chosen at random: that needs no counter, and a sender cannot avoid it. */
export function shoppersToTrim(events: Sql): Sql {
  return sql`select distinct shopper_id as "shopperId" from ${events} where random() * ${sql.lit(TRIM_EVERY)} < 1`
}

/**
 * Deletes all but the newest 100 events of shoppers. Of a set, an event that 100 newer ones follow is never among the newest 100 again,
 * whatever other transactions add. It leaves rows that another transaction has locked, and so never waits. Costs one step in the index for
 * each event: rows are then found by their place (ctid), which takes a third of the time of finding them by the key. A row that an erasure
 * gave another shopper since the statement began is left too.
 */
export async function trimRecent(tx: Queryable, shopperIds: readonly string[]): Promise<void> {
  if (shopperIds.length === 0) return
  if (await isDistributed(tx)) return trimShards(tx, shopperIds)
  await sql`
    with surplus as (
      select old.place from unnest(${shopperIds}::text[]) as shopper(id) cross join lateral (
        select ctid as place from shopper_recent where shopper_id = shopper.id
        order by occurred_at desc, event_id desc offset ${SHOPPER_EVENTS_MAX}) old
    ), locked as (
      select r.ctid as place from shopper_recent r
      where r.ctid = any(array(select place from surplus)) and r.shopper_id = any(${shopperIds}::text[])
      for update skip locked
    )
    delete from shopper_recent where ctid = any(array(select place from locked))`.execute(tx)
}

/** The same in each shard by itself, where the place of a row says nothing. It waits for rows that another transaction has locked. */
async function trimShards(tx: Queryable, shopperIds: readonly string[]): Promise<void> {
  await sql`
    delete from shopper_recent r using (
      select shopper_id, occurred_at, event_id,
        row_number() over (partition by shopper_id order by occurred_at desc, event_id desc) as place
      from shopper_recent where shopper_id = any(${shopperIds}::text[])
    ) old
    where r.shopper_id = old.shopper_id and r.occurred_at = old.occurred_at and r.event_id = old.event_id
      and old.place > ${SHOPPER_EVENTS_MAX}`.execute(tx)
}

/**
 * Adds those of the newest 100 of each shopper among these events that are not there, for events that got another shopper: the other
 * events of the shopper they had may have pushed them out. The events must be of batches that were brought.
 */
export async function refillRecent(tx: Queryable, events: Sql): Promise<void> {
  await insertRecent(sql`(
    with given as materialized (${events})
    select e.* from (
      select *, row_number() over (partition by shopper_id order by occurred_at desc, event_id desc) as place from given
    ) e left join shopper_recent r using (shopper_id, occurred_at, event_id)
    where e.place <= ${SHOPPER_EVENTS_MAX} and r.shopper_id is null
    order by e.shopper_id, e.occurred_at, e.event_id) missing`).execute(tx)
}

/**
 * The newest events of a shopper whose events are kept under these ids, newest first: at most 100. Events from before the horizon are
 * left out, because the log has them no more. Costs a probe for each id and for each event.
 */
export async function recentEventsOf(db: Queryable, shopperIds: readonly string[]): Promise<ShopperEvent[]> {
  const { rows } = await sql<
    Omit<ShopperEvent, 'occurredAtMs'> & { occurredAt: Date; category: string | null; brand: string | null }
  >`
    select r.event_id as "eventId", r.occurred_at as "occurredAt", r.product_id as "productId", r.event_type as "eventType",
      r.category, r.brand
    from shopper_recent r
    where r.shopper_id = any(${shopperIds}::text[]) and r.occurred_at >= (select horizon from log_horizon)
    order by r.occurred_at desc, r.event_id desc limit ${SHOPPER_EVENTS_MAX}`.execute(db)
  return rows.map(({ occurredAt, category, brand, ...event }) => ({
    ...event,
    occurredAtMs: occurredAt.getTime(),
    ...(category !== null && { category }),
    ...(brand !== null && { brand }),
  }))
}
