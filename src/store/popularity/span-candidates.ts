import { type RawBuilder, sql } from 'kysely'
import type { Mode } from '../../contract/popular-list.ts'
import type { Span } from '../../ranking/span.ts'
import { isListed } from '../catalog/listed-product.ts'
import { COUNTERS } from './cells.ts'
import { orderColumns, ordered, type PopularQuery, whichOf } from './popular-order.ts'
import { at, risenTo } from './rising.ts'

/** More are not read one by one, because it takes less time then to read all cells of the span. */
const CANDIDATES_MAX = 2_000
/** Products of the list of all time beyond a page, because not all of them are on the page of the span. */
const FURTHER_SEEDS = 5

/** Whether candidates were found, and few enough. */
export const hasCandidates = sql`(select count(*) from candidate) between 1 and ${sql.lit(CANDIDATES_MAX)}`

/** Whether a cell c is of a candidate, or of another step's products. An array, because it is always looked up in the index by product. */
export const isOfCandidate = isOf('candidate')

function isOf(step: string): RawBuilder<unknown> {
  return sql`c.product_id = any(array(select product_id from ${sql.ref(step)}))`
}

/**
 * Steps of a statement. The last one, `candidate`, has all products that can be on the first page of a span, and none when they are not known: what a
 * product has in a span is at most what it has in all time. `seed` are the best products of all time, and `least` is the last one of their
 * page by the span. So a product of the page has in all time what `least` has in the span, or more. It holds in every
 * snapshot, because a product is counted together with its cells.
 * @param pageOf  reads the columns of the order for the page of the products whose cells c meet a condition
 */
export function candidatesOf(
  query: PopularQuery,
  span: Span,
  pageOf: (which: RawBuilder<unknown>) => RawBuilder<unknown>,
): RawBuilder<unknown> {
  const last = sql.raw(`offset ${query.limit - 1}`)
  return sql`
    seed as materialized (${seedsOf(query)}),
    least as materialized (
      select * from (${pageOf(isOf('seed'))}) p ${ordered(query)} ${last}
    ),
    cap as materialized (
      select t.counter, greatest(max(w.weight_micros), 0)::float8 as micros
      from popularity_rules r join weight w on w.version = r.weights_version left join event_type t on t.event_type = w.event_type
      group by t.counter
    ),
    ${query.mode === 'rising' ? risenTo(span, valueOfLeast('rising_score')) : sql`reaching as (${thatReach(query.mode, span)})`},
    candidate as materialized (select product_id from reaching limit ${sql.lit(CANDIDATES_MAX + 1)})`
}

/** As many products as a page has, and some more, of a list of all time. */
function seedsOf({ mode, limit, inStock }: PopularQuery): RawBuilder<unknown> {
  // What is trending says more about the scores of a span than the scores of all time do.
  const like: Mode = mode === 'overall' ? 'trending' : mode
  return sql`
    select p.product_id from ${sql.ref(mode === 'rising' ? 'product_rising' : 'product_popularity')} p
    where ${whichOf(like)} and ${isListed(sql`p.product_id`, { inStock })} ${ordered({ mode: like, limit: limit + FURTHER_SEEDS })}`
}

/** Products whose numbers of all time reach that of `least`. */
function thatReach(mode: Mode, span: Span): RawBuilder<unknown> {
  return sql`
    select p.product_id from product_popularity p cross join popularity_rules r
    where ${whichOf(mode)} and ${reachesLeast(orderColumns(mode)[0]!, span)}`
}

/** Whether a product p can reach `least`. The first condition on a score takes a third of the time of the second, which few products meet. */
function reachesLeast(column: string, span: Span): RawBuilder<unknown> {
  const least = valueOfLeast(column)
  const best = sql`p.interaction_count * (select max(micros) from cap)`
  if (column === 'score_micros') return sql`${best} >= ${least} and ${scoreMicrosAtMost} >= ${least}`
  if (column === 'trending') {
    // An event of before counts as less than its weight.
    return sql`(${best} >= ${least} * 1e6::float8 or p.last_interaction > ${at(span.hourMs)})
      and ${scoreMicrosAtMost} * ${asOfSpan(span)} >= ${least} * 1e6::float8`
  }
  return sql`p.${sql.ref(column)} >= (select ${sql.ref(column)} from least)`
}

/** A little less, because floats that are added in another order differ in their last digits, and because trending is rounded to nine decimals. */
function valueOfLeast(column: string): RawBuilder<unknown> {
  return sql`(select ${sql.ref(column)} - abs(${sql.ref(column)}) * 1e-9::float8 - 1e-9::float8 from least)`
}

/**
 * What the events of a product p score at most: each as much as the best type with its counter, or, without a counter, as the best type without one. No
 * type counts as less than 0, because the span may have none of its events.
 */
const scoreMicrosAtMost = sql`(${sql.join(
  COUNTERS.map((counter) => sql`p.${sql.ref(counter)} * ${capOf(sql`counter = ${sql.lit(counter)}`)}`),
  sql` + `,
)} + greatest(p.interaction_count - ${sql.join(
  COUNTERS.map((counter) => sql`p.${sql.ref(counter)}`),
  sql` - `,
)}, 0)
  * ${capOf(sql`counter is null`)})`

function capOf(which: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(select coalesce(max(micros), 0) from cap where ${which})`
}

/** What an event of a product p counts at most in the order by trending, in proportion to its weight: as if all were as late as the last one. */
function asOfSpan({ hourMs }: Span): RawBuilder<unknown> {
  const hours = sql`date_part('epoch', p.last_interaction - ${at(hourMs)}) / 3600`
  return sql`power(2::float8, least(greatest(${hours} / r.half_life_hours, -1000), 1000))`
}
