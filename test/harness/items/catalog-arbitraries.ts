import fc from 'fast-check'
import type { KafkaRecord } from '../../../src/admission/kafka-record.ts'
import type { RecordKind } from '../../../src/contract/kafka-record.ts'
import type { Product } from '../../../src/contract/product.ts'
import { NOON_MS, productEvent, recordOf, TOPIC_OF } from './records.ts'

/*
 * Few products, keys, amounts and times, so that versions collide, products move between sellers, categories and currencies, and stock crosses
 * its limits often.
 */

const TIMES_MS = Array.from({ length: 20 }, (_, n) => NOON_MS - 1_000 * n)
const productId = fc.constantFrom('a', 'b', 'c')
const seller = fc.constantFrom('north', 'south', 'Ünï 🛒')
const category = fc.constantFrom('lighting', 'seats')
const quantity = fc.constantFrom(-3, 4, 5, 9, 10, 12)
const price = fc.constantFrom(0, 5, 999)
const time = fc.constantFrom(...TIMES_MS)
const name = fc.constantFrom('x', 'y')
const absent = { nil: undefined, freq: 6 }

/** A version as callers and files send it. */
export const sentVersion: fc.Arbitrary<Product> = fc
  .record({
    product_id: productId,
    seller_id: fc.option(seller, absent),
    name,
    category: fc.option(category, absent),
    cost: fc.option(fc.record({ price, currency: fc.constantFrom('EUR', 'USD') }), { nil: {} }),
    quantity: fc.option(quantity, absent),
    status: fc.constantFrom('active', 'active', 'active', 'hidden', 'deleted'),
    time,
  })
  .map(({ cost, time: timeMs, ...rest }) => {
    const fields = { ...rest, ...cost, updated_at: new Date(timeMs).toISOString() }
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Product
  })

/** A record of a topic with product events. `event` is undefined for one that breaks the contract. */
export interface LoggedRecord {
  record: KafkaRecord
  event: Record<string, unknown> | undefined
  timeMs: number
  /** From the offset of the record before it in its partition. */
  gap: number
}

const WRONG: readonly ((event: Record<string, unknown>) => unknown)[] = [
  () => null,
  () => Buffer.from('no JSON'),
  () => Buffer.from([0xff]),
  (event) => ({ ...event, eventType: 'ProductMoved' }),
  (event) => ({ ...event, timestamp: NOON_MS + 3_600_000 }),
  (event) => ({ ...event, data: { ...(event['data'] as object), name: 5 } }),
]

const UPDATED = Array.from({ length: 3 }, () => 'ProductUpdated' as const)

export const loggedRecord: fc.Arbitrary<LoggedRecord> = fc
  .record({
    kind: fc.constantFrom('ProductCreated', ...UPDATED, ...UPDATED, 'ProductDeleted'),
    ...{ productId, seller, name, category, quantity, price, time },
    partition: fc.constantFrom(0, 1),
    gap: fc.constantFrom(1, 1, 1, 2),
    wrong: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(...WRONG) }),
  })
  .map(({ kind, seller: sellerId, time: timestamp, partition, gap, wrong, ...rest }) => {
    const event = productEvent({ ...rest, sellerId }, { eventType: kind, timestamp })
    const changes = { kind: kind as RecordKind, topic: TOPIC_OF[kind], partition }
    const record = recordOf(wrong === undefined ? event : wrong(event), changes)
    return { record, event: wrong === undefined ? event : undefined, timeMs: timestamp, gap }
  })
