import { instantOf } from '../../contract/fields/time.ts'
import type { Reasons, Recommendation, ScoreShare } from '../../contract/recommendation.ts'
import { decimalOf, sharesOf } from './billionths.ts'
import { baseOf, popularityOf, preferenceOf } from './blend.ts'
import { type Facts, NO_FACTS, type ProductFacts } from './facts.ts'
import type { HistoryItem } from './history.ts'
import { productOf, type Ranked } from './recommend.ts'
import { categoryNodes } from '../similarity/product-attributes.ts'
import type { Term } from './score.ts'

/** The recipe's terms of a product: `entry` is a place in the history. */
export interface Terms {
  history: readonly HistoryItem[]
  facts: Facts
  decay: number
  /** ω of the version. */
  contentWeight: number
  termsOf: (productId: string) => readonly Term[]
}

/** A product as callers see it; with its reasons when its terms are given. */
export function recommendationOf(product: Ranked, terms?: Terms): Recommendation {
  const { productId, total, rank } = product
  const item = { product_id: productId, score: decimalOf(total), rank }
  return terms === undefined ? item : { ...item, reasons: reasonsOf(product, terms) }
}

function reasonsOf(product: Ranked, terms: Terms): Reasons {
  const { total, parts, rules, sources } = product
  return {
    total,
    similarity: parts.similarity,
    base: baseOf(parts),
    preference: preferenceOf(parts),
    popularity: popularityOf(parts),
    rules,
    candidates: [...sources],
    shares: scoreShares(product, terms),
  }
}

/** A part of a score before it is rounded to whole billionths. */
interface ExactShare {
  value: number
  share: DistributiveOmit<ScoreShare, 'share'>
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never

/** The shares of a score, largest first; equal ones in the order of the history, then base, preference and popularity. */
function scoreShares(product: Ranked, terms: Terms): ScoreShare[] {
  const factor = productOf(product.rules)
  const exact = [...similarityShares(product, terms), ...partShares(product)].filter(({ value }) => value > 0)
  const values = exact.map(({ value }) => value * factor)
  const shares = sharesOf(values, product.total)
  return exact
    .map(({ share }, at): ScoreShare => ({ share: shares[at]!, ...share }))
    .sort((one, other) => other.share - one.share)
}

function similarityShares({ productId, facts, weights: { similarity: weight } }: Ranked, terms: Terms): ExactShare[] {
  if (weight === 0) return []
  const { history, decay, contentWeight } = terms
  return terms.termsOf(productId).flatMap((term): ExactShare[] => {
    const { productId: had, eventId = null, eventType, occurredAtMs, strength } = history[term.entry]!
    const event = { product_id: had, event_id: eventId, event_type: eventType, occurred_at: instantOf(occurredAtMs) }
    const common = { ...event, age: term.entry, decay: decay ** term.entry, strength, weight }
    const byContent = weight * term.weight * contentWeight * term.cosine
    return [
      {
        value: weight * term.weight * term.similarity,
        share: { part: 'similarity', ...common, similarity: term.similarity, pairs: term.count },
      },
      {
        value: byContent,
        share: {
          part: 'content',
          ...common,
          cosine: term.cosine,
          content_weight: contentWeight,
          shared: sharedOf(facts, terms.facts.get(had) ?? NO_FACTS),
        },
      },
    ]
  })
}

/** The deepest node of the category path that both are in, and the brand. */
function sharedOf({ category, brand }: ProductFacts, other: ProductFacts): { category?: string; brand?: string } {
  const ofOther = new Set(categoryNodes(other.category ?? ''))
  const node = categoryNodes(category ?? '').findLast((each) => ofOther.has(each))
  return {
    ...(node !== undefined && { category: node }),
    ...(brand !== undefined && brand === other.brand && { brand }),
  }
}

function partShares({ parts, weights }: Ranked): ExactShare[] {
  const { base, preference, popularity } = parts
  return [
    { value: weights.base * baseOf(parts), share: { part: 'base', weight: weights.base, ...base } },
    { value: weights.preference * preferenceOf(parts), share: { part: 'preference', weight: weights.preference, ...preference } },
    { value: weights.popularity * popularityOf(parts), share: { part: 'popularity', weight: weights.popularity, ...popularity } },
  ]
}
