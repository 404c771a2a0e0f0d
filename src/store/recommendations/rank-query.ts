import type { RecommendRequest, Strategy } from '../../contract/recommendation.ts'
import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import type { RecommendInput, RecommendOptions, RecommendSettings } from '../../ranking/recommend/recommend.ts'
import type { Filters } from '../../ranking/recommend/rules.ts'
import type { Queryable } from '../database/connection.ts'
import type { FactsReader } from './facts-reader.ts'
import type { KnownShopper } from './known-shopper.ts'
import type { ListCache } from './list-cache.ts'
import type { Neighbours } from './neighbours.ts'
import type { SharedLists } from './shared-lists.ts'

/** What a list is read with. */
export interface RankSources {
  db: Queryable
  lists: ListCache
  facts: FactsReader
}

/** What a list is made from. */
export interface RankQuery {
  strategy: Strategy
  shopper: KnownShopper
  /** None before the first version, and in the strategy popular. */
  neighbours: Neighbours | undefined
  shared: SharedLists
  /** Products that are newer than the version. */
  newer: readonly string[]
  options: RecommendOptions
  settings: RecommendSettings
  /** Whether the lists that brought a product matter. */
  explains: boolean
}

/** Whether a product can be left out for what it is. */
export function isFiltering(filters: Filters): boolean {
  const { exclude: _exclude, ...others } = filters
  return Object.values(others).some((value) => value !== undefined)
}

export function inputOf(
  { strategy, shopper, shared, options, settings }: RankQuery,
  candidates: RecommendInput['candidates'],
  facts: ReadonlyMap<string, ProductFacts>,
): RecommendInput {
  return {
    ...{ strategy, candidates, facts, options, settings },
    history: shopper.history.items,
    scale: shared.scale,
    shopper: shopper.facts,
  }
}

/** What a request asks for. */
export function optionsOf(request: RecommendRequest): RecommendOptions {
  const { limit, blend, seen, brand_max: brandMax, price_min: priceMin, price_max: priceMax, currency } = request
  const setOf = (ids: readonly string[] | undefined) => ids && new Set(ids)
  const filters = {
    ...{ priceMin, priceMax, currency },
    categoryIds: setOf(request.category_ids),
    brands: setOf(request.brands),
    sellerIds: setOf(request.seller_ids),
    exclude: setOf(request.exclude),
  }
  return { limit, blend, seen, brandMax, filters }
}

/** Whether a request has filters, which can cost a scan of the catalog. */
export function hasFilters(request: RecommendRequest): boolean {
  return isFiltering(optionsOf(request).filters)
}
