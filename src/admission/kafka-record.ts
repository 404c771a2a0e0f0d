import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { ChangedProductEvent, DeletedProductEvent, type RecordKind } from '../contract/kafka-record.ts'
import { uuidV7 } from '../contract/fields/event-id.ts'
import { EARLIEST_MS } from '../contract/fields/time.ts'
import { parseItem } from './parse-item.ts'
import type { ProductVersion } from './product.ts'
import type { ItemProblem } from './rows.ts'
import { FUTURE_MS_MAX, futureProblem } from './time-problem.ts'

/** Where a record is. Offsets go beyond 2^53. */
export interface RecordPosition {
  topic: string
  partition: number
  offset: bigint
}

/** A record as the broker has it. */
export interface KafkaRecord extends RecordPosition {
  kind: RecordKind
  /** When it was written, in ms since 1970. */
  timestampMs: number
  key: Buffer | null
  /** Null for a tombstone. */
  value: Buffer | null
  headers: readonly (readonly [name: string, value: Buffer | null])[]
}

/** The JSON of a record's value. Each value is looked at for NUL and depth by the checks of its items. */
export function jsonOfRecord({ value }: Pick<KafkaRecord, 'value'>): { json: unknown } | { rejection: ItemProblem } {
  const wrong = (message: string) => ({ rejection: { code: 'invalid', field: null, message } }) as const
  if (value === null) return wrong('is a tombstone, and no event')
  if (!isUtf8(value)) return wrong('is not UTF-8')
  try {
    return { json: JSON.parse(value.toString()) as unknown }
  } catch {
    return wrong('is not JSON')
  }
}

/**
 * Checks the value of a record of a topic with product events. `index` is its position in the batch. Fields that are not listed are not looked at,
 * and may be nested to any depth: the event is never written as JSON again.
 */
export function judgeProductEvent(
  kind: Exclude<RecordKind, 'interaction'>,
  json: unknown,
  { index, nowMs, currency }: { index: number; nowMs: number; currency: string },
): { version: ProductVersion } | { rejection: ItemProblem } {
  const eventType = (json as { eventType?: unknown } | null)?.eventType
  if (typeof eventType === 'string' && eventType !== kind) {
    return { rejection: { code: 'invalid', field: 'eventType', message: `must be ${kind} in this topic` } }
  }
  const common = { index, currency: null, price: null, quantity: null, category: null, brand: null } as const
  if (kind === 'ProductDeleted') {
    const result = parseItem({ schema: DeletedProductEvent, noun: 'a product event' }, json)
    if ('rejection' in result) return result
    const { timestamp, data } = result.parsed
    const rejection = timestampProblem(timestamp, nowMs)
    return rejection ? { rejection } : { version: { ...common, ...data, status: 'deleted', updatedAtMs: timestamp } }
  }
  const result = parseItem({ schema: ChangedProductEvent, noun: 'a product event' }, json)
  if ('rejection' in result) return result
  const { timestamp, data } = result.parsed
  const rejection = timestampProblem(timestamp, nowMs)
  if (rejection) return { rejection }
  return { version: { ...common, ...data, brand: data.brand ?? null, currency, status: 'active', updatedAtMs: timestamp } }
}

/** Seconds instead of milliseconds are a time in 1970, and such a version would lose to every other. */
function timestampProblem(timestampMs: number, nowMs: number): ItemProblem | undefined {
  const field = 'timestamp'
  if (timestampMs > nowMs + FUTURE_MS_MAX) {
    // Beyond the last date there is no span to name.
    if (timestampMs > 8.64e15) return { code: 'in_future', field, message: 'is no time in milliseconds' }
    return futureProblem(field, timestampMs, nowMs)
  }
  if (timestampMs < EARLIEST_MS) return { code: 'too_old', field, message: 'is before 2000-01-01; it is in milliseconds' }
  return undefined
}

/**
 * The id of an event without one: a UUIDv7 of its time, filled with a hash of its place, so that a record that is read again brings the
 * same event.
 */
export function eventIdOfPlace({ topic, partition, offset }: RecordPosition, place: number, timeMs: number): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([topic, partition, String(offset), place]))
    .digest()
  return uuidV7(timeMs, hash)
}
