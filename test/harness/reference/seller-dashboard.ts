import { sql } from 'kysely'
import { expect } from 'vitest'
import type { SellerDashboardRequest, SellerDashboardResponse } from '../../../src/contract/seller-dashboard.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { onlyRow } from '../../../src/store/database/rows.ts'

interface Totals {
  revenue: number
  orders: number
  items: number
}

interface Expected {
  start: string
  end: string
  currencies: string[]
  currency: string | null
  now: Totals
  then: Totals
  buckets: { date: string; revenue: number; orders: number }[]
  top: SellerDashboardResponse['data']['top_products']
  rating: number | null
}

/** The expected dashboard: the slow reference, one look at the sale lines. */
export async function expectedDashboard(
  db: Database,
  sellerId: string,
  request: SellerDashboardRequest,
  nowMs: number,
): Promise<Expected> {
  const { time_zone: zone, granularity, start = null, end = null, currency = null } = request
  const result = await sql<{ expected: Expected }>`
    with of_seller as (
      select *, date(timezone(${zone}, occurred_at)) as day from sale_line where seller_id = ${sellerId}
    ), latest as (
      select coalesce(${end}::date, date(timezone(${zone}, to_timestamp(${nowMs}::float8 / 1000)))) as "end"
    ), range as (
      select coalesce(${start}::date, "end" - 29) as start, "end" from latest
    ), currencies as (
      select currency, row_number() over (order by sum(orders) desc, currency) as place from of_seller group by currency
    ), chosen as (
      select coalesce(${currency}, (select currency from currencies where place = 1)) as currency
    ), line as (
      select of_seller.*, case when day between start and "end" then 'now'
        when day < start and day >= start - ("end" - start + 1) then 'then' end as period
      from of_seller join chosen using (currency) cross join range
    ), calendar as (
      select d::date as day, case ${granularity} when 'day' then d::date when 'week' then d::date - extract(isodow from d)::int + 1
        else make_date(extract(year from d)::int, extract(month from d)::int, 1) end as bucket
      from range, generate_series(start::timestamp, "end"::timestamp, '1 day') d
    ), totals as (
      select p.period, json_build_object('revenue', coalesce(sum(amount), 0), 'orders', coalesce(sum(orders), 0),
        'items', coalesce(sum(quantity), 0)) as total
      from (values ('now'), ('then')) p(period) left join line using (period) group by p.period
    ), buckets as (
      select bucket as date, coalesce(sum(amount), 0) as revenue, coalesce(sum(orders), 0) as orders
      from calendar left join line using (day) group by bucket
    ), top as (
      select product_id, sum(quantity) as sold_count, sum(amount) as revenue from line where period = 'now' group by product_id
    )
    select json_build_object('start', start, 'end', "end", 'currency', (select currency from chosen),
      'currencies', (select coalesce(json_agg(currency order by place), '[]') from currencies),
      'now', (select total from totals where period = 'now'), 'then', (select total from totals where period = 'then'),
      'buckets', (select json_agg(buckets order by date) from buckets),
      'top', (select coalesce(json_agg(listed), '[]') from (
        select product_id, (select name from catalog.product p where p.product_id = top.product_id), sold_count, revenue
        from top where sold_count > 0 order by sold_count desc, revenue desc, product_id limit 10) listed),
      'rating', (select avg(stars) from product_rating where date(timezone(${zone}, occurred_at)) between start and "end"
        and product_id in (select product_id from catalog.product where seller_id = ${sellerId}))) as expected
    from range`.execute(db)
  return onlyRow(result).expected
}

type Numbers = Omit<Expected, 'start' | 'end' | 'currencies'>

/** A dashboard has the expected numbers. */
export function expectSame(data: SellerDashboardResponse['data'], { now, then, buckets, top, rating, currency }: Numbers): void {
  const { summary, charts, top_products } = data
  expect(summary).toMatchObject({ total_revenue: now.revenue, total_orders: now.orders, items_sold: now.items })
  expect(summary.currency).toBe(currency)
  const { revenue_change, orders_change, items_sold_change } = summary.comparison
  expectRounded(revenue_change, changed(now.revenue, then.revenue))
  expectRounded(orders_change, changed(now.orders, then.orders))
  expectRounded(items_sold_change, changed(now.items, then.items))
  expectRounded(summary.average_rating, rating)
  expect(charts.revenue).toEqual(buckets.map(({ date, revenue: value }) => ({ date, value })))
  expect(charts.orders).toEqual(buckets.map(({ date, orders: value }) => ({ date, value })))
  expect(top_products).toEqual(top)
}

/** The change in percent; null from 0. */
export const changed = (now: number, then: number) => (then === 0 ? null : ((now - then) / Math.abs(then)) * 100)

/** Equal to two decimals, where the last may be rounded either way. */
export function expectRounded(actual: number | null, exact: number | null): void {
  if (actual === null || exact === null) expect(actual).toBe(exact)
  else {
    expect(Math.abs(actual - exact)).toBeLessThan(0.005 + 1e-9)
    expect(actual).toBe(Number(actual.toFixed(2)))
  }
}
