import { sql } from 'kysely'
import { instantOf } from '../../contract/fields/time.ts'
import type { Callback, Line } from '../../ledger/callback.ts'
import type { Pending } from '../../ledger/pending.ts'
import type { Queryable } from '../database/connection.ts'

interface NewSales {
  lines: readonly Line[]
  /** Changes of the open items and refunds, by seller and day. */
  pending: ReadonlyMap<string, Pending>
  /** The stored number of a callback. */
  numberOf: (callback: Callback) => string
}

/** Adds lines, and updates the sums of their sellers and days in key order. No read comes before a write. */
export async function addSales(tx: Queryable, { lines, pending, numberOf }: NewSales): Promise<void> {
  if (lines.length > 0) {
    const column = (valueOf: (line: Line) => string | number | null) => lines.map(valueOf)
    await sql`
      with line as (
        select * from unnest(
          ${column(({ occurredAtMs }) => instantOf(occurredAtMs))}::timestamptz[], ${column(({ callback }) => numberOf(callback))}::bigint[],
          ${column(({ sale }) => numberOf(sale))}::bigint[], ${column(({ item }) => item)}::smallint[],
          ${column(({ quantity }) => quantity)}::int[], ${column(({ amount }) => amount)}::bigint[],
          ${column(({ orders }) => orders)}::smallint[], ${column(({ currency }) => currency)}::text[],
          ${column(({ sellerId }) => sellerId)}::text[], ${column(({ productId }) => productId)}::text[])
          as l (occurred_at, callback_no, sale_no, item, quantity, amount, orders, currency, seller_id, product_id)
      ), inserted as (
        insert into sale_line (occurred_at, callback_no, sale_no, item, quantity, amount, orders, currency, seller_id, product_id)
        select * from line
      )
      insert into seller_day as d (seller_id, currency, day, revenue, orders, items)
      select * from (${sumsPerDay(sql`line`)}) s order by seller_id, currency, day
      on conflict (seller_id, currency, day) do update set
        revenue = d.revenue + excluded.revenue, orders = d.orders + excluded.orders, items = d.items + excluded.items`.execute(tx)
  }
  await addPending(tx, [...pending.values()])
}

/** Payments that rule 1 settled are open without a day. */
async function addPending(tx: Queryable, changes: readonly Pending[]): Promise<void> {
  const withoutDay = changes.filter(({ day }) => day === null)
  if (withoutDay.length > 0) {
    await sql`
      insert into seller_pending as p (seller_id, items, refunds)
      select * from unnest(${withoutDay.map(({ sellerId }) => sellerId)}::text[], ${withoutDay.map(({ items }) => items)}::bigint[],
        ${withoutDay.map(({ refunds }) => refunds)}::bigint[]) as s (seller_id, items, refunds)
      order by seller_id collate "C"
      on conflict (seller_id) do update set items = p.items + excluded.items, refunds = p.refunds + excluded.refunds`.execute(tx)
  }
  const withDay = changes.filter(({ day }) => day !== null)
  if (withDay.length > 0) {
    await sql`
      insert into seller_pending_day as p (seller_id, day, items, refunds)
      select * from unnest(${withDay.map(({ sellerId }) => sellerId)}::text[], ${withDay.map(({ day }) => day)}::date[],
        ${withDay.map(({ items }) => items)}::bigint[], ${withDay.map(({ refunds }) => refunds)}::bigint[])
        as s (seller_id, day, items, refunds)
      order by seller_id collate "C", day
      on conflict (seller_id, day) do update set items = p.items + excluded.items, refunds = p.refunds + excluded.refunds`.execute(
      tx,
    )
  }
}

/** Sums of sale lines: seller_id, currency, day, revenue, orders, items. */
export function sumsPerDay(lines: ReturnType<typeof sql>) {
  return sql`
    select seller_id collate "C" as seller_id, currency collate "C" as currency, (occurred_at at time zone 'UTC')::date as day,
      sum(amount)::bigint as revenue, sum(orders)::int as orders, sum(quantity)::bigint as items
    from ${lines} where seller_id is not null group by 1, 2, 3`
}
