import type { SentRecord } from '../harness/servers/kafka/topics.ts'
import { productEvent } from '../harness/items/records.ts'

const FAR_AHEAD_MS = 10 * 86_400_000
const update = (data: object = {}, envelope: object = {}): Record<string, unknown> =>
  productEvent({ productId: 'never-stored', ...data }, envelope)

/** A record that breaks the contract, and the field that its rejection names. */
export interface WrongRecord {
  record: SentRecord
  field: string | null
}

const of = (value: unknown, field: string | null, kind: SentRecord['kind'] = 'ProductUpdated'): WrongRecord => ({
  record: { kind, value },
  field,
})

/** Each way to break the contract of product events. */
export const WRONG_RECORDS: readonly WrongRecord[] = [
  of(Buffer.from('no JSON'), null),
  of(Buffer.from('{"eventId":"e-1",'), null),
  of(Buffer.alloc(0), null),
  of(Buffer.from([0x22, 0xff, 0xfe, 0x22]), null),
  of(null, null),
  of(null, null, 'ProductDeleted'),
  of([update()], null),
  of(update({}, { eventType: 'ProductDeleted' }), 'eventType'),
  of(update(), 'eventType', 'ProductCreated'),
  of(update({}, { eventType: 'ProductMoved' }), 'eventType'),
  of(update({}, { eventType: undefined }), 'eventType'),
  of(update({ price: -1 }), 'data.price'),
  of(update({ price: 49.5 }), 'data.price'),
  of(update({ price: '4990' }), 'data.price'),
  of(update({ price: 2 ** 53 }), 'data.price'),
  of(update({ quantity: 1.5 }), 'data.quantity'),
  of(update({ quantity: null }), 'data.quantity'),
  of(update({ productId: '' }), 'data.productId'),
  of(update({ name: 'a\0b' }), 'data.name'),
  of(update({ sellerId: undefined }), 'data.sellerId'),
  of(update({ category: undefined }), 'data.category'),
  of(update({}, { timestamp: Date.now() + FAR_AHEAD_MS }), 'timestamp'),
  of(update({}, { timestamp: 1_772_366_400 }), 'timestamp'),
  of(update({}, { timestamp: '2026-03-01T12:00:00Z' }), 'timestamp'),
  of(update({}, { eventId: undefined }), 'eventId'),
]
