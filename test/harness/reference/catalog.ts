import type { Alert } from '../../../src/contract/alert.ts'
import type { MetricState } from '../../../src/contract/product-metrics.ts'

/*
 * What follows from the versions of products that were stored, by definition: the slow reference. The catalog itself depends on no
 * order (`expectedCatalogue`), and neither do its metrics (`expectedMetrics`). Crossings and states of the past depend on the order in which
 * the versions of each product were stored, so they are functions of these sequences.
 */

/** A version as it was stored. */
export interface StoredVersion {
  product_id: string
  seller_id: string | null
  category: string | null
  price: number | null
  currency: string | null
  quantity: number | null
  status: string
}

/** A crossing as text: the product, the quantity before and the quantity after. */
export type CrossingText = string

/** The crossings of an alert about stock when these versions are stored one after the other. */
export function expectedCrossings(
  { below, rearm_at: rearmAt = below, filter = {} }: Alert,
  versions: readonly StoredVersion[],
): CrossingText[] {
  const last = new Map<string, StoredVersion>()
  const raised = new Set<string>()
  const told: CrossingText[] = []
  for (const version of versions) {
    const { product_id: id, quantity } = version
    const before = last.get(id)
    last.set(id, version)
    if (before === undefined) continue
    if (version.status === 'deleted' || (quantity !== null && quantity >= rearmAt!)) raised.delete(id)
    const isFall = before.quantity !== null && before.quantity >= below! && quantity !== null && quantity < below!
    const isKept = Object.entries(filter).every(([name, value]) => version[name as keyof StoredVersion] === value)
    if (!isFall || !isKept || version.status !== 'active' || raised.has(id)) continue
    raised.add(id)
    told.push(`${id} ${before.quantity} → ${quantity}`)
  }
  return told
}

/** What low stock notes of a product when its versions are stored one after the other. */
export function expectedLowStock(versions: readonly StoredVersion[], below: number): CrossingText[] {
  const isLow = (version: StoredVersion | undefined) =>
    version?.status === 'active' && version.quantity !== null && version.quantity < below
  return versions.flatMap((version, place) => {
    const before = versions[place - 1]
    if (isLow(before) === isLow(version)) return []
    return [`${version.product_id} ${before?.quantity ?? null} → ${version.quantity}${isLow(version) ? ' low' : ''}`]
  })
}

/** The metrics of a key over these products, with null as the time of their last change. */
export function expectedState(key: string, products: readonly StoredVersion[], lowStockBelow: number): MetricState {
  const [kind, ...rest] = key.split('#')
  const name = rest.join('#')
  const isActive = ({ status }: StoredVersion) => status === 'active'
  const isDeleted = ({ status }: StoredVersion) => status === 'deleted'
  if (kind === 'LOWSTOCK') {
    const low = products.filter((product) => isActive(product) && product.quantity !== null && product.quantity < lowStockBelow)
    return { low_stock_count: low.length, last_updated: null }
  }
  const ours = products.filter((product) => (kind === 'SELLER' ? product.seller_id : product.category) === name)
  const kept = ours.filter((product) => !isDeleted(product))
  const currencies = [...new Set(kept.flatMap(({ currency }) => currency ?? []))].sort()
  const priced = currencies.map((currency) => ({ currency, products: kept.filter((product) => product.currency === currency) }))
  const amounts = priced.map(({ currency, products: some }) => ({
    currency,
    amount: some.reduce((sum, { price, quantity }) => sum + price! * Math.max(quantity ?? 0, 0), 0),
  }))
  if (kind === 'SELLER') {
    const counts = { active_products: ours.filter(isActive).length, deleted_products: ours.length - kept.length }
    return { seller_id: name, total_products: ours.length, ...counts, amounts, last_updated: null }
  }
  const average_prices = priced.map(({ currency, products: some }) => ({
    currency,
    amount: Math.round(some.reduce((sum, { price }) => sum + price!, 0) / some.length),
  }))
  return { category: name, total_products: kept.length, amounts, average_prices, last_updated: null }
}

/**
 * Whether a key can have had these states, in this order, and has the last one now: each of them when of every product a first part of its
 * versions was stored, and none with less than the one before. Tries every combination.
 */
export function areStatesOf(
  key: string,
  states: readonly MetricState[],
  versions: readonly StoredVersion[],
  lowStockBelow: number,
): boolean {
  const byProduct = [...Map.groupBy(versions, ({ product_id: id }) => id).values()]
  const textOf = (products: readonly StoredVersion[]) => sortedText(expectedState(key, products, lowStockBelow))
  const combinations = combinationsOf(byProduct.map((some) => some.length)).map((stored) => ({
    stored,
    text: textOf(stored.flatMap((count, place) => byProduct[place]![count - 1] ?? [])),
  }))
  const isFrom = (one: readonly number[], other: readonly number[]) => one.every((count, place) => count >= other[place]!)
  let reached = [byProduct.map(() => 0)]
  for (const state of states) {
    const text = sortedText(state)
    const next = combinations
      .filter((each) => each.text === text && reached.some((before) => isFrom(each.stored, before)))
      .map(({ stored }) => stored)
    // What can follow one of these can follow the smaller one that it contains.
    reached = next.filter((one) => !next.some((other) => other !== one && isFrom(one, other)))
  }
  const now = textOf(byProduct.map((some) => some.at(-1)!))
  return reached.length > 0 && now === (states.length === 0 ? textOf([]) : sortedText(states.at(-1)!))
}

/** Fields have no order in the database. */
function sortedText(state: MetricState): string {
  return JSON.stringify(state, (_name, value: unknown) =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1))),
  )
}

/** Every combination of numbers from 0 to these. */
function combinationsOf(maxima: readonly number[]): number[][] {
  return maxima.reduce<number[][]>(
    (combinations, max) => combinations.flatMap((some) => Array.from({ length: max + 1 }, (_, count) => [...some, count])),
    [[]],
  )
}
