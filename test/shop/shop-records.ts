import type { Product } from '../../src/contract/product.ts'
import { mirrored, productEvent } from '../harness/items/records.ts'
import type { SentRecord } from '../harness/servers/kafka/topics.ts'
import type { CatalogRow } from './catalog-file.ts'
import { WRONG_RECORDS } from './wrong-records.ts'

/** The product whose stock runs low while an alert watches it. No row of the file has its id. */
export const WATCHED = { productId: 'watched-lamp', sellerId: 'seller-watched', name: 'Lamp', price: 4_990, category: 'lighting' }
/** The seller all of whose products another alert watches. */
export const WATCHED_SELLER = 'seller-7'

export interface Shop {
  /** In two parts, because the second one has the fall of the watched product. */
  parts: [SentRecord[], SentRecord[]]
  /** Every version that the catalog is brought. */
  versions: Product[]
  rejected: number
  /** Interactions that are new. */
  views: number
}

const SELLERS = 600
const START_MS = Date.parse('2026-03-01T00:00:00Z')
const MEGABYTE = 'x'.repeat(1_000_000)
/** Records of 1 MB are 15 of the cosmetics catalog. */
const LARGE_EVERY = 10_000
const WRONG_EVERY = 400
const VIEW_EVERY = 20

/**
 * A shop's changes of these products, by fixed formulas: each first row of a product creates it, each further one updates it; every third
 * product has another price and stock later, every seventeenth is deleted, and every third of these comes back. One record in nine is sent
 * twice, one in seven after a newer one, and every fortieth product has an update and a delete of the same millisecond.
 */
export function shopOf(rows: readonly CatalogRow[]): Shop {
  const shop: Shop = { parts: [[], []], versions: [], rejected: 0, views: 0 }
  const send = (part: 0 | 1, record: SentRecord) => void shop.parts[part].push(record)
  const change = (part: 0 | 1, event: Record<string, unknown>, key?: Buffer) => {
    shop.versions.push(mirrored(event))
    const { sellerId } = event['data'] as { sellerId: string }
    send(part, { kind: event['eventType'] as SentRecord['kind'], value: event, key: key ?? sellerId })
  }
  change(0, productEvent({ ...WATCHED, quantity: 50 }, { eventType: 'ProductCreated', timestamp: START_MS }))
  const seen = new Map<string, number>()
  for (const [place, row] of rows.entries()) {
    const count = seen.get(row.productId) ?? 0
    seen.set(row.productId, count + 1)
    const part = place * 2 < rows.length ? 0 : 1
    // In pairs, the later one of which is older.
    const timestamp = START_MS + 10 * (place % 7 === 0 ? place + 8 : place)
    const event = eventOf(row, count, timestamp)
    // A key that is no UTF-8 is a key as every other.
    change(part, event, place % 5_000 === 1 ? Buffer.from([0xff, place & 0xff]) : undefined)
    if (place % 9 === 0) change(part, event)
    if (place % WRONG_EVERY === 0) {
      send(part, WRONG_RECORDS[(place / WRONG_EVERY) % WRONG_RECORDS.length]!.record)
      shop.rejected++
    }
    if (place % VIEW_EVERY === 0) {
      send(part, viewsOf(row, place))
      shop.views += 2
    }
  }
  for (const [place, productId] of [...seen.keys()].entries()) {
    for (const event of laterEvents(productId, place)) change(place % 2 === 0 ? 0 : 1, event)
  }
  return shop
}

/** The changes after those of the file. */
function laterEvents(productId: string, place: number): Record<string, unknown>[] {
  const timestamp = START_MS + 20_000_000 + 10 * place
  const row = { productId, category: `shelf-${place % 300}`, brand: undefined }
  const deleted = (ms: number) => {
    const data = { productId, sellerId: sellerOf(productId), name: nameOf(productId) }
    return { eventId: `d-${place}`, eventType: 'ProductDeleted', timestamp: ms, data: { ...data, deletedAt: ms } }
  }
  return [
    ...(place % 3 === 0 ? [eventOf(row, 11, timestamp), eventOf(row, 12, timestamp + 5)] : []),
    ...(place % 17 === 0 ? [deleted(timestamp + 1_000)] : []),
    ...(place % 51 === 0 ? [eventOf(row, 13, timestamp + 2_000)] : []),
    ...(place % 40 === 0 ? [eventOf(row, 14, timestamp + 3_000), deleted(timestamp + 3_000)] : []),
  ]
}

/** The event that makes the watched product low, and one after it that makes it lower. */
export function fallOfWatched(quantity: number, hour: number): { record: SentRecord; version: Product } {
  const event = productEvent({ ...WATCHED, quantity }, { timestamp: START_MS + hour * 3_600_000 })
  return { record: { kind: 'ProductUpdated', value: event, key: WATCHED.sellerId }, version: mirrored(event) }
}

function eventOf({ productId, category, brand }: CatalogRow, count: number, timestamp: number): Record<string, unknown> {
  const number = numberOf(productId)
  const data = {
    productId,
    sellerId: sellerOf(productId),
    name: nameOf(productId),
    price: (number * 37 + count * 101) % 20_000,
    quantity: ((number + 13 * count) % 62) - 2,
    category,
    ...(brand !== undefined && { brand }),
    createdAt: timestamp,
    updatedAt: timestamp,
    ...(number % LARGE_EVERY === 0 && { description: MEGABYTE }),
  }
  return productEvent(data, {
    // Further events of a product have the id of its first one, and other content.
    eventId: `e-${productId}`,
    eventType: count === 0 ? 'ProductCreated' : 'ProductUpdated',
    timestamp,
  })
}

const sellerOf = (productId: string) => `seller-${numberOf(productId) % SELLERS}`
const nameOf = (productId: string) => `Product ${productId}`

/** A number that is the same in every run. */
function numberOf(productId: string): number {
  let number = 0
  for (const character of productId) number = (number * 31 + character.charCodeAt(0)) % 1_000_003
  return number
}

/** Two views in a record. They name no event id, so their place in Kafka is their identity. */
function viewsOf({ productId }: CatalogRow, place: number): SentRecord {
  const view = { session_id: `s-${place % 1_000}`, event_type: 'view', ref_type: 'Product', ref_id: productId }
  return { kind: 'interaction', value: { interactions: [view, { ...view, event_type: 'add_to_cart' }] } }
}
