import { randomUUID } from 'node:crypto'
import { HOUR_MS, instantOf } from '../../contract/fields/time.ts'
import type { IdentifiedEvent } from './item.ts'

/** One item of so many is rejected. */
export const REJECTED_EVERY = 100

type Mistake = (event: IdentifiedEvent, nowMs: number) => Record<string, unknown>
/** Mistakes that senders make. */
const MISTAKES: readonly Mistake[] = [
  ({ ref_id: _product, ...event }) => event,
  (event) => ({ ...event, event_type: 'Add To Cart' }),
  ({ account_id: _account, session_id: _session, ...event }) => event,
  // The clock of a till that is ahead.
  (event, nowMs) => ({ ...event, occurred_at: instantOf(nowMs + 3 * HOUR_MS) }),
  // The clock of a device without a battery.
  (event) => ({ ...event, occurred_at: '1970-01-01T00:00:12Z' }),
]

/** An event of its own that the gateway rejects, because it is like the given one with a mistake. */
export function rejectedLike(event: IdentifiedEvent, number: number, nowMs: number): Record<string, unknown> {
  return MISTAKES[number % MISTAKES.length]!({ ...event, event_id: randomUUID() }, nowMs)
}
