import type { Blend, Strategy } from '../../contract/recommendation.ts'
import { NO_FACTS, type ProductFacts, type Taste } from './facts.ts'

/** What a score is made of. All but the similarity are between 0 and 1. */
export interface Parts {
  /** S of the recipe. */
  similarity: number
  /** How near the price is to the shopper's, and how far the stock goes. */
  base: { price: number; stock: number }
  /** Affinities. */
  preference: { category: number; brand: number }
  popularity: { trending: number; overall: number }
}

/** Value = similarity · S + rest · (base · B + preference · V + popularity · P). In the strategy popular S does not count, and rest is 1. */
export interface BlendWeights {
  similarity: number
  base: number
  preference: number
  popularity: number
  rest: number
}

/**
 * In the blend `similarity` the rest adds at most a millionth. So it orders products that are equally similar, and those that are not
 * similar at all come after the others.
 */
export const BLEND_DEFAULTS: Record<Blend, BlendWeights> = {
  similarity: { similarity: 1, base: 0.1, preference: 0.3, popularity: 0.6, rest: 1e-6 },
  weighted: { similarity: 0, base: 0.5, preference: 0.3, popularity: 0.2, rest: 1 },
}

/** The largest numbers, which are 1 on the scale of popularity. */
export interface PopularityScale {
  trending: number
  overall: number
}

const UNKNOWN_PRICE = 0.5
/** A stock of so many items is enough. */
const STOCK_ENOUGH = 10
const TRENDING_PART = 0.75

export function scaleOf(facts: Iterable<ProductFacts>): PopularityScale {
  const scale = { trending: 0, overall: 0 }
  for (const { trending, overall } of facts) {
    scale.trending = Math.max(scale.trending, trending)
    scale.overall = Math.max(scale.overall, overall)
  }
  return scale
}

export function partsOf(similarity: number, facts: ProductFacts = NO_FACTS, taste: Taste, scale: PopularityScale): Parts {
  return {
    similarity,
    base: {
      price: priceNearness(facts, taste),
      stock: Math.min(1, Math.max(0, (facts.quantity ?? STOCK_ENOUGH) / STOCK_ENOUGH)),
    },
    preference: {
      category: taste.categories.get(facts.category ?? '') ?? 0,
      brand: taste.brands.get(facts.brand ?? '') ?? 0,
    },
    popularity: {
      trending: logarithmic(facts.trending, scale.trending),
      overall: logarithmic(facts.overall, scale.overall),
    },
  }
}

/** The smaller one of the price and the median of the shopper's prices, by the larger one. */
function priceNearness({ price, currency }: ProductFacts, { medianPrice }: Taste): number {
  const median = currency === undefined ? undefined : medianPrice.get(currency)
  if (price === undefined || median === undefined) return UNKNOWN_PRICE
  const larger = Math.max(price, median)
  return larger === 0 ? 1 : Math.min(price, median) / larger
}

/** ln(1 + x) by that of the largest, because popularity is spread over orders of magnitude; at most 1. */
function logarithmic(value: number, largest: number): number {
  return value <= 0 || largest <= 0 ? 0 : Math.min(1, Math.log1p(value) / Math.log1p(largest))
}

export const baseOf = ({ base }: Parts): number => (base.price + base.stock) / 2
export const preferenceOf = ({ preference }: Parts): number => (preference.category + preference.brand) / 2
export const popularityOf = ({ popularity }: Parts): number =>
  TRENDING_PART * popularity.trending + (1 - TRENDING_PART) * popularity.overall

/** What each part is multiplied by. */
export type PartWeights = Omit<BlendWeights, 'rest'>

export function partWeightsOf(weights: BlendWeights, strategy: Strategy): PartWeights {
  const isPersonal = strategy === 'personal'
  const rest = isPersonal ? weights.rest : 1
  return {
    similarity: isPersonal ? weights.similarity : 0,
    base: rest * weights.base,
    preference: rest * weights.preference,
    popularity: rest * weights.popularity,
  }
}

export function valueOf(parts: Parts, weights: PartWeights): number {
  return (
    weights.similarity * parts.similarity +
    weights.base * baseOf(parts) +
    weights.preference * preferenceOf(parts) +
    weights.popularity * popularityOf(parts)
  )
}
