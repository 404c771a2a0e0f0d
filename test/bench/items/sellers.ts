import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

export interface Sales {
  sellers: number
  /** Lines of these sellers together. */
  lines: number
  days: number
  /** For each of these factors a seller with that many times as many lines a day, in the last `largeDays` days only. */
  larger: readonly number[]
  largeDays: number
}

const LINES_PER_CALLBACK = 3
const PRODUCTS_PER_SELLER = 100
const LINES_PER_RATING = 10

export const sellerOf = (number: number) => `s-${number}`
export const largeSellerOf = (times: number) => `large-${times}`

/** Stores a market's past: equally many lines for each seller and day until now, 100 products each by Zipf(1), one currency. */
export async function storeSales(db: Database, sales: Sales): Promise<void> {
  const { sellers, lines, days, larger, largeDays } = sales
  await withoutTimeout(db, async (unlimited) => {
    const { rows: indexes } = await sql<{ name: string; definition: string }>`
      select indexname as name, indexdef as definition from pg_indexes
      where tablename = 'sale_line' and indexname like 'sale_line_by_%'`.execute(unlimited)
    for (const { name } of indexes) await sql`drop index ${sql.id(name)}`.execute(unlimited)
    await storeLines(unlimited, { count: lines, days, seller: sql`${'s-'} || 1 + floor(random() * ${sellers}::int)` })
    for (const times of larger) {
      const count = Math.round((times * lines * largeDays) / sellers / days)
      await storeLines(unlimited, { count, days: largeDays, seller: sql`${largeSellerOf(times)}::text` })
    }
    for (const { definition } of indexes) await sql.raw(definition).execute(unlimited)
    await sql`
      insert into seller_day (seller_id, currency, day, revenue, orders, items)
      select seller_id, currency, (occurred_at at time zone 'UTC')::date, sum(amount), sum(orders), sum(quantity)
      from sale_line group by 1, 2, 3 order by 3, 1`.execute(unlimited)
    await sql`
      insert into catalog.product (product_id, seller_id, name, status, updated_at, call_id)
      select product_id, seller_id, 'Product ' || product_id, 'active', now(), gen_random_uuid()
      from sale_line group by 1, 2`.execute(unlimited)
    await sql`
      insert into product_rating (product_id, occurred_at, event_id, stars)
      select product_id, occurred_at, gen_random_uuid(), 1 + floor(random() * 5) from sale_line
      where sale_line_id % ${sql.lit(LINES_PER_RATING)} = 0`.execute(unlimited)
    await sql`vacuum (analyze)`.execute(unlimited)
  })
}

async function storeLines(
  db: Database,
  { count, days, seller }: { count: number; days: number; seller: ReturnType<typeof sql> },
) {
  const callbacks = Math.ceil(count / LINES_PER_CALLBACK)
  const { rows } = await sql<{ last: string }>`
    select coalesce(max(callback_no), 0)::text as last from payment_callback`.execute(db)
  const last = rows[0]!.last
  await sql`
    insert into payment_callback (callback_no, occurred_at, received_at, call_id, call_index, provider, callback_id, payment_ref,
      order_id, status, currency, items, rule) overriding system value
    select ${last}::bigint + n, at, at, gen_random_uuid(), 0, 'bench', 'c-' || ${last}::bigint + n, 'p-' || n, 'o-' || n, 'success',
      'EUR', '[]', 2
    from (select n, now() - ${days}::int * interval '1 day' * (1 - n / ${callbacks}::float8) as at
      from generate_series(1, ${callbacks}::int) n) c`.execute(db)
  await sql`
    insert into sale_line (occurred_at, callback_no, sale_no, amount, quantity, orders, item, currency, seller_id, product_id)
    select occurred_at, callback_no, callback_no, quantity * 1990, quantity, 1, item, 'EUR', seller,
      seller || '-' || floor(exp(random() * ln(${sql.lit(PRODUCTS_PER_SELLER)}::float8)))
    from (
      select c.occurred_at, c.callback_no, item, 1 + floor(random() * 3)::int as quantity, ${seller} as seller
      from payment_callback c cross join generate_series(0, ${sql.lit(LINES_PER_CALLBACK - 1)}) item
      where callback_no > ${last}::bigint order by callback_no, item
    ) line`.execute(db)
  await sql`
    select setval(pg_get_serial_sequence('payment_callback', 'callback_no'), max(callback_no)) from payment_callback`.execute(db)
}
