import type { KafkaRecord } from '../../../src/admission/kafka-record.ts'
import type { RecordKind } from '../../../src/contract/kafka-record.ts'
import { instantOf } from '../../../src/contract/fields/time.ts'
import type { Product } from '../../../src/contract/product.ts'

export const TOPIC_OF: Readonly<Record<RecordKind, string>> = {
  ProductCreated: 'product.created',
  ProductUpdated: 'product.updated',
  ProductDeleted: 'product.deleted',
  interaction: 'interactions',
}

export const NOON_MS = Date.parse('2026-03-01T12:00:00Z')

/** A product event as a shop sends it. */
export function productEvent(data: object = {}, envelope: object = {}): Record<string, unknown> {
  return {
    eventId: 'e-1',
    eventType: 'ProductUpdated',
    timestamp: NOON_MS,
    data: { productId: 'lamp', sellerId: 's-1', name: 'Lamp', price: 4_990, quantity: 12, category: 'lighting', ...data },
    ...envelope,
  }
}

/** A record with this JSON, or these bytes. */
export function recordOf(value: unknown, changes: Partial<KafkaRecord> = {}): KafkaRecord {
  const kind = changes.kind ?? 'ProductUpdated'
  const bytes = value === null || Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value))
  return {
    topic: TOPIC_OF[kind],
    partition: 0,
    offset: 0n,
    kind,
    timestampMs: NOON_MS,
    key: Buffer.from('s-1'),
    value: bytes,
    headers: [],
    ...changes,
  }
}

/** The product that the mirror has after this event alone. */
export function mirrored(event: Record<string, unknown>, currency = 'EUR'): Product {
  const { productId, sellerId, name, price, quantity, category, brand } = event['data'] as Record<string, never> &
    Record<'name' | 'productId' | 'sellerId', string>
  const isDeleted = event['eventType'] === 'ProductDeleted'
  return {
    product_id: productId,
    seller_id: sellerId,
    name,
    ...(!isDeleted && { price, quantity, category, currency, ...(brand !== undefined && { brand }) }),
    status: isDeleted ? 'deleted' : 'active',
    updated_at: instantOf(event['timestamp'] as number),
  }
}
