import { randomBytes } from 'node:crypto'
import { timeForUuidV7, uuidV7 } from '../contract/event-id.ts'
import { instantOf } from '../contract/time.ts'
import { type Privacy, withPrivacy } from './privacy.ts'
import { toWritable } from '../contract/json.ts'

/** The id and the time that an event without an id was given. */
export interface AssignedIdentity {
  index: number
  event_id: string
  occurred_at: string
}

/** The items as they may be stored: writable as JSON again, and without what privacy forbids. */
export function storableItems(items: readonly unknown[], privacy: Privacy): unknown[] {
  return items.map((item) => withPrivacy(toWritable(item), privacy))
}

/**
 * Gives an id to each event that has none, before anything durable happens: whoever resends with it after an unknown
 * outcome is counted once. An item whose time cannot be read stays as it is, to be refused with its index.
 */
export function withEventIds(items: readonly unknown[], nowMs: number): { events: unknown[]; given: AssignedIdentity[] } {
  const given: AssignedIdentity[] = []
  const events = items.map((item, index) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item) || 'event_id' in item) return item
    const time = 'occurred_at' in item ? timeForUuidV7(item.occurred_at) : nowMs
    if (time === undefined) return item
    const event_id = uuidV7(time, randomBytes(10))
    given.push({ index, event_id, occurred_at: instantOf(time) })
    return { ...item, event_id }
  })
  return { events, given }
}
