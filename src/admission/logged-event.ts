import { timeOfUuidV7 } from '../contract/fields/event-id.ts'
import { DEVICE_FIELDS, type Interaction } from '../contract/interaction.ts'
import { millisecondsOf } from '../contract/fields/time.ts'
import { eventIdOfKey } from './event-key.ts'
import { type Judged, judgeEach, type Verdict } from './judge-each.ts'
import { type ItemKind, parseWithout } from './parse-item.ts'
import type { ItemProblem, LogRow } from './rows.ts'
import { timeProblem } from './time-problem.ts'

/** How far `occurred_at` may be from the time in a UUIDv7: senders round to seconds. */
const ID_TIME_MS_MAX = 1_000

/** Makes the id of an event without one. */
export type NewEventId = (index: number, occurredAtMs: number) => string

/** The fields of every event of the log. */
type Identified = Pick<Interaction, 'event_id' | 'event_key' | 'occurred_at' | 'sent_at'>

interface LoggedKind<Event extends Identified, Row extends LogRow> extends ItemKind<Event> {
  columnsOf: (event: Event) => Omit<Row, keyof LogRow>
}

/** Checks each event of a call for a table of the log. */
export function judgeLogged<Event extends Identified, Row extends LogRow>(
  kind: LoggedKind<Event, Row>,
  items: readonly unknown[],
  nowMs: number,
  newEventId: NewEventId,
): Judged<Row> {
  return judgeEach(items, (item, index): Verdict<Row> => {
    const result = parseWithout(kind, item, DEVICE_FIELDS)
    if ('rejection' in result) return result
    const time = timeOf(result.parsed, nowMs)
    if ('rejection' in time) return time
    const { occurredAtMs } = time
    const { sent_at } = result.parsed
    const sentAtMs = sent_at === undefined ? undefined : millisecondsOf(sent_at)
    const rejection = timeProblem(occurredAtMs, nowMs, sentAtMs)
    if (rejection !== undefined) return { rejection }
    const { event_id, event_key } = result.parsed
    const eventId =
      event_key === undefined ? (event_id?.toLowerCase() ?? newEventId(index, occurredAtMs)) : eventIdOfKey(event_key)
    const row = { index, item, eventId, occurredAtMs, sentAtMs, ...kind.columnsOf(result.parsed) } as Row
    return { row, leftOut: result.leftOut }
  })
}

/** The event's time. A UUIDv7 contains it; every other identity needs `occurred_at`. */
function timeOf(event: Identified, nowMs: number): { occurredAtMs: number } | { rejection: ItemProblem } {
  const wrong = (message: string) => ({ rejection: { code: 'invalid', field: 'occurred_at', message } }) as const
  const statedMs = event.occurred_at === undefined ? undefined : millisecondsOf(event.occurred_at)
  if (event.event_key !== undefined) {
    return statedMs === undefined ? wrong('is needed with an event_key') : { occurredAtMs: statedMs }
  }
  if (event.event_id === undefined) return { occurredAtMs: statedMs ?? nowMs }
  const embeddedMs = timeOfUuidV7(event.event_id)
  if (embeddedMs === undefined) {
    return statedMs === undefined ? wrong('is needed with an event_id that is not a UUIDv7') : { occurredAtMs: statedMs }
  }
  if (statedMs !== undefined && Math.abs(statedMs - embeddedMs) > ID_TIME_MS_MAX) {
    return wrong('differs by more than 1 s from the time in event_id')
  }
  return { occurredAtMs: embeddedMs }
}
