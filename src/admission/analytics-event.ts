import { KINDS } from '../contract/kinds.ts'
import { millisecondsOf } from '../contract/fields/time.ts'
import { type Judged, judgeEach, type Verdict } from './judge-each.ts'
import { parseItem } from './parse-item.ts'
import { timeProblem } from './time-problem.ts'

/** One operation of a source. */
export interface NewAnalyticsEvent {
  /** The slug of the source; an unknown one is created. */
  source: string
  /** The source's id of the event. */
  externalRef: string
  entityId: string
  status: 'success' | 'failed' | 'pending'
  processingMs: number | null
  /** In minor units of the currency. */
  amount: number | null
  currency: string | null
  occurredAtMs: number
  payload: unknown
}

/** A checked event. `index` is its position in the call. */
export interface CalledAnalyticsEvent extends NewAnalyticsEvent {
  index: number
}

/** Checks each analytics event of a call. */
export function judgeAnalyticsEvents(items: readonly unknown[], nowMs: number): Judged<CalledAnalyticsEvent> {
  return judgeEach(items, (item, index): Verdict<CalledAnalyticsEvent> => {
    const result = parseItem(KINDS.analytics_event, item)
    if ('rejection' in result) return result
    const event = result.parsed
    const occurredAtMs = millisecondsOf(event.occurred_at)
    const rejection = timeProblem(occurredAtMs, nowMs)
    if (rejection !== undefined) return { rejection }
    const row = {
      index,
      source: event.source,
      externalRef: event.external_ref,
      entityId: event.entity_id,
      status: event.status,
      processingMs: event.processing_ms ?? null,
      amount: event.amount ?? null,
      currency: event.currency ?? null,
      occurredAtMs,
      payload: event.payload,
    }
    return { row }
  })
}
