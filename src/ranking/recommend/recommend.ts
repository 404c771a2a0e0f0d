import type { Blend, SeenRule, Strategy } from '../../contract/recommendation.ts'
import { billionthsOf } from './billionths.ts'
import {
  type BlendWeights,
  type Parts,
  partsOf,
  type PartWeights,
  partWeightsOf,
  type PopularityScale,
  scaleOf,
  valueOf,
} from './blend.ts'
import type { Candidate } from './candidates.ts'
import { type Facts, NO_FACTS, tasteOf } from './facts.ts'
import type { HistoryItem } from './history.ts'
import { pageOf, type Scored } from './page.ts'
import { factorsOf, type Filters, isKept, type RuleSettings, type ShopperFacts } from './rules.ts'

/*
 * A recommendation: candidates, then facts about them, then a blend of the parts of their scores, then rules, then a page. Each step is a
 * function of its input, and ties are ordered by id. So the same events, similarities, catalog, settings and instant give the same list.
 */

export interface RecommendSettings {
  blend: Blend
  blends: Readonly<Record<Blend, BlendWeights>>
  rules: RuleSettings
  seen: SeenRule
  /** A shopper with fewer interactions gets popular products. */
  interactionsMin: number
  /** λ of the recipe. */
  decay: number
}

/** What is configured. λ is that of the version which an answer uses. */
export type RecommendConfig = Omit<RecommendSettings, 'decay'>

/** What a request asks for; undefined is as the settings say. */
export interface RecommendOptions {
  limit: number
  blend?: Blend | undefined
  seen?: SeenRule | undefined
  brandMax?: number | undefined
  filters: Filters
}

export interface RecommendInput {
  strategy: Strategy
  /** Newest first. */
  history: readonly HistoryItem[]
  candidates: readonly Candidate[]
  /** Of the candidates and of the products of the history. */
  facts: Facts
  /** That of the candidates if absent. */
  scale?: PopularityScale
  shopper: ShopperFacts
  options: RecommendOptions
  settings: RecommendSettings
}

/** A product of the list, with everything that its score was made of. */
export interface Ranked extends Scored, Omit<Candidate, 'facts'> {
  /** From 1. */
  rank: number
  parts: Parts
  weights: PartWeights
}

export function recommend(input: RecommendInput): Ranked[] {
  const { strategy, history, candidates, facts, shopper, options, settings } = input
  const { blend = settings.blend, seen = settings.seen, filters } = options
  const weights = partWeightsOf(settings.blends[blend], strategy)
  const taste = tasteOf(history, facts, settings.decay)
  const scale = input.scale ?? scaleOf(candidates.map(({ productId }) => facts.get(productId) ?? NO_FACTS))
  const rest = { seen, settings: settings.rules, shopper }
  const scored: (Scored & { candidate: Candidate })[] = []
  for (const candidate of candidates) {
    const { productId, similarity } = candidate
    const known = candidate.facts ?? facts.get(productId) ?? NO_FACTS
    if (!isKept(productId, known, filters, seen, shopper)) continue
    const rules = factorsOf(productId, known, rest)
    const total = billionthsOf(valueOf(partsOf(similarity, known, taste, scale), weights) * productOf(rules))
    scored.push({ productId, total, facts: known, rules, candidate })
  }
  const page = pageOf(scored, {
    limit: options.limit,
    // A request that names categories wants many of them.
    categoryMax: filters.categoryIds === undefined ? settings.rules.categoryMax : undefined,
    brandMax: options.brandMax ?? settings.rules.brandMax,
    newShare: settings.rules.newShare,
  })
  return page.map(({ candidate, ...product }, at) => {
    const parts = partsOf(candidate.similarity, product.facts, taste, scale)
    return { ...candidate, ...product, parts, weights, rank: at + 1 }
  })
}

/** The product of the factors. */
export function productOf(rules: readonly { factor: number }[]): number {
  return rules.reduce((before, { factor }) => before * factor, 1)
}
