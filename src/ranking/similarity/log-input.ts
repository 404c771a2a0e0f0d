import { compareBytes } from '../byte-order.ts'
import { type Attributes, attributesOf } from './content.ts'
import { createHistoryBuilder, type Histories } from './histories.ts'
import { createInt32List, createInt32Map } from './int32-list.ts'
import { attributesOfProduct } from './product-attributes.ts'
import { basketSettings, type VersionSettings } from './version-settings.ts'

/** A part of the log: one value for each event, the newest event first. */
export interface LogEvents {
  shoppers: readonly string[]
  products: readonly string[]
  /** UTC days as whole numbers. */
  days: readonly number[]
  /** The basket of each purchase; null for other events. */
  baskets: readonly (string | null)[]
}

/** A part of the catalog: one value for each product. */
export interface CatalogProducts {
  products: readonly string[]
  categories: readonly (string | null)[]
  brands: readonly (string | null)[]
}

/** What a version is computed from. Products have numbers in the order of their ids, byte by byte. */
export interface LogInput {
  ids: string[]
  categories: (string | null)[]
  brands: (string | null)[]
  histories: Histories
  /** Baskets in the place of shoppers: each has its products once, and counts them in any order. */
  baskets: Histories
  attributes: Attributes
}

/** Collects the log, newest event first, then the catalog. Keeps 8 bytes of each event that counts, and 100 of each shopper and product. */
export interface LogCollector {
  addEvents: (events: LogEvents) => void
  addProducts: (products: CatalogProducts) => void
  finish: () => LogInput
}

export function createLogCollector(bounds: VersionSettings): LogCollector {
  const shoppers = new Map<string, number>()
  const products = new Map<string, number>()
  const histories = createHistoryBuilder('newest first', bounds)
  const baskets = createBasketBuilder(bounds)
  const attributes = new Map<number, [category: string | null, brand: string | null]>()

  /** Undefined for a product beyond the bound. */
  const productOf = (id: string): number | undefined =>
    products.get(id) ?? (products.size < bounds.productsMax ? numberIn(products, id) : undefined)
  return {
    addEvents: ({ shoppers: shopperIds, products: productIds, days, baskets: basketIds }) => {
      for (let at = 0; at < productIds.length; at++) {
        const product = productOf(productIds[at]!)
        if (product === undefined) continue
        histories.add(numberIn(shoppers, shopperIds[at]!), product, days[at])
        const basket = basketIds[at]!
        if (basket !== null) baskets.add(basket, product)
      }
    },
    addProducts: ({ products: ids, categories, brands }) => {
      ids.forEach((id, at) => {
        const product = productOf(id)
        if (product !== undefined) attributes.set(product, [categories[at]!, brands[at]!])
      })
    },
    finish: () => {
      const ids = [...products.keys()].sort(compareBytes)
      const numberOf = Int32Array.from(ids.keys())
      ids.forEach((id, number) => (numberOf[products.get(id)!] = number))
      const described = ids.map((id) => attributes.get(products.get(id)!) ?? ([null, null] as const))
      return {
        ids,
        categories: described.map(([category]) => category),
        brands: described.map(([, brand]) => brand),
        histories: histories.finish(ids.length, numberOf),
        baskets: baskets.finish(ids.length, numberOf),
        attributes: attributesOf(attributeNumbers(described)),
      }
    },
  }
}

const NONE = -1

function createBasketBuilder(bounds: VersionSettings) {
  const { basketProductsMax } = bounds
  const numbers = new Map<string, number>()
  const builder = createHistoryBuilder('newest first', basketSettings(bounds))
  /** The purchases of a basket are a chain, from the oldest one so far. */
  const last = createInt32Map(NONE)
  const before = createInt32List()
  const productOf = createInt32List()

  const holds = (basket: number, product: number): boolean => {
    let products = 0
    for (let at = last.get(basket); at !== NONE; at = before.at(at)) {
      if (productOf.at(at) === product || ++products === basketProductsMax) return true
    }
    return false
  }
  return {
    add: (id: string, product: number) => {
      const basket = numberIn(numbers, id)
      if (holds(basket, product)) return
      before.push(last.get(basket))
      last.set(basket, productOf.length())
      productOf.push(product)
      builder.add(basket, product)
    },
    finish: builder.finish,
  }
}

function numberIn(numbers: Map<string, number>, id: string): number {
  const known = numbers.get(id)
  if (known !== undefined) return known
  numbers.set(id, numbers.size)
  return numbers.size - 1
}

function attributeNumbers(described: readonly (readonly [string | null, string | null])[]): number[][] {
  const numbers = new Map<string, number>()
  return described.map(([category, brand]) =>
    attributesOfProduct(category, brand).map((attribute) => numberIn(numbers, attribute)),
  )
}
