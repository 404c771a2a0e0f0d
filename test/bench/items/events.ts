import { uuidV7 } from '../../../src/contract/fields/event-id.ts'
import { DAY_MS, instantOf } from '../../../src/contract/fields/time.ts'
import { mulberry32, rankOf, shuffled, zipf } from '../../../src/cli/demo/random.ts'
import type { NewInteraction } from '../../../src/admission/interaction.ts'

export const PRODUCTS = 50_000
const SHOPPERS = 100_000

/** Event types in thousandths of the traffic: a shop with many views. */
const MIX = {
  view: 700,
  add_to_cart: 120,
  product_impression: 60,
  purchase: 50,
  click_from_search: 30,
  remove_from_cart: 30,
  add_to_favorites: 10,
} as const

/** One item of a CreateInteraction request. */
export interface Item {
  event_id: string
  occurred_at: string
  account_id: string
  event_type: string
  ref_type: 'Product'
  ref_id: string
}

/** A day of traffic that ends now, in time order. The same seed gives the same traffic; only the day moves. */
export function dayOfTraffic(count: number, seed = 1): Item[] {
  const next = traffic(seed)
  const startMs = Date.now() - DAY_MS
  return Array.from({ length: count }, (_, index) => next(startMs + Math.floor((index / count) * DAY_MS)))
}

/**
 * Makes events, each at the given time: 50,000 products by Zipf(1), shoppers uniform, ids of up to 8 characters, no metadata. Other visits are other
 * events of the same products and shoppers.
 */
export function traffic(seed = 1, productCount = PRODUCTS, visits = 1): (occurredAtMs: number) => Item {
  const randomOfShop = mulberry32(seed)
  const products = ids('p', productCount, randomOfShop)
  const shoppers = ids('u', SHOPPERS, randomOfShop)
  const random = mulberry32(seed ^ (visits << 16))
  const types = Object.entries(MIX).flatMap(([type, share]) => Array.from({ length: share }, () => type))
  const popularity = zipf(productCount)
  const idBytes = new Uint8Array(10)
  return (occurredAtMs) => {
    for (let place = 0; place < idBytes.length; place++) idBytes[place] = random() * 256
    return {
      event_id: uuidV7(occurredAtMs, idBytes),
      occurred_at: instantOf(occurredAtMs),
      account_id: shoppers[Math.floor(random() * SHOPPERS)]!,
      event_type: types[Math.floor(random() * types.length)]!,
      ref_type: 'Product',
      ref_id: products[rankOf(popularity, random())]!,
    }
  }
}

/** The row of an item, as the handler passes it to the store. */
export function rowOf(item: Item, index: number): NewInteraction {
  return {
    index,
    item,
    eventId: item.event_id,
    occurredAtMs: Date.parse(item.occurred_at),
    eventType: item.event_type,
    refType: item.ref_type,
    refId: item.ref_id,
    accountId: item.account_id,
    accountNumber: null,
    sessionId: null,
    ipAddress: null,
    userAgent: null,
    metadata: undefined,
  }
}

export function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size))
}

/** Numbered ids in random order, so that hot products are not neighbours in an index. */
function ids(prefix: string, count: number, random: () => number): string[] {
  return shuffled(
    Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`),
    random,
  )
}
