import { bestScored, CANDIDATE_LIMITS, candidatesOf, FILTERED_LIMITS } from '../../ranking/recommend/candidates.ts'
import { highestOf, type ProductFacts, tasteOf } from '../../ranking/recommend/facts.ts'
import { type Ranked, recommend } from '../../ranking/recommend/recommend.ts'
import type { ListCache } from './list-cache.ts'
import { similarityAmong } from './neighbours.ts'
import { quickPage } from './quick-page.ts'
import { inputOf, isFiltering, type RankQuery, type RankSources } from './rank-query.ts'

/** The page, and the facts of all products that it was made with. */
export interface RankedPage {
  page: Ranked[]
  facts: Map<string, ProductFacts>
}

/** Categories of the shopper whose popular products are candidates. */
const CATEGORIES_MAX = 3

/** Ranks all candidates, or, where the answer is the same, the best of them. */
export async function rankProducts(sources: RankSources, query: RankQuery): Promise<RankedPage> {
  const facts = new Map<string, ProductFacts>()
  const page = (await quickPage(sources, query, facts)) ?? (await wholePage(sources, query, facts))
  return { page, facts }
}

async function wholePage(
  { db, lists, facts: reader }: RankSources,
  query: RankQuery,
  facts: Map<string, ProductFacts>,
): Promise<Ranked[]> {
  const { strategy, shopper, neighbours, shared, options } = query
  const { exclude, ...filters } = options.filters
  const limits = isFiltering(filters) || options.limit > CANDIDATE_LIMITS.trending ? FILTERED_LIMITS : CANDIDATE_LIMITS
  const isIncluded = (productId: string) => !exclude?.has(productId)
  const own = {
    neighbours: bestScored(neighbours?.scored ?? [], limits.neighbours).map(({ product }) => neighbours!.idOf(product)),
    trending: shared.trending.filter(isIncluded),
    rising: shared.rising.filter(isIncluded),
    fresh: query.newer.filter(isIncluded),
    popular: shared.popular.filter(isIncluded),
  }
  const newer = new Set(query.newer)
  const load = (productIds: Iterable<string>) =>
    reader.add(
      db,
      facts,
      [...new Set(productIds)].filter((id) => !facts.has(id)),
      newer,
    )
  const history = shopper.history.items.map(({ productId }) => productId)
  await load([...history, ...Object.values(own).flat()])
  const popularInCategory = (await popularFor(lists, query, facts)).filter(isIncluded)
  await load(popularInCategory)
  const all = { ...own, popularInCategory }
  const similarityOf = neighbours === undefined ? () => 0 : similarityAmong(neighbours, Object.values(all).flat())
  return recommend(inputOf(query, candidatesOf(all, { strategy, similarityOf, limits }), facts))
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
