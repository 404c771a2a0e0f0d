import { type RawBuilder, sql } from 'kysely'
import { invalidField } from '../../contract/decided-error.ts'
import {
  BUCKETS_MAX,
  type Granularity,
  type SellerDashboardRequest,
  type SellerDashboardResponse,
  TOP_PRODUCTS,
} from '../../contract/seller-dashboard.ts'
import { DAY_MS, instantOf } from '../../contract/fields/time.ts'
import { checkedRange, type Day, type Days, daysBefore, daysIn, startOf } from '../../ranking/day.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { isUnknownTimeZone } from '../database/sql-state.ts'

type Request = Omit<SellerDashboardRequest, 'seller_id'>

/**
 * The dashboard of a seller, read by one statement. Costs the seller's sale lines in the range. In UTC the numbers of the range and
 * of the period before it come from sums per day instead. @throws DecidedError for a wrong range or an unknown time zone.
 */
export async function sellerDashboard(
  db: Queryable,
  sellerId: string,
  request: Request,
  { nowMs, pendingDays }: { nowMs: number; pendingDays: number },
): Promise<SellerDashboardResponse> {
  const { granularity, time_zone: timeZone, currency = null } = request
  const { from, to } = rangeOf(request, await todayIn(db, timeZone, nowMs))
  const result = await dashboardQuery({
    ...{ from, to, sellerId, granularity, timeZone, currency },
    pendingSince: instantOf(nowMs - pendingDays * DAY_MS).slice(0, 10),
  }).execute(db)
  const { currencies, ...data } = onlyRow(result)
  const generated_at = instantOf(nowMs)
  return { data, meta: { seller_id: sellerId, start: from, end: to, granularity, time_zone: timeZone, currencies, generated_at } }
}

async function todayIn(db: Queryable, timeZone: string, nowMs: number): Promise<Day> {
  const today = sql<{ today: Day }>`
    select (${instantOf(nowMs)}::timestamptz at time zone ${timeZone}::text)::date::text as today`
  const result = await today.execute(db).catch((error: unknown) => {
    throw isUnknownTimeZone(error) ? invalidField('time_zone', 'is not known to the database') : error
  })
  return onlyRow(result).today
}

function rangeOf({ start, end, granularity }: Request, today: Day): Days {
  const range = checkedRange({ from: start, to: end, today }, { from: 'start', to: 'end' })
  const buckets = 1 + bucketNumber(range.to, granularity) - bucketNumber(range.from, granularity)
  if (buckets <= BUCKETS_MAX) return range
  const most = `and charts have at most ${BUCKETS_MAX.toLocaleString('en')}`
  throw invalidField(
    'granularity',
    `would give ${buckets.toLocaleString('en')} points, ${most}: choose a coarser granularity or a shorter range`,
  )
}

/** Numbers the buckets without a gap. Weeks are shifted by 3 days, because 1970 began on a Thursday. */
function bucketNumber(day: Day, granularity: Granularity): number {
  if (granularity === 'month') return Number(day.slice(0, 4)) * 12 + Number(day.slice(5, 7))
  const days = startOf(day) / DAY_MS
  return granularity === 'week' ? Math.floor((days + 3) / 7) : days
}

interface Query extends Days {
  sellerId: string
  granularity: Granularity
  timeZone: string
  /** Items of payments that are pending since before this UTC day are given up. */
  pendingSince: Day
  /** Null for the currency with the most orders. */
  currency: string | null
}

type Row = SellerDashboardResponse['data'] & { currencies: string[] }

/** The whole dashboard as one row. The text begins with `select`, so that each connection plans it once. */
function dashboardQuery(query: Query): RawBuilder<Row> {
  const { sellerId, from, to } = query
  return sql`
    select summary, charts, top_products, currencies from (
      with known as materialized (
        select currency, sum(orders) as orders from seller_day where seller_id = ${sellerId} group by currency
      ), chosen as materialized (
        select coalesce(${query.currency}::text, (select currency from known order by orders desc, currency limit 1)) as currency
      ), day as materialized (${daysOf(query)}
      ), total as (
        select ${totalOf('revenue', query)}, ${totalOf('orders', query)}, ${totalOf('items', query)} from day
      ), bucket as (
        select first::date as date, coalesce(sum(revenue), 0) as revenue, coalesce(sum(orders), 0) as orders
        from generate_series(${bucketOf(sql`${from}::date`, query)}, ${to}::date::timestamp, ${`1 ${query.granularity}`}::interval) first
          left join day on ${bucketOf(sql`day`, query)} = first and ${isOf(query)}
        group by first
      ), open as (
        select day, items, refunds from seller_pending_day where seller_id = ${sellerId}
        union all
        select 'infinity'::date, items, refunds from seller_pending where seller_id = ${sellerId}
      ), best as (
        select product_id, sum(quantity) as sold_count, sum(amount) as revenue from sale_line
        where ${ofSeller(sellerId)} and ${inDays('occurred_at', query)}
        group by product_id having sum(quantity) > 0
        order by sold_count desc, revenue desc, product_id limit ${sql.lit(TOP_PRODUCTS)}
      )
      select
        json_build_object(
          'total_revenue', revenue, 'total_orders', orders, 'items_sold', items,
          'average_rating', (${ratingOf(query)}),
          'pending_items', (select coalesce(sum(items) filter (where day >= ${query.pendingSince}::date), 0) from open),
          'pending_refunds', (select coalesce(sum(refunds), 0) from open),
          'currency', (select currency from chosen),
          'comparison', json_build_object('revenue_change', ${changeOf('revenue')}, 'orders_change', ${changeOf('orders')},
            'items_sold_change', ${changeOf('items')})) as summary,
        (select json_build_object('revenue', json_agg(${pointOf('revenue')} order by date),
          'orders', json_agg(${pointOf('orders')} order by date)) from bucket) as charts,
        (select coalesce(json_agg(json_build_object('product_id', product_id, 'name', name, 'sold_count', sold_count, 'revenue', revenue)
            order by sold_count desc, revenue desc, product_id), '[]')
          from best left join catalog.product using (product_id)) as top_products,
        array(select currency from known order by orders desc, currency) as currencies
      from total
    ) dashboard`
}

