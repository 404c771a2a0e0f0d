import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

export interface Shoppers {
  /** Shoppers with each of these numbers of interactions. */
  count: number
  interactions: readonly number[]
  products: number
}

export const shopperOf = (interactions: number, number: number) => `account:${interactions}-${number}`

const DAYS = 365

/**
 * Stores what shoppers did in a year, as feeding leaves it: products by a power law, 200 categories and 1,000 brands, seven of ten
 * interactions a view. One of ten is a purchase, and half of these were paid for.
 */
export async function storeShoppers(db: Database, { count, interactions, products }: Shoppers): Promise<void> {
  await withoutTimeout(db, async (unlimited) => {
    await sql`
      insert into catalog.product (product_id, name, category, brand, status, updated_at, call_id)
      select n::text, 'Product ' || n, 'category ' || n % 200, 'brand ' || n % 1000, 'active', now(), gen_random_uuid()
      from generate_series(1, ${products}::int) n`.execute(unlimited)
    for (const each of interactions) await storeEvents(unlimited, each, count, products)
    await sql`
      insert into payment_callback (occurred_at, call_id, call_index, provider, callback_id, payment_ref, order_id, status, currency, account_id, items, rule)
      select last_at, gen_random_uuid(), 0, 'bench', id, id, id, 'success', 'EUR', substr(shopper_id, 9),
        jsonb_build_array(jsonb_build_object('product_id', product_id, 'seller_id', null, 'quantity', 2, 'unit_price', 500)), 2
      from (select *, shopper_id || ' ' || product_id as id from shopper_product) p
      where event_type = 'purchase' and random() < 0.5`.execute(unlimited)
    await sql`
      insert into sale_line (occurred_at, callback_no, sale_no, amount, quantity, orders, item, currency, product_id)
      select occurred_at, callback_no, callback_no, 1000, 2, 0, 0, 'EUR', items -> 0 ->> 'product_id' from payment_callback`.execute(
      unlimited,
    )
    await sql`vacuum (analyze)`.execute(unlimited)
  })
}

async function storeEvents(db: Database, interactions: number, count: number, products: number): Promise<void> {
  await sql`
    create temporary table done as
    select 'account:' || ${interactions}::int || '-' || s as shopper_id, (1 + floor(${products}::int * random() ^ 3))::text as product_id,
      (array['view', 'view', 'view', 'view', 'view', 'view', 'view', 'add_to_cart', 'add_to_favorites', 'purchase'])[1 + n % 10] as event_type,
      date_trunc('milliseconds', now() - random() * ${DAYS}::int * interval '1 day') as occurred_at, gen_random_uuid() as event_id
    from generate_series(1, ${count}::int) s cross join generate_series(1, ${interactions}::int) n`.execute(db)
  await sql`
    insert into shopper_product (shopper_id, product_id, event_type, events, last_at)
    select shopper_id, product_id, event_type, count(*), max(occurred_at) from done group by 1, 2, 3 order by 1, 2, 3`.execute(db)
  await sql`
    insert into shopper_recent (shopper_id, occurred_at, event_id, product_id, event_type)
    select shopper_id, occurred_at, event_id, product_id, event_type from (
      select *, row_number() over (partition by shopper_id order by occurred_at desc, event_id desc) as place from done) d
    where place <= 100 order by 1, 2, 3`.execute(db)
  await sql`drop table done`.execute(db)
}
