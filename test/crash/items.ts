import { uuidV7 } from '../../src/contract/fields/event-id.ts'
import type { RejectedItem } from '../../src/contract/interaction.ts'
import { SEARCH_IMPRESSION } from '../../src/contract/search.ts'
import { DAY_MS, HOUR_MS, instantOf } from '../../src/contract/fields/time.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import type { Random } from '../../src/cli/demo/random.ts'

/** One item of a batch and its expected outcome. */
export interface Item {
  body: Record<string, unknown>
  /** The event's identity, `<milliseconds> <id>`; undefined when it has no id of its own or is rejected. */
  event?: string
  rejectedAs?: RejectedItem['code']
}

/** How late an event may be, so that some fall into months without a partition. */
const LATE_DAYS_MAX = 500
const PRODUCTS = 40
const CATEGORIES = 8
const SHOPPERS = 25
const QUERIES = 10
const SHOWN_MAX = 20

/** The database of a round rejects events before this instant. */
export const HORIZON = '2015-01-01T00:00:00.000Z'

const TYPES = [...Object.keys(PRESETS.balanced), SEARCH_IMPRESSION, 'played_video', 'read_size_chart']

/** Makes the fields of an event apart from its identity. */
export type NewFields = (random: Random) => Record<string, unknown>

/** A new event of now, of the last nine days, or of long ago. */
export function newEvent(random: Random, nowMs: number, newFields: NewFields = interaction): Item {
  const agoMs = random.chance(0.1) ? random.below(LATE_DAYS_MAX) * DAY_MS : random.chance(0.5) ? random.below(9 * DAY_MS) : 0
  return eventAt(random, nowMs - agoMs - random.below(HOUR_MS), newFields)
}

/** A new event of an instant. Its id is a UUIDv7, or a UUIDv4 with `occurred_at`. */
export function eventAt(random: Random, milliseconds: number, newFields: NewFields = interaction): Item {
  if (random.chance(0.5)) {
    const id = uuidV7(milliseconds, random.bytes(10))
    return { event: `${milliseconds} ${id}`, body: { event_id: id, ...newFields(random) } }
  }
  const id = uuidV4(random.bytes(16))
  return { event: `${milliseconds} ${id}`, body: { event_id: id, occurred_at: instantOf(milliseconds), ...newFields(random) } }
}

/** An event that gets its id from the handler. */
export function eventWithoutId(random: Random, nowMs: number, newFields: NewFields = interaction): Item {
  return { body: { occurred_at: instantOf(nowMs - random.below(DAY_MS)), ...newFields(random) } }
}

/** The same event, written differently: its time with an offset, its id in capitals. */
export function inOtherWords(item: Item): Item {
  const milliseconds = Number(item.event!.split(' ')[0])
  const offset = instantOf(milliseconds + 2 * HOUR_MS).replace('Z', '000+02:00')
  return { ...item, body: { ...item.body, event_id: String(item.body['event_id']).toUpperCase(), occurred_at: offset } }
}

/** An item that must be rejected: for its form, its time, or the horizon in the database. */
export function rejectedItem(random: Random, newFields: NewFields = interaction): Item {
  const id = uuidV4(random.bytes(16))
  return random.pick<() => Item>([
    () => ({ rejectedAs: 'invalid', body: { ...newFields(random), event_id: id } }),
    () => ({ rejectedAs: 'invalid', body: { ...newFields(random), nonsense: true } }),
    () => ({ rejectedAs: 'in_future', body: { ...newFields(random), event_id: id, occurred_at: '2199-01-01T00:00:00Z' } }),
    () => ({ rejectedAs: 'too_old', body: { ...newFields(random), event_id: id, occurred_at: '1999-12-31T23:59:59Z' } }),
    () => ({ rejectedAs: 'too_old', body: { ...newFields(random), event_id: id, occurred_at: '2014-12-31T23:59:59Z' } }),
  ])()
}

export function interaction(random: Random): Record<string, unknown> {
  const isProduct = random.chance(0.9)
  return {
    ...shopper(random),
    event_type: random.pick(TYPES),
    ref_type: isProduct ? 'Product' : 'Category',
    ref_id: isProduct ? product(random) : `c${random.below(CATEGORIES)}`,
  }
}

export function search(random: Random): Record<string, unknown> {
  const product_ids = Array.from({ length: random.below(SHOWN_MAX) }, () => product(random))
  return { ...shopper(random), query: `Query  ${random.below(QUERIES)}`, product_ids }
}

function shopper(random: Random) {
  return random.chance(0.7) ? { account_id: `a${random.below(SHOPPERS)}` } : { session_id: `s${random.below(SHOPPERS)}` }
}

/** The lesser of two random numbers, so that a few products are hot. */
function product(random: Random): string {
  return `p${Math.min(random.below(PRODUCTS), random.below(PRODUCTS))}`
}

function uuidV4(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  const variant = (8 + (bytes[8]! & 3)).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}
