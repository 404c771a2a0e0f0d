import { uuidV7WithTime, timeForUuidV7, timeOfUuidV7 } from '../contract/event-id.ts'
import type { Correction } from '../contract/rejected.ts'

/**
 * The item that a replay sends: repaired, and with an identity. One that came without is given the id that its own call
 * would have given it, of its own time or, because "now when absent" meant the time of arrival, of that. Refused again, it
 * keeps id and time.
 */
export function correctedItem(
  sent: unknown,
  repair: Correction | undefined,
  receivedAtMs: number,
  newEventId: (timeMs: number) => string,
): unknown {
  const item = withTimeInId(withCorrection(sent, repair), repair)
  if (!hasFields(item) || Object.hasOwn(item, 'event_id')) return item
  const timeMs = Object.hasOwn(item, 'occurred_at') ? timeForUuidV7(item['occurred_at']) : receivedAtMs
  return timeMs === undefined ? item : { ...item, event_id: newEventId(timeMs) }
}

/** The item with the repair's fields. Of one that is no object, nothing is left but the repair. */
export function withCorrection(sent: unknown, repair: Correction | undefined): unknown {
  if (repair === undefined) return sent
  const fields = Object.entries({ ...(hasFields(sent) ? sent : {}), ...repair })
  return Object.fromEntries(fields.filter(([name]) => repair[name] !== null))
}

/**
 * The time in a UUIDv7 is the event's: with another time it is another id. The rest of it stays, so that an event that was
 * sent twice, refused twice and repaired twice in the same way is still one event.
 */
function withTimeInId(item: unknown, repair: Correction | undefined): unknown {
  if (repair === undefined || !hasFields(item)) return item
  const { event_id: eventId } = item
  if (Object.hasOwn(repair, 'event_id') || typeof eventId !== 'string' || timeOfUuidV7(eventId) === undefined) return item
  const timeMs = timeForUuidV7(repair['occurred_at'])
  return timeMs === undefined ? item : { ...item, event_id: uuidV7WithTime(eventId, timeMs) }
}

function hasFields(item: unknown): item is Record<string, unknown> {
  return typeof item === 'object' && item !== null && !Array.isArray(item)
}
