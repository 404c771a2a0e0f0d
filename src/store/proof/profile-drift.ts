import { sql } from 'kysely'
import { isCountedIn, UNFED_TYPES } from '../popularity/product-event.ts'
import { shopperOf } from '../shoppers/shopper-of-event.ts'
import { type Aggregate, compare, type Comparison, exact, joined } from './drift.ts'

/** Every fed product event of the log as cells of shopper, product and type. */
const replayedProfiles = sql`
  select ${shopperOf(sql`i.account_id`, sql`i.session_id`)} as shopper_id, i.ref_id as product_id, i.event_type,
    count(*)::int as events, max(i.occurred_at) as last_at
  from interaction i join interaction_batch b using (batch_id) cross join log_horizon l
  where not i.is_category and b.fed_at is not null and i.occurred_at >= l.horizon
  group by 1, 2, 3`

const TABLE = 'shopper_product'
const KEY = ['shopper_id', 'product_id', 'event_type']

const WHOLE_LOG: Comparison = {
  table: TABLE,
  key: KEY,
  stored: sql`select * from shopper_product`,
  expected: replayedProfiles,
  cells: [exact('events'), exact('last_at')],
}

/** When part of the log is gone, profiles must have at least what is replayed. */
const CUT_LOG: Comparison = {
  table: TABLE,
  key: KEY,
  stored: sql`
    select p.* from shopper_product p cross join log_horizon l left join (${replayedProfiles}) x
      using (shopper_id, product_id, event_type)
    where p.last_at >= l.horizon or x.events is not null`,
  cells: [{ column: 'events', differs: sql`s.events < e.events` }, exact('last_at')],
  expected: replayedProfiles,
}

/**
 * All profiles of a product and type together, compared with its hours and days. Batches that were only counted or only fed are read
 * from the log: a month with such a batch is not dropped. No profile has what searches showed.
 */
const SUMS: Comparison = {
  table: TABLE,
  key: ['product_id', 'event_type'],
  stored: sql`select product_id, event_type, sum(events)::bigint as events from shopper_product
    where event_type <> all(${Object.values(UNFED_TYPES)}::text[]) group by 1, 2`,
  expected: sql`
    select product_id, event_type, sum(events)::bigint as events from (
      select product_id, event_type, events from product_cell
      union all
      select i.ref_id, i.event_type, case when b.fed_at is null then -1 else 1 end
      from interaction i join interaction_batch b using (batch_id)
      where (b.scored_at is null or b.fed_at is null) and ${isCountedIn(sql`i.ref_id`)} <> (b.fed_at is not null) and not i.is_category
    ) c where event_type <> all(${Object.values(UNFED_TYPES)}::text[]) group by 1, 2 having sum(events) <> 0`,
  cells: [exact('events')],
}

export const SHOPPER_PRODUCT: Aggregate = {
  table: TABLE,
  key: KEY,
  cells: WHOLE_LOG.cells.map(({ column }) => column),
  prove: async (tx, { isCut }) =>
    isCut ? joined([await compare(tx, CUT_LOG), await compare(tx, SUMS)]) : compare(tx, WHOLE_LOG),
}
