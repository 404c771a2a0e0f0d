import { compareBytes } from '../byte-order.ts'
import type { ProductFacts } from './facts.ts'
import type { Rule } from './rules.ts'

/** Caps and kept places hold for so many places. */
export const CAPPED_PLACES = 20

/** A product with its score. */
export interface Scored {
  productId: string
  /** Billionths. */
  total: number
  facts: ProductFacts
  rules: Rule[]
}

export interface PageSettings {
  limit: number
  categoryMax: number | undefined
  brandMax: number | undefined
  newShare: number
}

/** Best first; ties by id, so that two answers never disagree. */
export function byTotal(one: Scored, other: Scored): number {
  return other.total - one.total || compareBytes(one.productId, other.productId)
}

/**
 * The first `limit` products. The first 20 places have at most so many products of a category, and of a brand, and some are kept for new
 * products. Both parts, the first 20 and the rest, have the order of the scores. A product that a cap turns away comes after place 20, so
 * a list of few categories may end before. Rules that changed a place are added to the product's rules, with the factor 1.
 */
export function pageOf<Product extends Scored>(products: readonly Product[], settings: PageSettings): Product[] {
  const { limit } = settings
  const sorted = products.toSorted(byTotal)
  const rules = new Map<string, Rule>()
  const first = firstPlaces(sorted, settings, rules)
  const isFirst = new Set(first)
  const rest = first.length < CAPPED_PLACES ? [] : sorted.filter((product) => !isFirst.has(product))
  return [...first, ...rest].slice(0, limit).map((product) => {
    const rule = rules.get(product.productId)
    return rule === undefined ? product : { ...product, rules: [...product.rules, rule] }
  })
}

/** Adds rules by product id. */
function firstPlaces<Product extends Scored>(
  sorted: readonly Product[],
  settings: PageSettings,
  rules: Map<string, Rule>,
): Product[] {
  const places = Math.min(settings.limit, CAPPED_PLACES)
  const caps = createCaps(settings, rules)
  const isNew = ({ facts }: Product) => facts.isNew
  const fresh = take(sorted.filter(isNew), Math.floor(places * settings.newShare), caps)
  const isTaken = new Set(fresh)
  const others = take(
    sorted.filter((product) => !isTaken.has(product)),
    places - fresh.length,
    caps,
  )
  const lowest = others.at(-1)
  const isFull = fresh.length + others.length === places
  for (const product of fresh) {
    if (isFull && lowest !== undefined && byTotal(lowest, product) < 0) rules.set(product.productId, NEW_PRODUCT)
  }
  return [...fresh, ...others].sort(byTotal)
}

const NEW_PRODUCT: Rule = { rule: 'new_product', factor: 1, detail: 'has a place that is kept for new products' }

/** The best products that the caps let pass. */
function take<Product extends Scored>(
  sorted: readonly Product[],
  count: number,
  passes: (product: Scored) => boolean,
): Product[] {
  const taken: Product[] = []
  for (const product of sorted) {
    if (taken.length === count) break
    if (passes(product)) taken.push(product)
  }
  return taken
}

/** Counts the products that pass. One that does not pass gets a rule that says so. */
function createCaps({ categoryMax = Infinity, brandMax = Infinity }: PageSettings, rules: Map<string, Rule>) {
  const caps = [
    { kind: 'category', max: categoryMax, counts: new Map<string, number>() },
    { kind: 'brand', max: brandMax, counts: new Map<string, number>() },
  ] as const
  return ({ productId, facts }: Scored): boolean => {
    const named = caps.flatMap((cap) => {
      const name = facts[cap.kind]
      return name === undefined ? [] : { name, ...cap }
    })
    const full = named.find(({ name, counts, max }) => (counts.get(name) ?? 0) >= max)
    if (full !== undefined) {
      const detail = `the first ${CAPPED_PLACES} have ${full.max} of ${full.kind} ${full.name}`
      rules.set(productId, { rule: `${full.kind}_cap`, factor: 1, detail })
      return false
    }
    for (const { name, counts } of named) counts.set(name, (counts.get(name) ?? 0) + 1)
    return true
  }
}
