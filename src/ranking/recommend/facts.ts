import { compareBytes } from '../byte-order.ts'
import type { HistoryItem } from './history.ts'

/** What is known of a product now. A product that the catalog does not have has its counts alone. */
export interface ProductFacts {
  category?: string | undefined
  brand?: string | undefined
  sellerId?: string | undefined
  /** In minor units. */
  price?: number | undefined
  currency?: string | undefined
  /** Undefined when unknown. */
  quantity?: number | undefined
  /** Undefined when the catalog does not have it. */
  status?: 'active' | 'hidden' | 'deleted' | undefined
  /** Trending now, and the score of all time. Either may be below 0. */
  trending: number
  overall: number
  /** Whether it is newer than the similarities. */
  isNew: boolean
}

export type Facts = ReadonlyMap<string, ProductFacts>

/** Of a product of which nothing is known. */
export const NO_FACTS: ProductFacts = { trending: 0, overall: 0, isNew: false }

/** Whether a product may be shown. A quantity that is unknown counts as in stock, and so does an unknown product. */
export function isAvailable({ status = 'active', quantity }: ProductFacts): boolean {
  return status === 'active' && (quantity === undefined || quantity > 0)
}

/** What the history of a shopper says about prices and taste. */
export interface Taste {
  /** By currency. */
  medianPrice: ReadonlyMap<string, number>
  /** Each between 0 and 1, together less than 1. */
  categories: ReadonlyMap<string, number>
  brands: ReadonlyMap<string, number>
}

/**
 * The affinity of a category is its part of the decayed history: x(c) / (1 + Σ x), with x(c) = Σ λ^k · g over the products of c. It is that
 * of the preferences, with places in the history in the place of ages, so that it needs nothing but the history.
 */
export function tasteOf(history: readonly HistoryItem[], facts: Facts, decay: number): Taste {
  const categories = new Map<string, number>()
  const brands = new Map<string, number>()
  const prices = new Map<string, number[]>()
  history.forEach(({ productId, strength }, age) => {
    const { category, brand, price, currency } = facts.get(productId) ?? NO_FACTS
    const weight = decay ** age * strength
    add(categories, category, weight)
    add(brands, brand, weight)
    if (price !== undefined && currency !== undefined) prices.set(currency, [...(prices.get(currency) ?? []), price])
  })
  const medianPrice = new Map(Array.from(prices, ([currency, of]) => [currency, medianOf(of)]))
  return { medianPrice, categories: affinitiesOf(categories), brands: affinitiesOf(brands) }
}

/** The names with the highest affinities; ties in the order of their bytes. */
export function highestOf(affinities: ReadonlyMap<string, number>, max: number): string[] {
  const sorted = [...affinities].sort(([one, x], [other, y]) => y - x || compareBytes(one, other))
  return sorted.slice(0, max).map(([name]) => name)
}

function add(sums: Map<string, number>, name: string | undefined, weight: number): void {
  if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + weight)
}

function affinitiesOf(sums: ReadonlyMap<string, number>): Map<string, number> {
  const total = [...sums.values()].reduce((before, sum) => before + sum, 0)
  return new Map(Array.from(sums, ([name, sum]) => [name, sum / (1 + total)]))
}

function medianOf(prices: readonly number[]): number {
  const sorted = prices.toSorted((one, other) => one - other)
  const half = (sorted.length - 1) / 2
  return (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2
}
