import { invalidField } from '../../contract/decided-error.ts'
import { type RawBuilder, sql } from 'kysely'
import {
  BUCKETS_MAX,
  type Granularity,
  RANGE_DAYS_DEFAULT,
  type SellerDashboardRequest,
  type SellerDashboardResponse,
  TOP_PRODUCTS,
} from '../../contract/seller-dashboard.ts'
import { DAY_MS, EARLIEST_MS, instantOf } from '../../contract/time.ts'
import type { Queryable } from '../database/connection.ts'
import { isUnknownTimeZone } from '../database/sql-state.ts'
import { onlyRow } from '../database/rows.ts'

const DAY_MIN = dayOf(EARLIEST_MS)
const DAY_MAX = '2100-12-31'

/** Days of a time zone, from the first to the last. */
interface Days {
  start: string
  end: string
}

/**
 * What a seller sold, all of it read by one statement. It costs the seller's lines in the range; in UTC the numbers of the range
 * and of the one before are of days that are added up already. @throws DecidedError for a range or time zone that there is not.
 */
export async function sellerDashboard(
  db: Queryable,
  sellerId: string,
  request: Omit<SellerDashboardRequest, 'seller_id'>,
  nowMs: number,
): Promise<SellerDashboardResponse> {
  const { granularity, time_zone: timeZone } = request
  const range = rangeOf(request, await todayIn(db, timeZone, nowMs))
  const query = { ...range, sellerId, granularity, timeZone, asked: request.currency ?? null }
  const result = await dashboardQuery(query).execute(db)
  const { currencies, ...data } = onlyRow(result)
  const meta = { seller_id: sellerId, ...range, granularity, time_zone: timeZone, currencies, generated_at: instantOf(nowMs) }
  return { data, meta }
}

async function todayIn(db: Queryable, timeZone: string, nowMs: number): Promise<string> {
  const today = sql<{ today: string }>`
    select (${instantOf(nowMs)}::timestamptz at time zone ${timeZone}::text)::date::text as today`
  const result = await today.execute(db).catch((error: unknown) => {
    throw isUnknownTimeZone(error) ? invalidField('time_zone', 'is not known to the database') : error
  })
  return onlyRow(result).today
}

function rangeOf({ start, end, granularity }: Omit<SellerDashboardRequest, 'seller_id'>, today: string): Days {
  for (const [field, day] of Object.entries({ start, end })) {
    if (day !== undefined && (day < DAY_MIN || day > DAY_MAX)) {
      throw invalidField(field, `must be from ${DAY_MIN} to ${DAY_MAX}`)
    }
  }
  const last = end ?? today
  const first = start ?? daysBefore(last, RANGE_DAYS_DEFAULT - 1)
  if (first > last) throw invalidField('start', `must not be after the last day, which is ${last}`)
  const buckets = 1 + bucketNumber(last, granularity) - bucketNumber(first, granularity)
  if (buckets <= BUCKETS_MAX) return { start: first, end: last }
  const most = `and charts have at most ${BUCKETS_MAX.toLocaleString('en')}`
  throw invalidField(
    'granularity',
    `would give ${buckets.toLocaleString('en')} points, ${most}: take a coarser one or a shorter range`,
  )
}

function dayOf(ms: number): string {
  return instantOf(ms).slice(0, 10)
}

function daysBefore(day: string, days: number): string {
  return dayOf(Date.parse(day) - days * DAY_MS)
}

/** Since 1970 and a constant. That year began on a Thursday. */
function bucketNumber(day: string, granularity: Granularity): number {
  if (granularity === 'month') return Number(day.slice(0, 4)) * 12 + Number(day.slice(5, 7))
  const days = Date.parse(day) / DAY_MS
  return granularity === 'week' ? Math.floor((days + 3) / 7) : days
}

interface Query extends Days {
  sellerId: string
  granularity: Granularity
  timeZone: string
  /** Null for the currency with the most orders. */
  asked: string | null
}

type Row = SellerDashboardResponse['data'] & { currencies: string[] }

