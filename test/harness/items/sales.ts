import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'

export interface Line {
  sellerId: string
  currency: string
  occurredAtMs: number
  productId: string
  amount: number
  quantity: number
  orders: number
}

/** A line of one item, with other values where given. */
export function saleLine(changes: Partial<Line> & Pick<Line, 'occurredAtMs'>): Line {
  return { sellerId: 'north-light', currency: 'EUR', productId: 'lamp', amount: 100, quantity: 1, orders: 1, ...changes }
}

/** Stores lines as if payments had made them, with their sums by day. */
export async function storeSales(db: Database, lines: readonly Line[]): Promise<void> {
  const { rows } = await sql<{ number: string }>`
    insert into payment_callback (occurred_at, call_id, call_index, provider, callback_id, payment_ref, order_id, status, currency, items, rule)
    values (now(), gen_random_uuid(), 0, 'test', ${randomUUID()}, 'payment', 'order', 'success', 'EUR', '[]', 2)
    returning callback_no as number`.execute(db)
  const { number } = rows[0]!
  await sql`
    insert into sale_line (occurred_at, callback_no, sale_no, amount, quantity, orders, item, currency, seller_id, product_id)
    select to_timestamp((l ->> 'occurredAtMs')::numeric / 1000), ${number}::bigint, ${number}::bigint, (l ->> 'amount')::bigint,
      (l ->> 'quantity')::int, (l ->> 'orders')::smallint, 0, l ->> 'currency', l ->> 'sellerId', l ->> 'productId'
    from jsonb_array_elements(${JSON.stringify(lines)}::jsonb) l`.execute(db)
  await sql`delete from seller_day`.execute(db)
  await sql`
    insert into seller_day (seller_id, currency, day, revenue, orders, items)
    select seller_id, currency, (occurred_at at time zone 'UTC')::date, sum(amount), sum(orders), sum(quantity)
    from sale_line group by 1, 2, 3`.execute(db)
}

/** Deletes all sales, the catalogue and the ratings. */
export async function clearSales(db: Database): Promise<void> {
  for (const table of [
    'sale_line',
    'payment_callback',
    'seller_day',
    'seller_pending',
    'seller_pending_day',
    'product_rating',
    'catalog.product',
  ]) {
    await sql`delete from ${sql.table(table)}`.execute(db)
  }
}
