import { sql } from 'kysely'
import { PURCHASES_MAX } from '../../contract/preferences.ts'
import type { Queryable } from '../database/connection.ts'

/** A product that a shopper bought. */
export interface Purchase {
  productId: string
  category: string | null
  brand: string | null
  bought: number
  takenBack: number
  purchaseEvents: number
  returnEvents: number
  lastPurchasedAt: Date
}

/** Types of events that take a purchase back. */
const RETURNS = ['refund_requested', 'cancel_order', 'return_product']

/** The shopper of a sale, as its interactions have it. The text is that of the index payment_callback_by_shopper. */
const SHOPPER_OF_SALE = sql`coalesce('account:' || account_id, 'session:' || session_id, 'session:order:' || order_id)`

/**
 * What a shopper bought whose events are kept under these ids, the last purchase first: at most 100 products.
 *
 * Two sources say it. The sale lines of the shopper's payments have quantities, and everything that was taken back. The profile has
 * the events. Each item that a payment sold is one `purchase` there too, so only the further ones are told by events alone. What
 * events say of returns counts for products that no payment of the shopper has.
 *
 * All lines of a sale are of callbacks of its payment, so they are found by these.
 */
export async function purchasesOf(db: Queryable, shopperIds: readonly string[]): Promise<Purchase[]> {
  // The text begins with `select`, so that each connection plans it once.
  const { rows } = await sql<Purchase>`
    select * from (with sale as materialized (
      select callback_no, provider, payment_ref from payment_callback
      where ${SHOPPER_OF_SALE} = any(${shopperIds}::text[]) and status = 'success' and reverses is null
    ), item as (
      select l.product_id, l.sale_no, l.item, max(l.occurred_at) filter (where l.callback_no = l.sale_no) as sold_at,
        coalesce(sum(l.quantity) filter (where l.callback_no = l.sale_no), 0)::int as bought,
        -coalesce(sum(l.quantity) filter (where l.callback_no <> l.sale_no), 0)::int as taken_back
      from (select distinct provider, payment_ref from sale) payment
        join payment_callback c using (provider, payment_ref) join sale_line l using (callback_no)
      where l.product_id is not null and l.sale_no in (select callback_no from sale)
      group by 1, 2, 3
    ), paid as (
      select product_id, sum(bought)::int as bought, sum(taken_back)::int as taken_back, count(*)::int as purchases,
        max(sold_at) as sold_at
      from item where bought > 0 group by 1
    ), told as (
      select product_id, coalesce(sum(events) filter (where event_type = 'purchase'), 0)::int as purchases,
        coalesce(sum(events) filter (where event_type <> 'purchase'), 0)::int as returns,
        max(last_at) filter (where event_type = 'purchase') as purchased_at
      from shopper_product
      where shopper_id = any(${shopperIds}::text[]) and event_type = any(${['purchase', ...RETURNS]}::text[])
      group by 1
    ), bought as (
      select product_id, coalesce(p.bought, 0) as bought, coalesce(p.taken_back, 0) as taken_back,
        greatest(coalesce(t.purchases, 0) - coalesce(p.purchases, 0), 0) as purchase_events,
        case when p.product_id is null then t.returns else 0 end as return_events,
        greatest(p.sold_at, t.purchased_at) as last_purchased_at
      from paid p full join told t using (product_id)
      where p.product_id is not null or t.purchases > 0
    )
    select b.product_id as "productId", c.category, c.brand, b.bought, b.taken_back as "takenBack",
      b.purchase_events as "purchaseEvents", b.return_events as "returnEvents", b.last_purchased_at as "lastPurchasedAt"
    from (select * from bought order by last_purchased_at desc, product_id limit ${PURCHASES_MAX}) b
      left join catalog.product c using (product_id)
    ) purchase order by "lastPurchasedAt" desc, "productId"`.execute(db)
  return rows
}
