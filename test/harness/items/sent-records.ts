import type { Product } from '../../../src/contract/product.ts'
import type { SentRecord } from '../servers/kafka/topics.ts'
import { mirrored, NOON_MS, productEvent } from './records.ts'

const KINDS = ['ProductCreated', 'ProductUpdated', 'ProductDeleted'] as const

/** A shop's changes, some of them twice and out of order, by numbers that a seed decides. */
export function changesOf(count: number, products: number): { sent: SentRecord[]; versions: Product[] } {
  const numbers = Array.from({ length: count }, (_, n) => (n * 7_919 + 13) % 10_007)
  const events = numbers.map((number, n) => {
    const eventType = KINDS[number % 11 === 0 ? 2 : n % 2]!
    const id = number % products
    const data = {
      productId: `p-${id}`,
      sellerId: `s-${id % 7}`,
      name: `Name ${number}`,
      price: number,
      quantity: number % 30,
      category: `c-${id % 5}`,
    }
    return productEvent(eventType === 'ProductDeleted' ? { ...data, deletedAt: 1 } : data, {
      eventType,
      timestamp: NOON_MS + number,
    })
  })
  const sent = [...events, ...events.slice(0, 20)].map((value) => ({
    kind: value['eventType'] as (typeof KINDS)[number],
    value,
    key: (value['data'] as { sellerId: string }).sellerId,
  }))
  return { sent, versions: events.map((event) => mirrored(event)) }
}

export const view = (n: number): SentRecord => ({
  kind: 'interaction',
  value: { session_id: `s-${n % 9}`, event_type: 'view', ref_type: 'Product', ref_id: `p-${n % 40}` },
})

export const broken = (n: number): SentRecord => ({ kind: 'ProductUpdated', value: Buffer.from(`broken ${n}`) })
