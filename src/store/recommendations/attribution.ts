import { sql } from 'kysely'
import { ATTRIBUTED_TYPES } from '../../contract/recommendation-metrics.ts'
import { shopperOf } from '../shoppers/shopper-of-event.ts'
import { SESSIONS_MAX } from '../../ranking/shopper-event.ts'

/** The events of impressions from an instant on. */
export interface AttributionRange {
  /** The first instant of the impressions, as RFC 3339. */
  from: string
  /** How long after an impression an event that names none follows from it. */
  hours: number
}

type Sql = ReturnType<typeof sql>

const UUID = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'

/** Every event of the log that may follow from an impression of the range. A clock of a sender may be behind by a day. */
const events = (from: string): Sql => sql`
  select i.occurred_at, i.event_id, i.event_type, i.ref_id as product_id, i.account_id, i.session_id,
    ${shopperOf(sql`i.account_id`, sql`i.session_id`)} as shopper_id,
    case when i.metadata ->> 'recommendation_id' ~* ${UUID} then (i.metadata ->> 'recommendation_id')::uuid end as named,
    case when i.event_type = ${ATTRIBUTED_TYPES.purchase} then i.metadata ->> 'order_id' end as order_id
  from interaction i
  where i.occurred_at >= ${from}::timestamptz - interval '1 day' and not i.is_category
    and i.event_type = any(${Object.values(ATTRIBUTED_TYPES)}::text[])`

/**
 * The ids under which products may have been shown to the shopper of event e: the account with its sessions, and the session of the event
 * unless that belongs to another account.
 */
const shoppersOfEvent = sql`array(
  select 'account:' || e.account_id where e.account_id is not null
  union all
  select 'session:' || e.session_id where e.session_id is not null and (e.account_id is null or not exists (
    select from shopper_redirect r where r.session_id = e.session_id and r.account_id <> e.account_id))
  union all
  select 'account:' || r.account_id from shopper_redirect r where e.account_id is null and r.session_id = e.session_id
  union all
  (select 'session:' || o.session_id from shopper_redirect o
    where o.account_id = coalesce(e.account_id, (select r.account_id from shopper_redirect r where r.session_id = e.session_id))
    order by o.merged_at desc, o.session_id limit ${sql.lit(SESSIONS_MAX)}))`

/**
 * Each event of the log with the impression of the range that it follows from, once at most: the one that it names; for an event that names
 * none, the latest one that showed its product to its shopper in the hours before it. Costs a pass over the log from the first day on, and
 * an index probe for each click, cart and purchase.
 */
export function attributedEvents({ from, hours }: AttributionRange): Sql {
  return sql`
    select e.*, p.recommendation_id, p.shown_at, p.strategy, p.blend, p.similarity_version
    from (${events(from)}) e cross join lateral (
      select p.* from impression p
      where p.recommendation_id = e.named and e.occurred_at >= p.shown_at - interval '1 day'
      union all
      (select p.* from impression p
        where e.named is null and p.shopper_id = any(${shoppersOfEvent})
          and p.shown_at <= e.occurred_at and p.shown_at >= e.occurred_at - ${hours}::int * interval '1 hour'
          and p.product_ids @> array[e.product_id]
        order by p.shown_at desc, p.recommendation_id desc limit 1)
    ) p
    where p.shown_at >= ${from}::timestamptz`
}

const isSale = sql`c.status = 'success' and c.reverses is null`

/**
 * What attributed purchases came to: an entry of the ledger for each sale line of theirs, also of what was taken back since. A purchase has
 * the sales of its order when it names an impression, and those of its shopper and instant, because a payment records its purchases with
 * these. Each product of a sale counts for one impression: that of a purchase that names it, if there is one.
 */
export function attributedLines(attributed: Sql): Sql {
  return sql`
    select s.shown_at, s.strategy, s.blend, s.similarity_version, l.currency, l.amount
    from (
      select distinct on (sale_no, product_id) * from (
        select a.*, true as is_named, c.callback_no as sale_no, c.provider, c.payment_ref
        from ${attributed} a join payment_callback c on c.order_id = a.order_id and ${isSale} where a.named is not null
        union all
        select a.*, a.named is not null, c.callback_no, c.provider, c.payment_ref
        from ${attributed} a join payment_callback c on ${isSale} and c.occurred_at = a.occurred_at
          and coalesce('account:' || c.account_id, 'session:' || c.session_id, 'session:order:' || c.order_id) = a.shopper_id
        where a.event_type = ${ATTRIBUTED_TYPES.purchase}
      ) found order by sale_no, product_id, is_named desc, occurred_at desc, event_id
    ) s
      join payment_callback r on r.provider = s.provider and r.payment_ref = s.payment_ref
      join sale_line l on l.callback_no = r.callback_no and l.sale_no = s.sale_no and l.product_id = s.product_id`
}
