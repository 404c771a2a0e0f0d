import type { RerankPreset } from '../../contract/rerank.ts'
import { compareBytes } from '../byte-order.ts'
import { productOf } from './recommend.ts'
import type { Rule } from './rules.ts'

/** The numbers of the rules. All factors are above 0. */
export interface RerankNumbers {
  /** A category with n events of the visit has the factor 1 + min(intentMax, intentStep · n). */
  intentStep: number
  intentMax: number
  /** The factor of the newest products of the visit: the first entry with room for the product holds. */
  recent: readonly { products: number; factor: number }[]
  /** Products with fewer interactions have this factor. */
  floorInteractions: number
  floorFactor: number
  /** Products of a category that is more than this part of the list have this factor. */
  shareMax: number
  shareFactor: number
  /** So have those that have at least so many better ones of their category. */
  countMax: number
  countFactor: number
}

export interface RerankSettings {
  preset: RerankPreset
  presets: Readonly<Record<RerankPreset, RerankNumbers>>
}

/** Of products with at least so many interactions, the number changes nothing. */
export function floorOf({ preset }: { preset?: RerankPreset | undefined }, settings: RerankSettings): number {
  return settings.presets[preset ?? settings.preset].floorInteractions
}

const STANDARD: RerankNumbers = {
  intentStep: 0.08,
  intentMax: 0.4,
  recent: [
    { products: 5, factor: 0.2 },
    { products: 10, factor: 0.4 },
    { products: 20, factor: 0.6 },
  ],
  floorInteractions: 5,
  floorFactor: 0.9,
  shareMax: 0.25,
  shareFactor: 0.7,
  countMax: 4,
  countFactor: 0.5,
}

export const RERANK_DEFAULTS: Record<RerankPreset, RerankNumbers> = {
  standard: STANDARD,
  mild: {
    ...STANDARD,
    ...{ intentStep: 0.05, intentMax: 0.2, recent: [{ products: 20, factor: 0.7 }], shareMax: 0.4, shareFactor: 0.85 },
  },
}

export interface RerankInput {
  /** In any order. */
  items: readonly { productId: string; score: number }[]
  visit: {
    /** Newest first, each once. */
    products: readonly string[]
    /** Events by category. */
    categories: ReadonlyMap<string, number>
  }
  /** What is known of a product; nothing while the database is away, and then the rules that need it do not hold. */
  known: (productId: string) => KnownProduct
  numbers: RerankNumbers
}

export interface KnownProduct {
  category?: string | undefined
  /** Of all types; undefined when they are enough, too. */
  interactions?: number | undefined
  /** Whether neither the catalog nor the log has it. */
  isUnknown?: boolean | undefined
}

export interface Reranked {
  productId: string
  originalScore: number
  score: number
  rules: Rule[]
}

/**
 * Best first; ties by id, then by the original score. Each rule multiplies, and nothing is dropped. Unknown products are after all others, in the order of their
 * scores. A product that is in the list twice stays there twice.
 */
export function rerank(input: RerankInput): Reranked[] {
  const ageOf = new Map(input.visit.products.map((productId, age) => [productId, age]))
  const countOf = countsOf(input)
  const items = input.items.map(({ productId, score }) => {
    const age = ageOf.get(productId)
    const found = input.known(productId)
    // An event of the visit may not be recorded yet.
    const known = { ...found, isUnknown: found.isUnknown === true && age === undefined }
    const rules = known.isUnknown ? [UNKNOWN] : rulesOf(known, { age, countOf, input })
    return { productId, originalScore: score, score: multiplied(score, productOf(rules)), rules, known }
  })
  const ranked = items.sort(byScore)
  const places = new Map<string, number>()
  for (const item of ranked) {
    const { category } = item.known
    if (category === undefined) continue
    const place = (places.get(category) ?? 0) + 1
    places.set(category, place)
    if (place <= input.numbers.countMax) continue
    const { countFactor: factor } = input.numbers
    item.rules = [...item.rules, { rule: 'category_count', factor, detail: `place ${place} of category ${category}` }]
    item.score = multiplied(item.originalScore, productOf(item.rules))
  }
  return ranked.sort(byScore).map(({ known: _known, ...item }) => item)
}

const UNKNOWN: Rule = { rule: 'unknown_product', factor: 1, detail: 'neither the catalog nor the log has it, so it comes last' }

interface ItemFacts {
  /** How many newer products the visit has; undefined for a product that is not of the visit. */
  age: number | undefined
  countOf: ReadonlyMap<string, number>
  input: RerankInput
}

/** All but the one that depends on the order. */
function rulesOf({ category, interactions }: KnownProduct, { age, countOf, input }: ItemFacts): Rule[] {
  const { numbers, visit, items } = input
  const rules: Rule[] = []
  const events = category === undefined ? 0 : (visit.categories.get(category) ?? 0)
  if (events > 0) {
    const factor = 1 + Math.min(numbers.intentMax, numbers.intentStep * events)
    rules.push({ rule: 'intent_boost', factor, detail: `events of the visit with category ${category}: ${events}` })
  }
  const recent = age === undefined ? undefined : numbers.recent.find(({ products }) => age < products)
  if (recent !== undefined) {
    rules.push({ rule: 'recent_penalty', factor: recent.factor, detail: `place ${age! + 1} of the newest products` })
  }
  if (interactions !== undefined && interactions < numbers.floorInteractions) {
    rules.push({ rule: 'popularity_floor', factor: numbers.floorFactor, detail: `interactions: ${interactions}` })
  }
  const count = category === undefined ? 0 : countOf.get(category)!
  if (count / items.length > numbers.shareMax) {
    const detail = `items of category ${category}: ${count} of ${items.length}`
    rules.push({ rule: 'category_share', factor: numbers.shareFactor, detail })
  }
  return rules
}

/** How many items each category has. */
function countsOf({ items, known }: RerankInput): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { productId } of items) {
    const { category } = known(productId)
    if (category !== undefined) counts.set(category, (counts.get(category) ?? 0) + 1)
  }
  return counts
}

/** A score below 0 is divided, so that a penalty lowers it, too. The result is finite. */
function multiplied(score: number, factor: number): number {
  const result = score < 0 ? score / factor : score * factor
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, result))
}

interface Ordered extends Pick<Reranked, 'productId' | 'score' | 'originalScore'> {
  known: { isUnknown: boolean }
}

function byScore(one: Ordered, other: Ordered): number {
  return (
    Number(one.known.isUnknown) - Number(other.known.isUnknown) ||
    descending(one.score, other.score) ||
    compareBytes(one.productId, other.productId) ||
    descending(one.originalScore, other.originalScore)
  )
}

function descending(one: number, other: number): number {
  return one === other ? 0 : one < other ? 1 : -1
}
