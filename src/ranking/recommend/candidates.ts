import { CANDIDATE_SOURCES, type CandidateSource, type Strategy } from '../../contract/recommendation.ts'
import { compareBytes } from '../byte-order.ts'
import { byScore, type Candidate as ScoredProduct } from './score.ts'

/** Lists that candidates come from, each best first. */
export interface CandidateLists {
  /** Products with a score of the recipe. */
  neighbours: readonly string[]
  /** Popular products of the shopper's categories, or of those that were asked for. */
  popularInCategory: readonly string[]
  trending: readonly string[]
  rising: readonly string[]
  /** Products that are newer than the similarities. */
  fresh: readonly string[]
  popular: readonly string[]
}

/** How many of each list become candidates. */
export type CandidateLimits = Record<CandidateSource, number>

export const CANDIDATE_LIMITS: CandidateLimits = {
  neighbours: 200,
  popular_in_category: 100,
  trending: 50,
  rising: 20,
  new: 20,
  popular: 50,
}

/** With a filter many candidates are left out, so it takes all neighbours: at most 20 products of the history with 200 each. */
export const FILTERED_LIMITS: CandidateLimits = { ...CANDIDATE_LIMITS, neighbours: 4_000, trending: 100, popular: 100 }

export interface Candidate {
  productId: string
  /** S of the recipe, whichever list brought the product; 0 in the strategy popular. */
  similarity: number
  sources: CandidateSource[]
}

/** The lists of each strategy. */
const SOURCES: Record<Strategy, readonly CandidateSource[]> = {
  personal: CANDIDATE_SOURCES,
  popular: ['popular_in_category', 'trending', 'popular'],
}

interface CandidateQuery {
  strategy: Strategy
  /** S of the recipe; 0 for a product without a score. */
  similarityOf: (productId: string) => number
  limits?: CandidateLimits
}

/** By product id. A product that several lists have is one candidate. */
export function candidatesOf(lists: CandidateLists, query: CandidateQuery): Candidate[] {
  const { strategy, similarityOf, limits = CANDIDATE_LIMITS } = query
  const candidates = new Map<string, Candidate>()
  const idsOf: Record<CandidateSource, readonly string[]> = {
    neighbours: lists.neighbours,
    popular_in_category: lists.popularInCategory,
    trending: lists.trending,
    rising: lists.rising,
    new: lists.fresh,
    popular: lists.popular,
  }
  for (const source of SOURCES[strategy]) {
    for (const productId of new Set(idsOf[source].slice(0, limits[source]))) {
      const known = candidates.get(productId)
      if (known !== undefined) known.sources.push(source)
      else {
        const similarity = strategy === 'personal' ? similarityOf(productId) : 0
        candidates.set(productId, { productId, similarity, sources: [source] })
      }
    }
  }
  return [...candidates.values()].sort((one, other) => compareBytes(one.productId, other.productId))
}

/** The best of scored products, best first; ties by number. Products below the lowest score of these are never sorted. */
export function bestScored(scored: readonly ScoredProduct[], max: number): ScoredProduct[] {
  if (scored.length <= max) return scored.toSorted(byScore)
  const scores = new Float64Array(scored.length)
  for (let at = 0; at < scored.length; at++) scores[at] = scored[at]!.score
  const lowest = scores.sort()[scored.length - max]!
  return scored
    .filter(({ score }) => score >= lowest)
    .sort(byScore)
    .slice(0, max)
}

interface Known {
  interactions: number
  items: readonly unknown[]
}

/** popular for a shopper with fewer than so many interactions, or with none that the recipe counts. */
export function strategyOf({ interactions, items }: Known, interactionsMin: number): Strategy {
  return interactions < interactionsMin || items.length === 0 ? 'popular' : 'personal'
}
