import { type RawBuilder, sql } from 'kysely'
import { type DecidedError, invalidField } from '../../contract/decided-error.ts'
import { ReportDay } from '../../contract/report.ts'
import { SELLER_DAYS_MAX, type SellerSales, type SellersRequest, type SellersResponse } from '../../contract/seller-list.ts'
import { checkedRange, dayOf, type Days, daysBefore, daysIn } from '../../ranking/day.ts'
import type { Queryable } from '../database/connection.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import { summedMetrics } from '../metrics/metric-state.ts'

/** Of which seller alone; undefined for all. */
interface SellersContext {
  sellerId: string | undefined
  nowMs: number
}

/** Where a page ended, in the list of a range. */
interface Position extends Days {
  orders: string
  sellerId: string
}

/**
 * Sellers with sales in the range, the most orders first; ties by id. Costs one pass over the days of all sellers in the range and the period before it.
 * @throws DecidedError for a wrong range or a cursor of another one
 */
export async function sellerList(
  db: Queryable,
  request: SellersRequest,
  { sellerId, nowMs }: SellersContext,
): Promise<SellersResponse> {
  const after = request.cursor === undefined ? undefined : positionOf(request.cursor)
  // A cursor goes on with its range, which is no longer that of today after midnight.
  const [from, to] = [request.start ?? after?.from, request.end ?? after?.to]
  const days = checkedRange({ from, to, today: dayOf(nowMs), daysMax: SELLER_DAYS_MAX }, { from: 'start', to: 'end' })
  if (after !== undefined && (after.from !== days.from || after.to !== days.to)) throw wrongCursor()
  const { rows } = await listQuery(days, { sellerId, after, limit: request.limit + 1 }).execute(db)
  const data = rows.slice(0, request.limit)
  const last = rows.length > request.limit ? data.at(-1) : undefined
  const next_cursor = last === undefined ? null : encodeCursor(SELLERS, [days.from, days.to, String(last.orders), last.seller_id])
  return { data, meta: { start: days.from, end: days.to, next_cursor } }
}

interface Page {
  sellerId: string | undefined
  after: Position | undefined
  limit: number
}

function listQuery(days: Days, { sellerId, after, limit }: Page): RawBuilder<SellerSales> {
  const before = { from: daysBefore(days.from, daysIn(days)), to: daysBefore(days.from, 1) }
  const isAsked = sellerId === undefined ? sql`true` : sql`seller_id = ${sellerId}`
  const isBeyond =
    after === undefined
      ? sql`true`
      : sql`(s.orders < ${after.orders}::bigint or (s.orders = ${after.orders}::bigint and s.seller_id > ${after.sellerId}))`
  return sql`
    with total as (
      select seller_id, currency, bool_or(${isIn(days)}) as is_sold, ${sumsOf('revenue', days, before)}, ${sumsOf('orders', days, before)},
        ${sumsOf('items', days, before)}
      from seller_day where day between ${before.from}::date and ${days.to}::date and ${isAsked} group by seller_id, currency
    ), seller as (
      select seller_id, sum(orders)::bigint as orders, sum(items)::bigint as items, sum(orders_before) as orders_before,
        sum(items_before) as items_before,
        json_agg(json_build_object('currency', currency, 'amount', revenue, 'change', ${changeOf('revenue')})
          order by orders desc, currency) filter (where is_sold) as amounts
      from total group by seller_id having bool_or(is_sold)
    ), page as (
      select * from seller s where ${isBeyond} order by s.orders desc, s.seller_id limit ${limit}
    )
    select seller_id, orders::float8 as orders, items::float8 as items_sold, amounts,
      (select coalesce(sum(total - deleted), 0)::float8
        from (${summedMetrics(sql`key = 'SELLER#' || page.seller_id`)}) metric) as products,
      json_build_object('orders', ${changeOf('orders')}, 'items_sold', ${changeOf('items')}) as change
    from page order by page.orders desc, page.seller_id`
}

function isIn({ from, to }: Days): RawBuilder<unknown> {
  return sql`day between ${from}::date and ${to}::date`
}

/** The sum over the range, and over the period before it. */
function sumsOf(column: string, days: Days, before: Days): RawBuilder<unknown> {
  const sumOf = (range: Days) => sql`coalesce(sum(${sql.ref(column)}) filter (where ${isIn(range)}), 0)`
  return sql`${sumOf(days)} as ${sql.ref(column)}, ${sumOf(before)} as ${sql.ref(`${column}_before`)}`
}

function changeOf(column: string): RawBuilder<unknown> {
  const [current, previous] = [sql.ref(column), sql.ref(`${column}_before`)]
  return sql`round((${current} - ${previous}) * 100.0 / abs(nullif(${previous}, 0)), 2)`
}

const SELLERS = 'sellers'

function positionOf(cursor: string): Position {
  const [from = '', to = '', orders = '', sellerId] = decodeCursor(SELLERS, cursor) ?? []
  const areDays = [from, to].every((day) => ReportDay.safeParse(day).success)
  if (!areDays || !/^-?\d{1,18}$/.test(orders) || sellerId === undefined) throw wrongCursor()
  return { from, to, orders, sellerId }
}

function wrongCursor(): DecidedError {
  return invalidField('cursor', 'is not a cursor of this list with this range')
}
