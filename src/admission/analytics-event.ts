import { AnalyticsEvent } from '../contract/analytics-event.ts'
import { millisecondsOf } from '../contract/time.ts'
import { itemProblem } from './item-problem.ts'
import { type Judged, judgeEach, type Verdict } from './judge-each.ts'
import type { CalledAnalyticsEvent } from './rows.ts'
import { timeProblem } from './time-problem.ts'

/** Judges each analytics event of a call. */
export function judgeAnalyticsEvents(items: readonly unknown[], nowMs: number): Judged<CalledAnalyticsEvent> {
  return judgeEach(items, (item, index): Verdict<CalledAnalyticsEvent> => {
    const parsed = AnalyticsEvent.safeParse(item)
    if (!parsed.success) return { rejection: itemProblem(parsed.error, item, 'an analytics event') }
    const event = parsed.data
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
