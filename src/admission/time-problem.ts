import { timeOfUuidV7 } from '../contract/fields/event-id.ts'
import { DAY_MS, EARLIEST_MS, millisecondsOf } from '../contract/fields/time.ts'
import type { ItemProblem } from './rows.ts'

/** How far a sender's clock may be ahead. */
export const FUTURE_MS_MAX = 5 * 60_000

/** Why an event of this time cannot be recorded; undefined when it can. */
export function timeProblem(occurredAtMs: number, nowMs: number): ItemProblem | undefined {
  const field = 'occurred_at'
  if (occurredAtMs > nowMs + FUTURE_MS_MAX) return { code: 'in_future', field, message: 'is more than 5 minutes in the future' }
  if (occurredAtMs < EARLIEST_MS) return { code: 'too_old', field, message: 'is before 2000-01-01' }
  return undefined
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
