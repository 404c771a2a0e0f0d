import { AnalyticsEvent } from '../contract/analytics-event.ts'
import { writable } from '../contract/text.ts'
import { millisecondsOf } from '../contract/time.ts'
import { timeProblemOf } from './interaction.ts'
import { itemProblem } from './item-problem.ts'
import type { Rejection, CalledAnalyticsEvent } from './rows.ts'

export interface JudgedEvents {
  events: CalledAnalyticsEvent[]
  rejections: Rejection[]
}

/** Judges each analytics event of a call alone. */
export function judgeEvents(items: readonly unknown[], nowMs: number): JudgedEvents {
  const judged: JudgedEvents = { events: [], rejections: [] }
  for (const [index, item] of items.entries()) {
    const verdict = judgeEvent(index, writable(item), nowMs)
    if ('externalRef' in verdict) judged.events.push(verdict)
    else judged.rejections.push(verdict)
  }
  return judged
}

function judgeEvent(index: number, item: unknown, nowMs: number): CalledAnalyticsEvent | Rejection {
  const parsed = AnalyticsEvent.safeParse(item)
  if (!parsed.success) return { index, code: 'invalid', ...itemProblem(parsed.error, item, 'an analytics event') }
  const event = parsed.data
  const occurredAtMs = millisecondsOf(event.occurred_at)
  const problem = timeProblemOf(occurredAtMs, nowMs)
  if (problem !== undefined) return { index, ...problem }
  return {
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
}
