import { randomBytes } from 'node:crypto'
import { timeForUuidV7, uuidV7 } from '../contract/fields/event-id.ts'
import { toWritable } from '../contract/fields/json.ts'
import { instantOf } from '../contract/fields/time.ts'
import { type Privacy, withPrivacy } from './privacy.ts'

/** The id and time that were assigned to an event without an id, and its position in the request. */
export interface AssignedIdentity {
  index: number
  event_id: string
  occurred_at: string
}

const ID_BYTES = 10
/** Made for so many ids together, because each call of the generator takes 2 µs, and the rest of an id a quarter of that. */
const IDS_TOGETHER = 500
let unused = Buffer.alloc(0)

/** A new id of an event at this time, in milliseconds since 1970. */
export function newEventId(timeMs: number): string {
  return uuidV7(timeMs, randomBytesOfId())
}

function randomBytesOfId(): Buffer {
  if (unused.length === 0) unused = randomBytes(ID_BYTES * IDS_TOGETHER)
  const bytes = unused.subarray(0, ID_BYTES)
  unused = unused.subarray(ID_BYTES)
  return bytes
}

/** Whether an item is an object, as every valid one is. */
export function hasFields(item: unknown): item is Record<string, unknown> {
  return typeof item === 'object' && item !== null && !Array.isArray(item)
}

/** Whether an event was sent with an identity, valid or not. */
export function isIdentified({ event_id: eventId, event_key: eventKey }: Record<string, unknown>): boolean {
  return isPresent(eventId) || isPresent(eventKey)
}

/** A field that is null is absent. */
export function isPresent(field: unknown): boolean {
  return field !== undefined && field !== null
}

/** The item in the form that may be stored: it can be written as JSON, and privacy has removed what it forbids. */
export function storableItem(item: unknown, privacy: Privacy | undefined): unknown {
  const writable = toWritable(item)
  return privacy === undefined ? writable : withPrivacy(writable, privacy)
}

/**
 * Assigns an id to an event without one, before anything durable happens. A caller that resends the event with this id after an
 * unknown outcome is counted once. An item whose time cannot be read stays as it is, and is rejected later.
 */
export function withEventId(item: unknown, nowMs: number): { event: unknown; assigned?: Omit<AssignedIdentity, 'index'> } {
  if (!hasFields(item) || isIdentified(item)) return { event: item }
  const timeMs = isPresent(item['occurred_at']) ? timeForUuidV7(item['occurred_at']) : nowMs
  if (timeMs === undefined) return { event: item }
  const event_id = newEventId(timeMs)
  return { event: { ...item, event_id }, assigned: { event_id, occurred_at: instantOf(timeMs) } }
}
