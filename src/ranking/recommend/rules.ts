import type { SeenRule } from '../../contract/recommendation.ts'
import { DAY_MS } from '../../contract/fields/time.ts'
import { isAvailable, type ProductFacts } from './facts.ts'

export interface RuleSettings {
  /** What a product that the shopper has seen is multiplied by, if it is not removed. */
  seenFactor: number
  /** The same for a product that the shopper ordered lately. */
  orderedFactor: number
  orderedDays: number
  /** Categories whose products are bought again and again: neither of the two rules holds for what was ordered of them. */
  buyAgainCategories: ReadonlySet<string>
  /** At most so many products of a category, and of a brand, among the first 20. Undefined bounds nothing. */
  categoryMax: number | undefined
  brandMax: number | undefined
  /** The part of the first 20 places that is kept for products that are newer than the similarities. */
  newShare: number
  /** What a product is multiplied by for each time that it was shown without a click. */
  rotationFactor: number
  /** It is multiplied so often at most. */
  rotationTimesMax: number
}

export const RULE_DEFAULTS: RuleSettings = {
  seenFactor: 0.5,
  orderedFactor: 0.3,
  orderedDays: 30,
  buyAgainCategories: new Set(),
  categoryMax: 3,
  brandMax: undefined,
  newShare: 0.1,
  rotationFactor: 0.9,
  rotationTimesMax: 5,
}

/** Undefined parts filter nothing. */
export interface Filters {
  categoryIds?: ReadonlySet<string> | undefined
  brands?: ReadonlySet<string> | undefined
  sellerIds?: ReadonlySet<string> | undefined
  priceMin?: number | undefined
  priceMax?: number | undefined
  currency?: string | undefined
  exclude?: ReadonlySet<string> | undefined
}

/** What the rules know of a shopper. */
export interface ShopperFacts {
  seen: ReadonlySet<string>
  /** When each product was ordered last. */
  orderedAtMs: ReadonlyMap<string, number>
  /** How often each product was shown in the last hour without a click; empty without rotation. */
  shown: ReadonlyMap<string, number>
  nowMs: number
}

/** A rule that held, and what the score is multiplied by. */
export interface Rule {
  rule: string
  factor: number
  detail: string
}

/** Whether a product stays in the list. One that cannot be bought never does. */
export function isKept(productId: string, facts: ProductFacts, filters: Filters, seen: SeenRule, shopper: ShopperFacts): boolean {
  if (!isAvailable(facts) || filters.exclude?.has(productId)) return false
  return isIn(filters, facts) && (seen !== 'remove' || !shopper.seen.has(productId))
}

/** Whether a product passes the filters. One whose category, brand, seller or price is unknown passes none of that kind. */
function isIn({ categoryIds, brands, sellerIds, ...range }: Filters, facts: ProductFacts): boolean {
  const has = (names: ReadonlySet<string> | undefined, name: string | undefined) =>
    names === undefined || (name !== undefined && names.has(name))
  return has(categoryIds, facts.category) && has(brands, facts.brand) && has(sellerIds, facts.sellerId) && isInRange(range, facts)
}

function isInRange({ priceMin, priceMax, currency }: Filters, facts: ProductFacts): boolean {
  if (priceMin === undefined && priceMax === undefined) return currency === undefined || facts.currency === currency
  const { price } = facts
  if (price === undefined || (currency !== undefined && facts.currency !== currency)) return false
  return price >= (priceMin ?? 0) && price <= (priceMax ?? Infinity)
}

/** The rules that multiply the score of a product, in a fixed order. */
export function factorsOf(
  productId: string,
  { category }: ProductFacts,
  { seen, settings, shopper }: { seen: SeenRule; settings: RuleSettings; shopper: ShopperFacts },
): Rule[] {
  const rules: Rule[] = []
  const orderedAtMs = shopper.orderedAtMs.get(productId)
  const isBoughtAgain = orderedAtMs !== undefined && category !== undefined && settings.buyAgainCategories.has(category)
  if (orderedAtMs !== undefined && !isBoughtAgain && shopper.nowMs - orderedAtMs <= settings.orderedDays * DAY_MS) {
    const days = Math.max(0, Math.floor((shopper.nowMs - orderedAtMs) / DAY_MS))
    rules.push({ rule: 'recently_ordered', factor: settings.orderedFactor, detail: `days since the order: ${days}` })
  }
  if (seen === 'penalty' && shopper.seen.has(productId) && !isBoughtAgain) {
    rules.push({ rule: 'seen', factor: settings.seenFactor, detail: 'in the history of the shopper' })
  }
  const times = Math.min(shopper.shown.get(productId) ?? 0, settings.rotationTimesMax)
  if (times > 0) {
    const detail = `times shown without a click in the last hour: ${shopper.shown.get(productId)}`
    rules.push({ rule: 'rotation', factor: settings.rotationFactor ** times, detail })
  }
  return rules
}