/** Sales per day of the range and of the period before it. Days without sales may be missing; adjacent days may be included. */
function daysOf({ sellerId, timeZone, ...days }: Query): RawBuilder<unknown> {
  const { from } = periodBefore(days)
  if (timeZone === 'UTC') {
    return sql`
        select day, revenue, orders, items from seller_day
        where ${ofSeller(sellerId)} and day between ${from}::date and ${days.to}::date`
  }
  return sql`
        select ${localDay('occurred_at', timeZone)} as day, sum(amount) as revenue, sum(orders) as orders, sum(quantity) as items
        from sale_line where ${ofSeller(sellerId)} and ${inOrNear('occurred_at', { from, to: days.to })} group by 1`
}

/** The range of as many days that ends right before a range. */
function periodBefore({ from, to }: Days): Days {
  return { from: daysBefore(from, daysIn({ from, to })), to: daysBefore(from, 1) }
}

function ofSeller(sellerId: string): RawBuilder<unknown> {
  return sql`seller_id = ${sellerId} and currency = (select currency from chosen)`
}

/** Whether an instant may be in the days of a time zone, because no time zone is a day away from UTC. */
function inOrNear(instant: string, { from, to }: Days): RawBuilder<unknown> {
  return sql`${sql.ref(instant)} >= ${from}::date - 1 and ${sql.ref(instant)} < ${to}::date + 2`
}

/** Whether an instant is in the days. Computes its local date only near their ends, because that costs more than everything else. */
function inDays(instant: string, { timeZone, ...days }: Query): RawBuilder<unknown> {
  const { from, to } = days
  const isWithin = sql`${sql.ref(instant)} >= ${from}::date + 1 and ${sql.ref(instant)} < ${to}::date`
  return sql`${inOrNear(instant, days)}
    and ((${isWithin}) or ${localDay(instant, timeZone)} between ${from}::date and ${to}::date)`
}

/** Comparing with the instants of midnight would be wrong, because a day has two pieces where clocks go back just after midnight. */
function localDay(instant: string, timeZone: string): RawBuilder<unknown> {
  return sql`(${sql.ref(instant)} at time zone ${timeZone}::text)::date`
}

/** The first day of the bucket of a day; weeks begin on Monday. */
function bucketOf(day: RawBuilder<unknown>, { granularity }: Query): RawBuilder<unknown> {
  return sql`date_trunc(${granularity}::text, ${day}::timestamp)`
}

function isOf({ from, to }: Days): RawBuilder<unknown> {
  return sql`day between ${from}::date and ${to}::date`
}

/** The sum over the range, and over the period before it. */
function totalOf(column: 'revenue' | 'orders' | 'items', range: Days): RawBuilder<unknown> {
  const sumOf = (days: Days) => sql`coalesce(sum(${sql.ref(column)}) filter (where ${isOf(days)}), 0)`
  return sql`${sumOf(range)} as ${sql.ref(column)}, ${sumOf(periodBefore(range))} as ${sql.ref(`${column}_before`)}`
}

function changeOf(column: 'revenue' | 'orders' | 'items'): RawBuilder<unknown> {
  const [current, previous] = [sql.ref(column), sql.ref(`${column}_before`)]
  return sql`round((${current} - ${previous}) * 100.0 / abs(nullif(${previous}, 0)), 2)`
}

function pointOf(column: 'revenue' | 'orders'): RawBuilder<unknown> {
  return sql`json_build_object('date', date, 'value', ${sql.ref(column)})`
}

/** The average stars. Costs the seller's products, and their ratings in the range. */
function ratingOf(query: Query): RawBuilder<unknown> {
  return sql`
    select round(avg(stars)::numeric, 2) from catalog.product join product_rating using (product_id)
    where seller_id = ${query.sellerId} and ${inDays('occurred_at', query)}`
}
