import { sql } from 'kysely'
import { kindsWith, type KindWith } from '../../contract/kinds.ts'
import { isInSlots } from '../log/slots.ts'
import { SEARCH_IMPRESSION } from '../../contract/search.ts'

type Sql = ReturnType<typeof sql>

/** The types that kinds of events outside the profiles are counted under. */
export const UNFED_TYPES: Record<Exclude<KindWith<'isBatched'>, KindWith<'isFed'>>, string> = { search: SEARCH_IMPRESSION }

/**
 * The events of products in each table of the log, for a condition on its rows `log`. Counting, rescores and `verify` all use it. A
 * search is an event of each product that it showed, like an interaction of the type search_impression.
 */
const PRODUCT_EVENTS: Record<KindWith<'isBatched'>, (condition: Sql) => Sql> = {
  interaction: (condition) => sql`
    select log.ref_id as product_id, log.occurred_at, log.event_type, log.batch_id
    from interaction log where not log.is_category and ${condition}`,

  search: (condition) => sql`
    select shown.product_id, log.occurred_at, ${sql.lit(UNFED_TYPES.search)}::text collate "C" as event_type, log.batch_id
    from search log cross join unnest(log.product_ids) as shown(product_id) where ${condition}`,
}

/** The events of products in some tables of the log. */
export function productEvents(kinds: Iterable<KindWith<'isBatched'>>, condition: Sql): Sql {
  return sql.join(
    [...kinds].sort().map((kind) => PRODUCT_EVENTS[kind](condition)),
    sql` union all `,
  )
}

/** Whether an event of this product in a batch b is counted: with the batch, or with its slot. */
export function isCountedIn(productId: Sql): Sql {
  return sql`(b.scored_at is not null or ${isInSlots(sql`b.counted_slots`, productId)})`
}

/** Every counted event of a product, and when it was counted. */
export const countedEvents = sql`
  select log.product_id, log.occurred_at, log.event_type,
    case when b.counted_slots = 0 then b.scored_at else b.received_at end as counted_at
  from (${productEvents(kindsWith('isBatched'), sql`true`)}) log
    join interaction_batch b on b.batch_id = log.batch_id
  where ${isCountedIn(sql`log.product_id`)}`
