import { type RawBuilder, sql } from 'kysely'
import type { SearchProductsRequest } from '../../contract/product-search.ts'
import { beginsWith, isSeen } from './product-search-conditions.ts'
import type { SearchTerms } from './search-terms.ts'

/** Products whose id begins with the query. By the catalog itself, so that they are found while the search is being filled. */
export function named({ query, category, brand, seller_id: sellerId, status }: SearchProductsRequest): RawBuilder<unknown> {
  if (query === undefined) return NONE
  const conditions = Object.entries({ category, brand, seller_id: sellerId, status }).flatMap(([column, value]) =>
    value === undefined ? [] : [sql`x.${sql.ref(column)} = ${value}`],
  )
  return sql`select x.product_id from catalog.product x where ${sql.join([beginsWith(query), ...conditions], sql` and `)}`
}

/** The next of the named products, a range of the key. */
export function nextNamed(request: SearchProductsRequest, after: string): RawBuilder<unknown> {
  if (request.query === undefined) return NONE
  return sql`${named(request)} and x.product_id > ${after} and ${isSeen(request, sql`x.product_id`)}
    order by x.product_id limit ${request.limit + 1}`
}

export const NONE = sql`select null::text collate "C" as product_id where false`

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

/** Products with their words, in the order of ids. Few are hidden or deleted, and an index of the catalog has those. */
export function inOrder({ status }: SearchProductsRequest, after: string): RawBuilder<unknown> {
  if (status === undefined || status === 'active')
    return sql`select product_id, words from catalog.product_search where product_id > ${after} order by product_id`
  return sql`
    select u.product_id, s.words from catalog.product u
      cross join lateral (select words from catalog.product_search w where w.product_id = u.product_id offset 0) s
    where u.status <> 'active' and u.product_id > ${after} order by u.product_id`
}