/** The whole dashboard as one row. It begins with `select`, so that it is planned once per connection. */
function dashboardQuery(query: Query): RawBuilder<Row> {
  const { sellerId, start, end } = query
  return sql`
    select summary, charts, top_products, currencies from (
      with known as materialized (
        select currency, sum(orders) as orders from seller_day where seller_id = ${sellerId} group by currency
      ), chosen as materialized (
        select coalesce(${query.asked}::text, (select currency from known order by orders desc, currency limit 1)) as currency
      ), day as materialized (${daysOf(query)}
      ), total as (
        select ${totalOf('revenue', query)}, ${totalOf('orders', query)}, ${totalOf('items', query)} from day
      ), bucket as (
        select first::date as date, coalesce(sum(revenue), 0) as revenue, coalesce(sum(orders), 0) as orders
        from generate_series(${bucketOf(sql`${start}::date`, query)}, ${end}::date::timestamp, ${`1 ${query.granularity}`}::interval) first
          left join day on ${bucketOf(sql`day`, query)} = first and ${isOf(query)}
        group by first
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
          'pending_items', coalesce((select items from seller_pending where seller_id = ${sellerId}), 0),
          'pending_refunds', coalesce((select refunds from seller_pending where seller_id = ${sellerId}), 0),
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

/** What was sold per day of the range and of the period before. Days without sales may be missing, and neighbours are there. */
function daysOf({ sellerId, timeZone, ...days }: Query): RawBuilder<unknown> {
  const { start } = before(days)
  if (timeZone === 'UTC') {
    return sql`
        select day, revenue, orders, items from seller_day
        where ${ofSeller(sellerId)} and day between ${start}::date and ${days.end}::date`
  }
  return sql`
        select ${localDay('occurred_at', timeZone)} as day, sum(amount) as revenue, sum(orders) as orders, sum(quantity) as items
        from sale_line where ${ofSeller(sellerId)} and ${inOrNear('occurred_at', { start, end: days.end })} group by 1`
}

/** As many days right before. */
function before({ start, end }: Days): Days {
  return { start: daysBefore(start, 1 + (Date.parse(end) - Date.parse(start)) / DAY_MS), end: daysBefore(start, 1) }
}

function ofSeller(sellerId: string): RawBuilder<unknown> {
  return sql`seller_id = ${sellerId} and currency = (select currency from chosen)`
}

/** Whether an instant may be in the days of a time zone: no clock is a day away from UTC. */
function inOrNear(instant: string, { start, end }: Days): RawBuilder<unknown> {
  return sql`${sql.ref(instant)} >= ${start}::date - 1 and ${sql.ref(instant)} < ${end}::date + 2`
}

/** Whether it is in them. Near their ends its date decides, which takes longer than all else that is done with a line. */
function inDays(instant: string, { timeZone, ...days }: Query): RawBuilder<unknown> {
  const { start, end } = days
  const isWithin = sql`${sql.ref(instant)} >= ${start}::date + 1 and ${sql.ref(instant)} < ${end}::date`
  return sql`${inOrNear(instant, days)}
    and ((${isWithin}) or ${localDay(instant, timeZone)} between ${start}::date and ${end}::date)`
}

/** Instants of midnight would not do: where clocks go back just after it, a day has two pieces. */
function localDay(instant: string, timeZone: string): RawBuilder<unknown> {
  return sql`(${sql.ref(instant)} at time zone ${timeZone}::text)::date`
}

/** The first day of the bucket of a day; weeks begin on Monday. */
function bucketOf(day: RawBuilder<unknown>, { granularity }: Query): RawBuilder<unknown> {
  return sql`date_trunc(${granularity}::text, ${day}::timestamp)`
}

function isOf({ start, end }: Days): RawBuilder<unknown> {
  return sql`day between ${start}::date and ${end}::date`
}

/** Of the range, and of the period before. */
function totalOf(column: 'revenue' | 'orders' | 'items', range: Days): RawBuilder<unknown> {
  const sumOf = (days: Days) => sql`coalesce(sum(${sql.ref(column)}) filter (where ${isOf(days)}), 0)`
  return sql`${sumOf(range)} as ${sql.ref(column)}, ${sumOf(before(range))} as ${sql.ref(`${column}_before`)}`
}

function changeOf(column: 'revenue' | 'orders' | 'items'): RawBuilder<unknown> {
  const [now, then] = [sql.ref(column), sql.ref(`${column}_before`)]
  return sql`round((${now} - ${then}) * 100.0 / abs(nullif(${then}, 0)), 2)`
}

function pointOf(column: 'revenue' | 'orders'): RawBuilder<unknown> {
  return sql`json_build_object('date', date, 'value', ${sql.ref(column)})`
}

/** It costs the seller's products, and their ratings in the range. */
function ratingOf(query: Query): RawBuilder<unknown> {
  return sql`
    select round(avg(stars)::numeric, 2) from catalog.product join product_rating using (product_id)
    where seller_id = ${query.sellerId} and ${inDays('occurred_at', query)}`
}
