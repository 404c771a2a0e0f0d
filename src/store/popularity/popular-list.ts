import { type RawBuilder, sql } from 'kysely'
import type { Mode } from '../../contract/popular-list.ts'
import type { Span } from '../../ranking/span.ts'
import { isListed } from '../catalog/catalog-product.ts'
import type { Queryable } from '../database/connection.ts'
import { jsonOfProduct, JSON_OF_PRODUCT } from './popularity-json.ts'
import { at, cellsIn, RISING_MIN, risingOf } from './rising.ts'
import { utc } from '../database/json.ts'
import { counterOf, COUNTERS, dayOf, scoreOf, weighed } from './cells.ts'

export interface PopularQuery {
  mode: Mode
  /** The hours that every number is of; undefined for all of them, as they are kept. */
  span: Span | undefined
  categoryIds: readonly string[] | undefined
  minInteractions: number
  limit: number
  after: PopularPosition | undefined
}

/** A place in a list: the values that it is ordered by, as texts, and the product. */
export interface PopularPosition {
  values: readonly string[]
  productId: string
}

export interface PopularRow {
  position: PopularPosition
  /** A PopularProduct. */
  json: string
}

/** A position as it was read from a cursor; undefined when it cannot be one of a list by this mode. */
export function positionIn(mode: Mode, productId: string | undefined, values: readonly string[]): PopularPosition | undefined {
  const { by } = ORDERS[mode]
  const isOne = productId !== undefined && values.length === by.length && by.every(({ type }, n) => IS_OF_TYPE[type](values[n]!))
  return isOne ? { values, productId } : undefined
}

/** Whether PostgreSQL takes a text for a number of the type. */
const IS_OF_TYPE = {
  bigint: (text: string) => /^-?\d{1,18}$/.test(text),
  float8: (text: string) =>
    /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text) && Number.isFinite(Number(text)) && (Number(text) !== 0 || /^-?0$/.test(text)),
}

interface Order {
  /** Columns of the product p, the first one first, each with its type. */
  by: readonly { column: string; type: 'bigint' | 'float8' }[]
  /** Which products are in the list at all. */
  where: RawBuilder<unknown>
}

const counts = (column: string): Order => ({
  by: [{ column, type: 'bigint' }],
  where: sql.raw(`p.${column} > 0`),
})

/** The conditions are those of the indexes of product_popularity. */
const ORDERS: Record<Mode, Order> = {
  trending: { by: [{ column: 'trending', type: 'float8' }], where: sql`true` },
  most_viewed: counts('view_count'),
  most_carted: counts('cart_count'),
  most_ordered: counts('purchase_count'),
  most_searched: {
    by: [
      { column: 'search_click_count', type: 'bigint' },
      { column: 'search_count', type: 'bigint' },
    ],
    where: sql`(p.search_click_count > 0 or p.search_count > 0)`,
  },
  overall: { by: [{ column: 'score_micros', type: 'bigint' }], where: sql`true` },
  rising: { by: [{ column: 'rising_score', type: 'float8' }], where: sql`p.rising_score > ${sql.lit(RISING_MIN)}` },
}

/**
 * The rows of a list after a position, best first; ties by id. Of all time it is one index range. Of a span it adds up the hours
 * of the span, those of the categories' products alone when there are any, and never reads the log.
 */
export async function popularRows(db: Queryable, query: PopularQuery): Promise<PopularRow[]> {
  const { rows } = await listQuery(query).execute(db)
  return rows.map(({ values, productId, json }) => ({ position: { values, productId }, json }))
}

function listQuery(query: PopularQuery): Read {
  return query.span === undefined ? keptList(query) : listOfSpan(query, query.span)
}

type Read = RawBuilder<{ values: string[]; productId: string; json: string }>

function keptList(query: PopularQuery): Read {
  const isRising = query.mode === 'rising'
  const products = isRising
    ? sql`(select p.*, g.rising_score from product_rising g join product_popularity p using (product_id))`
    : sql`product_popularity`
  const json = isRising ? jsonOfProduct({ rising_score: 'p.rising_score' }) : JSON_OF_PRODUCT
  return sql`
    select ${valuesOf(query.mode, 'p')} as "values", p.product_id as "productId", ${json} as json
    from ${products} p cross join popularity_rules r where ${listConditions(query)} ${ordered(query)}`
}

/**
 * Which products are on the page is found by what the list is ordered by alone; all their numbers are then added up for those few.
 * Both look at the same hours in the same snapshot.
 */
function listOfSpan(query: PopularQuery, span: Span): Read {
  const json = jsonOfProduct({
    trending_score: 'p.trending * p.since',
    // Of a past instant nothing finer than hours is known.
    ...(span.toMs !== undefined && { last_interaction: utc('p.last_hour') }),
    ...(query.mode === 'rising' && { rising_score: 'page.rising_score' }),
  })
  return sql`
    with page as materialized (
      select p.* from (${keysOfSpan(query, span)}) p where ${listConditions(query)} ${ordered(query)}
    ), numbers as (
      select c.product_id, ${scoreOf} as score_micros, ${trendingOfSpan(span)} as trending, max(c.hour) as last_hour,
        ${sql.join(COUNTERS.map((counter) => sql`${counterOf(counter)} as ${sql.ref(counter)}`))}
      from page join ${cellsIn(span)} c using (product_id) cross join popularity_rules r ${weighed}
      where ${inSpan(span)}
      group by c.product_id
    )
    select ${valuesOf(query.mode, 'page')} as "values", p.product_id as "productId", ${json} as json
    from page join (
      select n.*, k.last_interaction, k.date_updated, ${decayFactor(sql`${at(span.hourMs)} - ${at(span.instantMs)}`)} as since
      from numbers n join product_popularity k using (product_id) cross join popularity_rules r
    ) p using (product_id)
    ${ordered(query, 'page')}`
}

