import { type RawBuilder, sql } from 'kysely'
import type { Span } from '../../ranking/span.ts'
import { utc } from '../database/json.ts'
import { counterOf, COUNTERS, dayOf, isOfTypes, scoreOf, weighed } from './cells.ts'
import {
  inCategories,
  type ListRead,
  listConditions,
  orderColumns,
  ordered,
  type PopularQuery,
  valuesOf,
} from './popular-order.ts'
import { besideRow, jsonOfProduct, toBillionths } from './popularity-json.ts'
import { at, cellsIn, risingOf } from './rising.ts'
import { candidatesOf, hasCandidates, isOfCandidate } from './span-candidates.ts'

/**
 * A list of the numbers of a span. It finds the products of the page by the columns of the order alone, then adds up all numbers for
 * those few products. Both read the same hours in the same snapshot.
 */
export function listOfSpan(query: PopularQuery, span: Span, isDistributed: boolean): ListRead {
  const json = jsonOfProduct({
    trending_score: toBillionths('p.trending * p.since'),
    // For a past instant only the hour of the last event is known.
    ...(span.toMs !== undefined && { last_interaction: utc('p.last_hour') }),
    ...(query.mode === 'rising' && { rising_score: 'page.rising_score' }),
    ...besideRow(query.expand),
  })
  return sql`
    with ${stepsToPage(query, span, isDistributed)}, numbers as (
      select c.product_id, ${scoreOf} as score_micros, ${trendingOfSpan(span)} as trending, max(c.hour) as last_hour,
        ${sql.join(COUNTERS.map((counter) => sql`${counterOf(counter)} as ${sql.ref(counter)}`))}
      from page join ${cellsIn(span)} c using (product_id) cross join popularity_rules r ${weighed}
      where ${inSpan(span)}
      group by c.product_id
    )
    select ${valuesOf(query.mode, 'page')} as "values", p.product_id as "productId", ${json} as json
    from page join (
      select n.*, k.last_interaction, k.date_updated, ${decayFactor(sql`${(span.hourMs - span.instantMs) / 1_000}::float8`)} as since
      from numbers n join product_popularity k using (product_id) cross join popularity_rules r
    ) p using (product_id)
    ${ordered(query, 'page')}`
}

/**
 * Steps of a statement up to `page`, the columns of the order for the products of the page. The first page of all categories reads the cells of its
 * candidates only, where these are few. Nothing is known of what comes after a position; the products of a category are few; and a node of Citus
 * has not the candidates of the others.
 */
function stepsToPage(query: PopularQuery, span: Span, isDistributed: boolean): RawBuilder<unknown> {
  const pageOf = (keys: RawBuilder<unknown>) =>
    sql`select p.* from (${keys}) p where ${listConditions(query, interactionsIn(span))} ${ordered(query)}`
  if (query.categoryIds !== undefined || query.after !== undefined || isDistributed)
    return sql`page as materialized (${pageOf(keysOfSpan(query, span))})`
  return sql`
    ${candidatesOf(query, span, (which) => pageOf(keysOfSpan(query, span, which)))},
    page as materialized (${pageOf(sql`
      select * from (${keysOfSpan(query, span, sql`${isOfCandidate} and ${hasCandidates}`)}) few
      union all
      select * from (${keysOfSpan(query, span, sql`not ${hasCandidates}`)}) whole`)})`
}

/** The columns of the order for every requested product. Reads only types that count for them. `which` is a further condition on the cells c. */
function keysOfSpan({ mode, categoryIds, inStock }: PopularQuery, span: Span, which = sql`true`): RawBuilder<unknown> {
  const isRequested = sql`${inCategories(sql`c.product_id`, categoryIds, inStock)} and ${which}`
  // A rising product has events in the last day, and so in every window.
  const isOfFew = categoryIds !== undefined
  if (mode === 'rising') return risingOf(span, isRequested, { isOfFew })
  const columns = orderColumns(mode)
  const keys = columns.map((column) => sql`${keyOfSpan(column, span)} as ${sql.ref(column)}`)
  const counters = columns.filter((column) => (COUNTERS as readonly string[]).includes(column))
  const isCounted =
    counters.length === 0
      ? sql`true`
      : isOfTypes(sql`select event_type from event_type where counter = any(${counters}::text[])`, { isOfFew })
  return sql`
    select c.product_id, ${sql.join(keys)} from ${cellsIn(span)} c cross join popularity_rules r ${weighed}
    where ${inSpan(span)} and ${isRequested} and ${isCounted} group by c.product_id`
}

function keyOfSpan(column: string, span: Span): RawBuilder<unknown> {
  if (column === 'score_micros') return floatScoreOf
  return column === 'trending' ? trendingOfSpan(span) : counterOf(column)
}

/**
 * scoreOf in floats, which takes two thirds of its time for many products. Exact up to 2^53 millionths: only the order of products whose scores are
 * above nine billion, and differ by a few millionths, may be another one.
 */
const floatScoreOf = sql`sum(coalesce(w.weight_micros, 0)::float8 * c.events)::bigint`

/** Σ weight · 2^((t − hour) / half-life) of cells c, as of the span's last whole hour. */
function trendingOfSpan({ fromMs, hourMs }: Span): RawBuilder<unknown> {
  const hour = at(hourMs)
  const edge = sql`${hour} - r.window_hours * interval '1 hour'`
  const from = fromMs === undefined ? sql`case when ${edge} < r.rolled_to then ${dayOf(edge)} else ${edge} end` : at(fromMs)
  const weight = sql`w.weight_micros / 1e6::float8 * c.decayed * ${decayFactor(sql`date_part('epoch', c.hour) - ${hourMs / 1_000}::float8`)}`
  return sql`coalesce(${rounded(sql`sum(${weight}) filter (where c.hour >= ${from})`)}, 0)`
}

/** 2^(time / half-life) under the rules r. The exponent is held within the range of float8. Differences of intervals take twice as long. */
function decayFactor(seconds: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`power(2::float8, least(greatest((${seconds}) / 3600 / r.half_life_hours, -1000), 1000))`
}

/**
 * Rounds to a billionth, because floats that are added in another order differ in their last digits and pages must agree on the order.
 * Above nine million a billionth is less than the last digit of a float.
 */
function rounded(value: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`round(${value} * 1e9::float8) / 1e9::float8`
}

/** How many events of any type a product p has in the span. */
function interactionsIn(span: Span): RawBuilder<unknown> {
  return sql`(select sum(c.events) from ${cellsIn(span)} c where c.product_id = p.product_id and ${inSpan(span)})`
}

/** Whether a cell c is in the span. */
function inSpan({ fromMs, toMs }: Pick<Span, 'fromMs' | 'toMs'>): RawBuilder<unknown> {
  const from = fromMs === undefined ? sql`true` : sql`c.hour >= ${at(fromMs)}`
  const to = toMs === undefined ? sql`true` : sql`c.hour < ${at(toMs)}`
  return sql`${from} and ${to}`
}
