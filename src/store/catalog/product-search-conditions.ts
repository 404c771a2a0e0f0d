import { type RawBuilder, sql } from 'kysely'
import type { SearchProductsRequest } from '../../contract/product-search.ts'
import type { SearchTerms } from './search-terms.ts'

/** A range of the key. */
export function beginsWith(query: string): RawBuilder<unknown> {
  return sql`x.product_id ^@ ${query}`
}

/** Whether a row x of product_search matches. */
export function matches({ query }: SearchProductsRequest, { all, filters }: SearchTerms): RawBuilder<unknown> {
  const words = all === undefined ? sql`${query === undefined}::boolean` : sql`x.words @@ ${all}::tsquery`
  if (query === undefined) return words
  const isOfFilters = filters === undefined ? sql`true` : sql`x.words @@ ${filters}::tsquery`
  return sql`(${words} or (${beginsWith(query)} and ${isOfFilters}))`
}

export function isSeen({ seen }: SearchProductsRequest, productId: RawBuilder<unknown>): RawBuilder<unknown> {
  if (seen === undefined) return sql`true`
  return sql`${seen ? sql`` : sql`not`} exists (select from product_popularity seen where seen.product_id = ${productId})`
}
