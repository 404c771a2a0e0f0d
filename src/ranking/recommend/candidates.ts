import { CANDIDATE_SOURCES, type CandidateSource, type Strategy } from '../../contract/recommendation.ts'
import { compareBytes } from '../byte-order.ts'
import type { ProductFacts } from './facts.ts'

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
  neighbours: 1_000,
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
  sources: readonly CandidateSource[]
  /** If they are known already. */
  facts?: ProductFacts | undefined
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

const LIST_OF: Record<CandidateSource, keyof CandidateLists> = {
  neighbours: 'neighbours',
  popular_in_category: 'popularInCategory',
  trending: 'trending',
  rising: 'rising',
  new: 'fresh',
  popular: 'popular',
}

/** The lists that bring a product. */
export function sourcesOf(
  productId: string,
  lists: CandidateLists,
  { strategy, limits = CANDIDATE_LIMITS }: Pick<CandidateQuery, 'strategy' | 'limits'>,
): CandidateSource[] {
  return SOURCES[strategy].filter((source) => lists[LIST_OF[source]].slice(0, limits[source]).includes(productId))
}

/** By product id. A product that several lists have is one candidate. */
export function candidatesOf(lists: CandidateLists, query: CandidateQuery): Candidate[] {
  const { strategy, similarityOf, limits = CANDIDATE_LIMITS } = query
  const candidates = new Map<string, Candidate & { sources: CandidateSource[] }>()
  for (const source of SOURCES[strategy]) {
    for (const productId of new Set(lists[LIST_OF[source]].slice(0, limits[source]))) {
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

interface Known {
  interactions: number
  items: readonly unknown[]
}

/** popular for a shopper with fewer than so many interactions, or with none that the recipe counts. */
export function strategyOf({ interactions, items }: Known, interactionsMin: number): Strategy {
  return interactions < interactionsMin || items.length === 0 ? 'popular' : 'personal'
}
