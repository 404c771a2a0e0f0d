import { instantOf } from '../contract/fields/time.ts'
import { hasFields, isIdentified, isPresent } from './event-identity.ts'
import type { KafkaRecord } from './kafka-record.ts'
import type { ItemProblem } from './rows.ts'

type Fields = Record<string, unknown>
export type Items = { items: readonly unknown[] } | { rejection: ItemProblem }

/** Items of a record at most, as of a request. */
const ITEMS_MAX = 10_000

/**
 * The interactions in the JSON of a record: one, or `{interactions: […]}` as in a request, or the data of a CloudEvent (1.0, structured
 * or binary). An item without a time happened when the record was written.
 */
export function interactionsIn(json: unknown, record: Pick<KafkaRecord, 'headers' | 'timestampMs'>): Items {
  const event = cloudEventOf(json, record.headers)
  if (event !== undefined && 'rejection' in event) return event
  const data = event === undefined ? json : event.data
  const items = hasFields(data) && Array.isArray(data['interactions']) ? (data['interactions'] as unknown[]) : [data]
  if (items.length > ITEMS_MAX) {
    return { rejection: { code: 'invalid', field: 'interactions', message: `has more than ${ITEMS_MAX} items` } }
  }
  return { items: items.map((item, place) => withTime(identified(item, event, items.length > 1 ? place : undefined), record)) }
}

interface CloudEvent {
  id: string
  source: string
  time: unknown
  data: unknown
}

/** Undefined for a record that is no CloudEvent. */
function cloudEventOf(json: unknown, headers: KafkaRecord['headers']): CloudEvent | { rejection: ItemProblem } | undefined {
  const attribute = new Map(headers.map(([name, value]) => [name.toLowerCase(), value?.toString()]))
  const isBinary = attribute.has('ce_specversion')
  if (!isBinary && !(hasFields(json) && Object.hasOwn(json, 'specversion'))) return undefined
  const of = (name: string) => (isBinary ? attribute.get(`ce_${name}`) : (json as Fields)[name])
  const wrong = (field: string, message: string) => ({ rejection: { code: 'invalid', field, message } }) as const
  if (of('specversion') !== '1.0') return wrong('specversion', 'must be 1.0')
  const [id, source] = [of('id'), of('source')]
  if (typeof id !== 'string' || id === '') return wrong('id', 'is missing')
  if (typeof source !== 'string' || source === '') return wrong('source', 'is missing')
  if (!isBinary && (json as Fields)['data'] === undefined) return wrong('data', 'is missing, or is not JSON')
  return { id, source, time: of('time'), data: isBinary ? json : (json as Fields)['data'] }
}

/** An item without an identity of its own has that of its CloudEvent, which is its source and its id. */
function identified(item: unknown, event: CloudEvent | undefined, place: number | undefined): unknown {
  if (event === undefined || !hasFields(item)) return item
  const timed = isPresent(item['occurred_at']) || !isPresent(event.time) ? item : { ...item, occurred_at: event.time }
  if (isIdentified(timed) || !isPresent((timed as Fields)['occurred_at'])) return timed
  return { ...timed, event_key: [event.source, event.id, ...(place === undefined ? [] : [place])].join(' ') }
}

function withTime(item: unknown, { timestampMs }: Pick<KafkaRecord, 'timestampMs'>): unknown {
  if (!hasFields(item) || isIdentified(item) || isPresent(item['occurred_at'])) return item
  return { ...item, occurred_at: instantOf(timestampMs) }
}