/** What the list is ordered by, of every product that is asked for; types that do not count are not looked at. */
function keysOfSpan({ mode, categoryIds }: PopularQuery, span: Span): RawBuilder<unknown> {
  const asked = inCategories(sql`c.product_id`, categoryIds)
  // Whatever rises had events in the last day, and so in every window.
  if (mode === 'rising') return risingOf(span, asked)
  const columns = ORDERS[mode].by.map(({ column }) => column)
  const keys = columns.map((column) => sql`${keyOfSpan(column, span)} as ${sql.ref(column)}`)
  const counters = columns.filter((column) => (COUNTERS as readonly string[]).includes(column))
  const isCounted = counters.length === 0 ? sql`true` : sql`t.counter = any(${counters}::text[])`
  return sql`
    select c.product_id, ${sql.join(keys)} from ${cellsIn(span)} c cross join popularity_rules r ${weighed}
    where ${inSpan(span)} and ${asked} and ${isCounted} group by c.product_id`
}

function keyOfSpan(column: string, span: Span): RawBuilder<unknown> {
  if (column === 'score_micros') return scoreOf
  return column === 'trending' ? trendingOfSpan(span) : counterOf(column)
}

/** Σ weight · 2^((t − hour) / half-life) of cells c, as of the span's last whole hour. */
function trendingOfSpan({ fromMs, hourMs }: Span): RawBuilder<unknown> {
  const hour = at(hourMs)
  const edge = sql`${hour} - r.window_hours * interval '1 hour'`
  const from = fromMs === undefined ? sql`case when ${edge} < r.rolled_to then ${dayOf(edge)} else ${edge} end` : at(fromMs)
  const weight = sql`w.weight_micros / 1e6::float8 * c.decayed * ${decayFactor(sql`c.hour - ${hour}`)}`
  return sql`coalesce(${rounded(sql`sum(${weight}) filter (where c.hour >= ${from})`)}, 0)`
}

/** 2^(time / half-life), under the rules r; the exponent is held within float8's. */
function decayFactor(time: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`power(2::float8, least(greatest(date_part('epoch', ${time}) / 3600 / r.half_life_hours, -1000), 1000))`
}

/**
 * To a billionth: floats that are added in another order differ in their last digits, and pages must agree on the order. Above nine
 * million a billionth is less than a float's last digit.
 */
function rounded(value: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`round(${value} * 1e9::float8) / 1e9::float8`
}

/** The values of a position. */
function valuesOf(mode: Mode, table: string): RawBuilder<unknown> {
  return sql.raw(`array[${ORDERS[mode].by.map(({ column }) => `${table}.${column}::text`).join(', ')}]`)
}

/** Whether a product p is in the list, and after the page before. */
function listConditions({ mode, categoryIds, minInteractions, after, span }: PopularQuery): RawBuilder<unknown> {
  const conditions = [ORDERS[mode].where]
  if (minInteractions > 1) conditions.push(sql`${interactionsOf(span)} >= ${minInteractions}::bigint`)
  if (categoryIds === undefined) conditions.push(isListed(sql`p.product_id`))
  else if (span === undefined) conditions.push(inCategories(sql`p.product_id`, categoryIds))
  if (after !== undefined) conditions.push(isBeyond(ORDERS[mode].by, after.values, after.productId))
  return sql.join(conditions, sql` and `)
}

/** How many events of any type a product p has. */
function interactionsOf(span: Span | undefined): RawBuilder<unknown> {
  if (span === undefined) return sql`p.interaction_count`
  return sql`(select sum(c.events) from ${cellsIn(span)} c where c.product_id = p.product_id and ${inSpan(span)})`
}

/** After a position: a range of the index for the first column, and what is equal in it by the next. */
function isBeyond([first, ...rest]: Order['by'], [value, ...values]: readonly string[], productId: string): RawBuilder<unknown> {
  if (first === undefined) return sql`p.product_id > ${productId}`
  const column = sql.raw(`p.${first.column}`)
  const limit = sql`${value}::${sql.raw(first.type)}`
  return sql`(${column} <= ${limit} and (${column} < ${limit} or ${isBeyond(rest, values, productId)}))`
}

function ordered({ mode, limit }: PopularQuery, table = 'p'): RawBuilder<unknown> {
  const columns = ORDERS[mode].by.map(({ column }) => `${table}.${column} desc`).join(', ')
  // A limit in the text, because a plan for any limit would sort everything.
  return sql.raw(`order by ${columns}, ${table}.product_id limit ${limit}`)
}

/** Whether a product is listed and of one of the categories, by today's catalogue. */
function inCategories(productId: RawBuilder<unknown>, categoryIds: readonly string[] | undefined): RawBuilder<unknown> {
  if (categoryIds === undefined) return sql`true`
  return sql`${productId} in (
    select x.product_id from catalog.product x where x.category = any(${categoryIds}::text[]) and x.status = 'active')`
}

/** Whether a cell c is of the span. */
function inSpan({ fromMs, toMs }: Pick<Span, 'fromMs' | 'toMs'>): RawBuilder<unknown> {
  const from = fromMs === undefined ? sql`true` : sql`c.hour >= ${at(fromMs)}`
  const to = toMs === undefined ? sql`true` : sql`c.hour < ${at(toMs)}`
  return sql`${from} and ${to}`
}
