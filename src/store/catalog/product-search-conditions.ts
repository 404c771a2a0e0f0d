import { type RawBuilder, sql } from 'kysely'
import type { SearchProductsRequest } from '../../contract/product-search.ts'
import type { Position } from './product-search-cursor.ts'
import type { SearchTerms } from './search-terms.ts'

/** Products whose id begins with the query. By the catalog itself, so that they are found while the search is being filled. */
export function named({ query, category, brand, seller_id: sellerId, status }: SearchProductsRequest): RawBuilder<unknown> {
  if (query === undefined) return NONE
  const conditions = Object.entries({ category, brand, seller_id: sellerId, status }).flatMap(([column, value]) =>
    value === undefined ? [] : [sql`x.${sql.ref(column)} = ${value}`],
  )
  return sql`select x.product_id from catalog.product x where ${sql.join([beginsWith(query), ...conditions], sql` and `)}`
}

/** The next ones of them, which are a range of the key. */
export function nextNamed(request: SearchProductsRequest, after: string): RawBuilder<unknown> {
  if (request.query === undefined) return NONE
  return sql`${named(request)} and x.product_id > ${after} and ${isSeen(request, sql`x.product_id`)}
    order by x.product_id limit ${request.limit + 1}`
}

export const NONE = sql`select null::text collate "C" as product_id where false`

/** A range of the key. */
function beginsWith(query: string): RawBuilder<unknown> {
  return sql`x.product_id ^@ ${query}`
}

/** Products whose words match. */
export function worded({ query }: SearchProductsRequest, { all, indexed, isComplete }: SearchTerms): RawBuilder<unknown> {
  if (all === undefined) return query === undefined ? everyProduct(isComplete) : NONE
  // As it is written, the index is not asked for the others: it would read every entry of them.
  const others = indexed === all ? sql`` : sql`and (words @@ ${all}::tsquery) is true`
  return sql`select product_id from catalog.product_search where words @@ ${indexed}::tsquery ${others}`
}

function everyProduct(isComplete: boolean): RawBuilder<unknown> {
  return isComplete ? sql`select product_id from catalog.product_search` : sql`select product_id from catalog.product`
}

/** Whether a row x of product_search matches. */
export function matches({ query }: SearchProductsRequest, { all, filters }: SearchTerms): RawBuilder<unknown> {
  const words = all === undefined ? sql`${query === undefined}::boolean` : sql`x.words @@ ${all}::tsquery`
  if (query === undefined) return words
  const isOfFilters = filters === undefined ? sql`true` : sql`x.words @@ ${filters}::tsquery`
  return sql`(${words} or (${beginsWith(query)} and ${isOfFilters}))`
}

/** Products with their words, in the order of ids. Few are hidden or deleted, and an index of the catalog has those. */
export function inOrder({ status }: SearchProductsRequest, after: string): RawBuilder<unknown> {
  if (status === undefined || status === 'active')
    return sql`select product_id, words from catalog.product_search where product_id > ${after} order by product_id`
  return sql`
    select u.product_id, s.words from catalog.product u
      cross join lateral (select words from catalog.product_search w where w.product_id = u.product_id offset 0) s
    where u.status <> 'active' and u.product_id > ${after} order by u.product_id`
}

export function isSeen({ seen }: SearchProductsRequest, productId: RawBuilder<unknown>): RawBuilder<unknown> {
  if (seen === undefined) return sql`true`
  return sql`${seen ? sql`` : sql`not`} exists (select from product_popularity seen where seen.product_id = ${productId})`
}

/** Whether a row few with its popularity k comes after a position. */
export function isBeyond(after: Position | undefined): RawBuilder<unknown> {
  if (after === undefined) return sql`true`
  const isLater = sql`few.product_id > ${after.productId}`
  if (after.score === null) return sql`k.score_micros is null and ${isLater}`
  const score = sql`${after.score}::bigint`
  return sql`(k.score_micros is null or k.score_micros < ${score} or (k.score_micros = ${score} and ${isLater}))`
}
