import { AnalyticsEvent, PROCESSING_MS_MAX } from '../contract/analytics-event.ts'
import { ID_CHARACTERS_MAX } from '../contract/fields/id.ts'
import { KINDS } from '../contract/kinds.ts'
import { TOTAL_MAX } from '../contract/payment.ts'
import { millisecondsOf } from '../contract/fields/time.ts'
import { type Judged, judgeEach, type Verdict } from './judge-each.ts'
import { parseItem } from './parse-item.ts'
import { isPlainInstant, isPlainMetadata, known, plainItem, plainText } from './plain-item.ts'
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

const { source, status, currency } = AnalyticsEvent.shape
const isPlainId = plainText(ID_CHARACTERS_MAX)
const isWholeNumber = (max: number) => (value: unknown) => Number.isInteger(value) && Math.abs(value as number) <= max

/** The usual events, whose payload has no lists. */
export const isPlainAnalyticsEvent = plainItem<AnalyticsEvent>(
  {
    source: known(source),
    external_ref: isPlainId,
    entity_id: isPlainId,
    status: known(status),
    processing_ms: (value) => isWholeNumber(PROCESSING_MS_MAX)(value) && (value as number) >= 0,
    amount: isWholeNumber(TOTAL_MAX),
    currency: known(currency),
    occurred_at: isPlainInstant,
    payload: isPlainMetadata,
  },
  (item) =>
    item.source !== undefined &&
    item.external_ref !== undefined &&
    item.entity_id !== undefined &&
    item.status !== undefined &&
    item.occurred_at !== undefined &&
    (item.amount === undefined) === (item.currency === undefined),
)

/** Checks each analytics event of a call. */
export function judgeAnalyticsEvents(items: readonly unknown[], nowMs: number): Judged<CalledAnalyticsEvent> {
  return judgeEach(items, (item, index): Verdict<CalledAnalyticsEvent> => {
    const result = parseItem({ ...KINDS.analytics_event, isPlain: isPlainAnalyticsEvent }, item)
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
