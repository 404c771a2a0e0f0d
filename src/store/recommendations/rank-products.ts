import {
  CANDIDATE_LIMITS,
  type CandidateLimits,
  type CandidateLists,
  candidatesOf,
  FILTERED_LIMITS,
  sourcesOf,
} from '../../ranking/recommend/candidates.ts'
import { highestOf, type ProductFacts, tasteOf } from '../../ranking/recommend/facts.ts'
import { type Ranked, recommend } from '../../ranking/recommend/recommend.ts'
import type { ListCache } from './list-cache.ts'
import type { MadePage } from './page-cache.ts'
import { quickPage } from './quick-page.ts'
import { addFacts, inputOf, isFiltering, type RankQuery, type RankSources } from './rank-query.ts'

/** The page, and the facts of all products that it was made with. */
export interface RankedPage {
  page: Ranked[]
  facts: Map<string, ProductFacts>
  /** Products whose facts decide about the page, as far as they were read for it, and these facts. */
  standsOn: MadePage['standsOn']
}

/** Categories of the shopper whose popular products are candidates. */
const CATEGORIES_MAX = 3

/** Ranks all candidates, or, where the page is the same, the best of them. */
export async function rankProducts(sources: RankSources, query: RankQuery): Promise<RankedPage> {
  const facts = new Map<string, ProductFacts>()
  const quick = await quickPage(sources, query, facts)
  const standsOn = (productIds: readonly string[]) => productIds.map((productId) => [productId, facts.get(productId)] as const)
  if (quick !== undefined && !query.explains) return { page: quick.page, facts, standsOn: standsOn(quick.checked) }
  const lists = await candidateLists(sources, query, facts)
  const limits = limitsOf(query)
  if (quick === undefined) {
    const page = await wholePage(sources, query, { lists, limits, facts })
    return { page, facts, standsOn: standsOn(page.map(({ productId }) => productId)) }
  }
  const { strategy } = query
  const page = quick.page.map((product) => ({ ...product, sources: sourcesOf(product.productId, lists, { strategy, limits }) }))
  return { page, facts, standsOn: standsOn(quick.checked) }
}

function limitsOf({ options }: RankQuery): CandidateLimits {
  return isFiltering(options.filters) || options.limit > CANDIDATE_LIMITS.trending ? FILTERED_LIMITS : CANDIDATE_LIMITS
}

/** The lists without the products to exclude. Adds the facts of the history. */
async function candidateLists(
  { lists, facts: reader }: RankSources,
  query: RankQuery,
  facts: Map<string, ProductFacts>,
): Promise<CandidateLists> {
  const { shopper, neighbours, shared, newer, options } = query
  const history = shopper.history.items.map(({ productId }) => productId)
  const unread = history.filter((id) => !facts.has(id))
  addFacts(facts, await reader.read(unread), unread, newer)
  const isIncluded = (productId: string) => !options.filters.exclude?.has(productId)
  const best = neighbours?.best(limitsOf(query).neighbours) ?? []
  return {
    neighbours: best.map(({ product }) => neighbours!.ids[product]!).filter(isIncluded),
    popularInCategory: (await popularFor(lists, query, facts)).filter(isIncluded),
    trending: shared.trending.filter(isIncluded),
    rising: shared.rising.filter(isIncluded),
    fresh: newer.filter(isIncluded),
    popular: shared.popular.filter(isIncluded),
  }
}

interface Whole {
  lists: CandidateLists
  limits: CandidateLimits
  facts: Map<string, ProductFacts>
}

async function wholePage({ facts: reader }: RankSources, query: RankQuery, { lists, limits, facts }: Whole): Promise<Ranked[]> {
  const { strategy, neighbours, newer } = query
  const ids: string[] = Object.values(lists).flat()
  const candidates = candidatesOf(lists, {
    strategy,
    similarityOf: neighbours?.similaritiesOf(ids) ?? (() => 0),
    limits,
  })
  const unread = candidates.map(({ productId }) => productId).filter((id) => !facts.has(id))
  addFacts(facts, await reader.read(unread), unread, newer)
  return recommend(inputOf(query, candidates, facts))
}

/** Popular products under the filters, or else of the shopper's categories. */
async function popularFor(
  lists: ListCache,
  { shopper, options, settings }: RankQuery,
  facts: ReadonlyMap<string, ProductFacts>,
): Promise<readonly string[]> {
  const { exclude: _exclude, ...filters } = options.filters
  if (isFiltering(filters)) return lists.popularAmong(filters)
  const { categories } = tasteOf(shopper.history.items, facts, settings.decay)
  const names = highestOf(categories, CATEGORIES_MAX)
  const found = await Promise.all(names.map((name) => lists.popularAmong({ categoryIds: new Set([name]) })))
  // In turn, so that each category has its best ones among the candidates.
  return Array.from({ length: Math.max(0, ...found.map(({ length }) => length)) }).flatMap((_, place) =>
    found.flatMap((list) => list.slice(place, place + 1)),
  )
}
