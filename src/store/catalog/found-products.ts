import { type RawBuilder, sql } from 'kysely'
import { SCORED_MAX, type SearchProductsRequest } from '../../contract/product-search.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { isSeen, matches } from './product-search-conditions.ts'
import type { Position } from './product-search-cursor.ts'
import { inOrder, named, nextNamed, NONE, worded } from './product-search-sets.ts'
import type { SearchTerms } from './search-terms.ts'

export interface FoundId {
  productId: string
  score: string | null
}

/**
 * How many products are passed over in the order of ids before an index is asked for all that match: it finds those of a rare term in a few
 * milliseconds, and others in a hundred.
 */
const PASSED_MAX = { rare: 10_000, frequent: 20_000 }

interface Scored {
  /** Undefined when more than 1,000 products match, or may match. */
  found: FoundId[] | undefined
  /** Whether at most 1,000 match by their words, and the others by their ids. */
  haveFewWords: boolean
}

export const BY_ID: Scored = { found: undefined, haveFewWords: false }

/** The next products by score. */
export async function byScore(
  db: Queryable,
  request: SearchProductsRequest,
  terms: SearchTerms,
  after: Position | undefined,
): Promise<Scored> {
  if (after === undefined && !terms.isRare && terms.all !== undefined) return BY_ID
  const max = after === undefined ? SCORED_MAX : 2 * SCORED_MAX
  const first = sql`limit ${sql.lit(max + 1)}`
  const result = await sql<{ byWords: number; matches: number; found: FoundId[] }>`
    with named as materialized (${named(request)} ${first}), worded as materialized (${worded(request, terms)} ${first}),
    few as materialized (select product_id from named union select product_id from worded), page as (
      select few.product_id, k.score_micros from few left join product_popularity k using (product_id)
      where (select count(*) from few) <= ${sql.lit(max)} and ${isSeen(request, sql`few.product_id`)} and ${isBeyond(after)}
      order by k.score_micros desc nulls last, few.product_id limit ${request.limit + 1}
    )
    select (select count(*)::int from worded) as "byWords", (select count(*)::int from few) as matches,
      coalesce(json_agg(json_build_object(
        'productId', product_id, 'score', score_micros::text) order by score_micros desc nulls last, product_id), '[]') as found
    from page`.execute(db)
  const { byWords, matches, found } = onlyRow(result)
  return { found: matches > max ? undefined : found, haveFewWords: byWords <= max }
}

/** Whether a row few with its popularity k comes after a position. */
function isBeyond(after: Position | undefined): RawBuilder<unknown> {
  if (after === undefined) return sql`true`
  const isLater = sql`few.product_id > ${after.productId}`
  if (after.score === null) return sql`k.score_micros is null and ${isLater}`
  const score = sql`${after.score}::bigint`
  return sql`(k.score_micros is null or k.score_micros < ${score} or (k.score_micros = ${score} and ${isLater}))`
}

/** The next products by id; undefined when they are far and all products with frequent words must be found. */
export async function nextById(
  db: Queryable,
  request: SearchProductsRequest,
  terms: SearchTerms,
  after: string,
): Promise<FoundId[] | undefined> {
  const isByWords = terms.all !== undefined || request.query === undefined
  const near = isByWords ? await nearById(db, request, terms, after) : undefined
  if (near !== undefined) return near
  return terms.isRare || !isByWords ? allById(db, request, terms, after) : undefined
}

/** The next products by id; undefined when the page does not fill from the products that are passed over. */
async function nearById(
  db: Queryable,
  request: SearchProductsRequest,
  terms: SearchTerms,
  after: string,
): Promise<FoundId[] | undefined> {
  const limit = request.limit + 1
  const passed = sql.lit(terms.isRare ? PASSED_MAX.rare : PASSED_MAX.frequent)
  const { rows } = await sql<FoundId>`
    with named as materialized (${terms.isComplete ? NONE : nextNamed(request, after)}), near as (
      select x.product_id from (${inOrder(request, after)} limit ${passed}) x where ${matches(request, terms)} and ${isSeen(request, sql`x.product_id`)} order by x.product_id limit ${limit}
    )
    select product_id as "productId", null as score from (select product_id from named union select product_id from near) found
    order by product_id limit ${limit}`.execute(db)
  if (rows.length === limit) return rows
  // Beside a rare term it costs no more to find all.
  return !terms.isRare && (await isNearEnd(db, inOrder(request, after), passed)) ? rows : undefined
}

/** Whether no product is left behind those that were passed over. */
async function isNearEnd(db: Queryable, products: RawBuilder<unknown>, passed: RawBuilder<unknown>): Promise<boolean> {
  const { rows } = await sql`select from (${products} offset ${passed} limit 1) x`.execute(db)
  return rows.length === 0
}

/** The next products by id, from all that match. */
export async function allById(
  db: Queryable,
  request: SearchProductsRequest,
  terms: SearchTerms,
  after: string,
): Promise<FoundId[]> {
  const isAll = terms.all === undefined && request.query === undefined
  const found = isAll ? sql`catalog.product_search` : sql`(select product_id from worded union select product_id from named)`
  const { rows } = await sql<FoundId>`
    with named as materialized (${nextNamed(request, after)}),
      worded as materialized (${worded(request, terms)})
    select product_id as "productId", null as score from ${found} x
    where product_id > ${after} and ${isSeen(request, sql`x.product_id`)} order by product_id limit ${request.limit + 1}`.execute(
    db,
  )
  return rows
}
