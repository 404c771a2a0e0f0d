import { type Interaction, Interaction as InteractionSchema } from '../src/contract/interaction.ts'
import { timeOfUuidV7 } from '../src/contract/event-id.ts'
import { writable } from '../src/contract/text.ts'
import { millisecondsOf } from '../src/contract/time.ts'
import type { NewInteraction, NewRejection } from '../src/store/interaction-row.ts'
import { itemProblem } from './item-problem.ts'

/** How far a clock may be ahead. */
export const FUTURE_MS_MAX = 5 * 60_000
const ID_TIME_MS_MAX = 1_000
const EARLIEST_MS = millisecondsOf('2000-01-01T00:00:00Z')

export interface Judged {
  interactions: NewInteraction[]
  rejections: NewRejection[]
}

/** Judges each item of a batch alone. `newEventId` gives an id to an event that came without one. */
export function judge(
  items: readonly unknown[],
  nowMs: number,
  newEventId: (index: number, occurredAtMs: number) => string,
): Judged {
  const judged: Judged = { interactions: [], rejections: [] }
  for (const [index, item] of items.entries()) {
    const verdict = judgeItem(index, writable(item), nowMs, newEventId)
    if ('eventId' in verdict) judged.interactions.push(verdict)
    else judged.rejections.push(verdict)
  }
  return judged
}

function judgeItem(
  index: number,
  item: unknown,
  nowMs: number,
  newEventId: (index: number, occurredAtMs: number) => string,
): NewInteraction | NewRejection {
  const reject = (code: NewRejection['code'], field: string | null, message: string) => ({ index, code, field, message, item })
  const parsed = InteractionSchema.safeParse(item)
  if (!parsed.success) {
    const { field, message } = itemProblem(parsed.error, item, 'an interaction')
    return reject('invalid', field, message)
  }
  const event = parsed.data
  const time = timeOf(event, nowMs)
  if ('problem' in time) return reject('invalid', 'occurred_at', time.problem)
  const { occurredAtMs } = time
  if (occurredAtMs > nowMs + FUTURE_MS_MAX) return reject('in_future', 'occurred_at', 'is more than 5 minutes in the future')
  if (occurredAtMs < EARLIEST_MS) return reject('too_old', 'occurred_at', 'is before 2000-01-01')
  const eventId = event.event_id?.toLowerCase() ?? newEventId(index, occurredAtMs)
  return { index, item, eventId, occurredAtMs, ...columnsOf(event) }
}

/** A UUIDv7 carries the event's time; any other id needs one beside it. */
function timeOf(event: Interaction, nowMs: number): { occurredAtMs: number } | { problem: string } {
  const givenMs = event.occurred_at === undefined ? undefined : millisecondsOf(event.occurred_at)
  if (event.event_id === undefined) return { occurredAtMs: givenMs ?? nowMs }
  const embeddedMs = timeOfUuidV7(event.event_id)
  if (embeddedMs === undefined) {
    return givenMs === undefined ? { problem: 'is needed with an event_id that is not a UUIDv7' } : { occurredAtMs: givenMs }
  }
  if (givenMs !== undefined && Math.abs(givenMs - embeddedMs) > ID_TIME_MS_MAX) {
    return { problem: 'differs by more than 1 s from the time in event_id' }
  }
  return { occurredAtMs: embeddedMs }
}

function columnsOf(event: Interaction) {
  return {
    eventType: event.event_type,
    refType: event.ref_type,
    refId: event.ref_id,
    accountId: event.account_id ?? null,
    accountNumber: event.account_number ?? null,
    sessionId: event.session_id ?? null,
    ipAddress: event.ip_address ?? null,
    userAgent: event.user_agent ?? null,
    metadata: event.metadata,
  }
}
