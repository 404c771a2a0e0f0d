import { billionthsOf } from '../../ranking/recommend/billionths.ts'
import { type PartWeights, partWeightsOf } from '../../ranking/recommend/blend.ts'
import { bestScored, CANDIDATE_LIMITS, candidatesOf } from '../../ranking/recommend/candidates.ts'
import { isAvailable, NO_FACTS, type ProductFacts } from '../../ranking/recommend/facts.ts'
import { byTotal, CAPPED_PLACES } from '../../ranking/recommend/page.ts'
import { type Ranked, recommend, type RecommendSettings } from '../../ranking/recommend/recommend.ts'
import type { Candidate as ScoredProduct } from '../../ranking/recommend/score.ts'
import { inputOf, isFiltering, type RankQuery, type RankSources } from './rank-query.ts'

/** More candidates than places, because rules lower some. */
const SPARE_CANDIDATES = 6

/**
 * The page from the best neighbours of the history alone, when no other candidate can have a place: each of its products has a score above
 * what the best of the others could have. Undefined when one might. The facts of 50 products cost an eighth of those of all candidates.
 */
export async function quickPage(
  { db, facts: reader }: RankSources,
  query: RankQuery,
  facts: Map<string, ProductFacts>,
): Promise<Ranked[] | undefined> {
  const { strategy, neighbours, options, settings, explains, shopper } = query
  const { limit, filters, blend = settings.blend } = options
  const weights = partWeightsOf(settings.blends[blend], strategy)
  if (neighbours === undefined || explains || weights.similarity === 0 || limit > CAPPED_PLACES) return undefined
  if (isFiltering(filters) || canRaise(settings)) return undefined
  const best = bestScored(neighbours.scored, CANDIDATE_LIMITS.neighbours)
  const ids = best.map(({ product }) => neighbours.idOf(product))
  const newer = new Set(query.newer)
  const fresh = query.newer.filter((productId) => !filters.exclude?.has(productId))
  const others = [...shopper.history.items.map(({ productId }) => productId), ...fresh]
  let tried = firstGuess(ids, query, (productId) => reader.lastOf(productId))
  for (let from = 0; ; from = tried, tried = Math.min(2 * tried, ids.length)) {
    const unread = new Set([...(from === 0 ? others : []), ...ids.slice(from, tried)].filter((id) => !facts.has(id)))
    await reader.add(db, facts, [...unread], newer)
    const candidates = neighbourCandidates(best, { ids: ids.slice(0, tried), fresh })
    const page = recommend(inputOf(query, candidates, facts))
    const highest = highestOf(weights, best[tried]?.score ?? 0)
    if (isClosed(page, { limit, highest, keptMax: Math.floor(limit * settings.rules.newShare) })) return page
    if (tried === ids.length) return undefined
  }
}

/** Whether a rule can raise a score. */
function canRaise({ rules }: RecommendSettings): boolean {
  return Math.max(rules.seenFactor, rules.orderedFactor, rules.rotationFactor) > 1
}

/** How many of the best neighbours fill the page, by what was known of them last. */
function firstGuess(
  ids: readonly string[],
  { options, settings, shopper }: RankQuery,
  lastOf: (productId: string) => ProductFacts | undefined,
): number {
  const { categoryMax = Infinity } = settings.rules
  const counts = new Map<string, number>()
  let places = options.limit + SPARE_CANDIDATES
  for (const [at, productId] of ids.entries()) {
    const { category, ...facts } = lastOf(productId) ?? NO_FACTS
    if (!isAvailable(facts) || options.filters.exclude?.has(productId) || shopper.facts.seen.has(productId)) continue
    const count = category === undefined ? 0 : (counts.get(category) ?? 0)
    if (count >= categoryMax) continue
    if (category !== undefined) counts.set(category, count + 1)
    if (--places === 0) return at + 1
  }
  return ids.length
}

function neighbourCandidates(best: readonly ScoredProduct[], lists: { ids: string[]; fresh: string[] }) {
  const scores = new Map(lists.ids.map((productId, at) => [productId, best[at]!.score]))
  const none: string[] = []
  return candidatesOf(
    { neighbours: lists.ids, fresh: lists.fresh, popularInCategory: none, trending: none, rising: none, popular: none },
    { strategy: 'personal', similarityOf: (productId) => scores.get(productId) ?? 0 },
  )
}

/** The highest score of a product with such a similarity. */
function highestOf(weights: PartWeights, similarity: number): number {
  return billionthsOf(weights.similarity * similarity + weights.base + weights.preference + weights.popularity)
}

interface Rest {
  limit: number
  /** The highest score of all other candidates. */
  highest: number
  /** Places that are kept for new products, all of which are among the candidates. */
  keptMax: number
}

/** Whether no other candidate can have a place. */
function isClosed(page: readonly Ranked[], { limit, highest, keptMax }: Rest): boolean {
  if (page.length < limit) return false
  const kept = new Set(
    page
      .filter(({ facts }) => facts.isNew)
      .sort(byTotal)
      .slice(0, keptMax),
  )
  return page.every((product) => product.total > highest || kept.has(product))
}
