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

/** The items in the form that may be stored: they can be written as JSON, and privacy has removed what it forbids. */
export function storableItems(items: readonly unknown[], privacy: Privacy): unknown[] {
  return items.map((item) => withPrivacy(toWritable(item), privacy))
}

/**
 * Assigns an id to each event without one, before anything durable happens. A caller that resends the events with these ids after
 * an unknown outcome is counted once. An item whose time cannot be read stays as it is, and is rejected later.
 */
export function withEventIds(items: readonly unknown[], nowMs: number): { events: unknown[]; assigned: AssignedIdentity[] } {
  const assigned: AssignedIdentity[] = []
  const events = items.map((item, index) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item) || 'event_id' in item) return item
    const timeMs = 'occurred_at' in item ? timeForUuidV7(item.occurred_at) : nowMs
    if (timeMs === undefined) return item
    const event_id = uuidV7(timeMs, randomBytes(10))
    assigned.push({ index, event_id, occurred_at: instantOf(timeMs) })
    return { ...item, event_id }
  })
  return { events, assigned }
}
