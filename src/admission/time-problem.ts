import { timeOfUuidV7 } from '../contract/fields/event-id.ts'
import { DAY_MS, EARLIEST_MS, millisecondsOf, spanInWords } from '../contract/fields/time.ts'
import type { ItemProblem } from './rows.ts'

/** How far a sender's clock may be ahead. */
export const FUTURE_MS_MAX = 5 * 60_000

/** A sender's clock that differs by less may be right, because the event was on its way for a while. */
const CLOCK_MS_MIN = 60_000

/** Why an event of this time cannot be recorded; undefined when it can. `sentAtMs` is when it was sent, by the sender's clock. */
export function timeProblem(occurredAtMs: number, nowMs: number, sentAtMs?: number): ItemProblem | undefined {
  const field = 'occurred_at'
  if (occurredAtMs > nowMs + FUTURE_MS_MAX) return futureProblem(field, occurredAtMs, nowMs, sentAtMs)
  if (occurredAtMs < EARLIEST_MS) return { code: 'too_old', field, message: 'is before 2000-01-01' }
  return undefined
}

/** The rejection of a time in the future. It names the difference, so that the sender can tell a wrong clock from a wrong time zone. */
export function futureProblem(field: string, timeMs: number, nowMs: number, sentAtMs = nowMs): ItemProblem {
  const clockMs = sentAtMs - nowMs
  const clock = clockMs < CLOCK_MS_MIN ? '' : `: the clock of the sender is ${spanInWords(clockMs)} ahead`
  return { code: 'in_future', field, message: `is ${spanInWords(timeMs - nowMs)} in the future, more than 5 minutes${clock}` }
}

/**
 * Why an unchecked event is older than a caller may send; undefined for an event of the last `daysMax` days, without a time, or with a
 * time that cannot be read.
 */
export function ageProblem(item: unknown, daysMax: number, nowMs: number): ItemProblem | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  const { event_id: eventId, occurred_at: occurredAt } = item as Record<string, unknown>
  const embeddedMs = typeof eventId === 'string' ? timeOfUuidV7(eventId) : undefined
  const timeMs = embeddedMs ?? (typeof occurredAt === 'string' ? millisecondsOf(occurredAt) : Number.NaN)
  if (!(timeMs < nowMs - daysMax * DAY_MS)) return undefined
  return { code: 'too_old', field: 'occurred_at', message: `is more than ${daysMax} days ago, the most with a publishable key` }
}
