import { billionthsOf } from '../../ranking/recommend/billionths.ts'
import { type PartWeights, partWeightsOf } from '../../ranking/recommend/blend.ts'
import { bestScored, CANDIDATE_LIMITS, candidatesOf } from '../../ranking/recommend/candidates.ts'
import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import { byTotal, CAPPED_PLACES } from '../../ranking/recommend/page.ts'
import { type Ranked, recommend, type RecommendSettings } from '../../ranking/recommend/recommend.ts'
import type { Queryable } from '../database/connection.ts'
import { addFacts } from './product-facts.ts'
import { inputOf, isFiltering, type RankQuery } from './rank-query.ts'

/** Candidates for each place. Caps turn some away, and rules lower others. */
const CANDIDATES_PER_PLACE = 3

/**
 * The page from the best neighbours of the history alone, when no other candidate can have a place: each of its products has a score above
 * what the best of the others could have. Undefined when one might. The facts of 80 products cost a fifth of those of all candidates.
 */
export async function quickPage(
  db: Queryable,
  query: RankQuery,
  facts: Map<string, ProductFacts>,
): Promise<Ranked[] | undefined> {
  const { strategy, neighbours, options, settings, explains, shopper } = query
  const { limit, filters, blend = settings.blend } = options
  const weights = partWeightsOf(settings.blends[blend], strategy)
  if (neighbours === undefined || explains || weights.similarity === 0 || limit > CAPPED_PLACES) return undefined
  if (isFiltering(filters) || canRaise(settings)) return undefined
  const best = bestScored(neighbours.scored, CANDIDATE_LIMITS.neighbours)
  const tried = Math.min(CANDIDATES_PER_PLACE * limit, best.length)
  const ids = best.slice(0, tried).map(({ product }) => neighbours.idOf(product))
  const fresh = query.newer.filter((productId) => !filters.exclude?.has(productId))
  const history = shopper.history.items.map(({ productId }) => productId)
  await addFacts(db, facts, [...new Set([...history, ...ids, ...fresh])], new Set(query.newer))

  const scores = new Map(ids.map((productId, at) => [productId, best[at]!.score]))
  const lists = { neighbours: ids, fresh, popularInCategory: [], trending: [], rising: [], popular: [] }
  const candidates = candidatesOf(lists, { strategy, similarityOf: (productId) => scores.get(productId) ?? 0 })
  const page = recommend(inputOf(query, candidates, facts))
  const others = withoutKept(page, Math.floor(limit * settings.rules.newShare))
  const highest = highestOf(weights, best[tried]?.score ?? 0)
  return page.length === limit && others.every(({ total }) => total > highest) ? page : undefined
}

/** Whether a rule can raise a score. */
function canRaise({ rules }: RecommendSettings): boolean {
  return Math.max(rules.seenFactor, rules.orderedFactor, rules.rotationFactor) > 1
}

/** The highest score of a product with such a similarity. */
function highestOf(weights: PartWeights, similarity: number): number {
  return billionthsOf(weights.similarity * similarity + weights.base + weights.preference + weights.popularity)
}

/** Without the new products whose places are kept, because only new products can have these. */
function withoutKept(page: readonly Ranked[], keptMax: number): Ranked[] {
  const kept = new Set(
    page
      .filter(({ facts }) => facts.isNew)
      .sort(byTotal)
      .slice(0, keptMax),
  )
  return page.filter((product) => !kept.has(product))
}
