import { timeForUuidV7, timeOfUuidV7, uuidV7WithTime } from '../contract/fields/event-id.ts'
import type { Correction } from '../contract/rejected.ts'
import { hasFields, isIdentified, isPresent } from './event-identity.ts'

/**
 * The item that a replay sends: corrected, and with an event id. An item without one gets the id that its first call would have
 * given it, with its own time, or with the time of arrival if it has none, because an absent time meant "now". An item that is
 * rejected again keeps its id and time.
 */
export function correctedItem(
  sent: unknown,
  correction: Correction | undefined,
  receivedAtMs: number,
  newEventId: (timeMs: number) => string,
): unknown {
  const item = withTimeInId(withCorrection(sent, correction), correction)
  if (!hasFields(item) || isIdentified(item)) return item
  const timeMs = isPresent(item['occurred_at']) ? timeForUuidV7(item['occurred_at']) : receivedAtMs
  return timeMs === undefined ? item : { ...item, event_id: newEventId(timeMs) }
}

/** The item with the correction's fields. An item that is not an object is replaced by them. */
export function withCorrection(sent: unknown, correction: Correction | undefined): unknown {
  if (correction === undefined) return sent
  const fields = Object.entries({ ...(hasFields(sent) ? sent : {}), ...correction })
  return Object.fromEntries(fields.filter(([name]) => correction[name] !== null))
}

/**
 * Puts a corrected time into a UUIDv7, which has the event's time in it. Its other bits stay, so that an event that was sent
 * twice, rejected twice and corrected twice in the same way is still one event.
 */
function withTimeInId(item: unknown, correction: Correction | undefined): unknown {
  if (correction === undefined || !hasFields(item)) return item
  const { event_id: eventId } = item
  if (Object.hasOwn(correction, 'event_id') || typeof eventId !== 'string' || timeOfUuidV7(eventId) === undefined) return item
  const timeMs = timeForUuidV7(correction['occurred_at'])
  return timeMs === undefined ? item : { ...item, event_id: uuidV7WithTime(eventId, timeMs) }
}
