import { EARLIEST_MS } from '../contract/fields/time.ts'
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
