import { z } from 'zod'
import { Currency } from './fields/currency.ts'
import { BATCH_ITEMS_MAX, Metadata, RecordedOrWaiting } from './interaction.ts'
import { handler } from './handler.ts'
import { uncheckedItems } from './fields/item-schema.ts'
import { SourceSlug, TOTAL_MAX } from './payment.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { Id } from './fields/id.ts'
import { Instant } from './fields/instant.ts'

export const PROCESSING_MS_MAX = 2 ** 31 - 1

export const EVENT_STATUSES = ['success', 'failed', 'pending'] as const
export type EventStatus = (typeof EVENT_STATUSES)[number]

/** One operation of a source, as the source reports it. */
export const AnalyticsEvent = z
  .strictObject({
    source: SourceSlug.describe('The system that sends it. An unknown source is created.'),
    external_ref: Id.describe("The source's id of the event. It is recorded once, for ever."),
    entity_id: Id.describe('What the event is about, e.g. an order.'),
    status: z.enum(EVENT_STATUSES),
    processing_ms: wholeNumber(0, PROCESSING_MS_MAX).optional().describe('How long the operation took, in milliseconds.'),
    amount: wholeNumber(-TOTAL_MAX, TOTAL_MAX).optional().describe('In minor units of the currency, e.g. cents. Needs currency.'),
    currency: Currency.optional().describe('ISO 4217. Needs amount.'),
    occurred_at: Instant,
    payload: Metadata.optional(),
  })
  .refine(({ amount, currency }) => amount === undefined || currency !== undefined, {
    error: 'is needed with an amount',
    path: ['currency'],
  })
  .refine(({ amount, currency }) => currency === undefined || amount !== undefined, {
    error: 'is needed with a currency',
    path: ['amount'],
  })
export type AnalyticsEvent = z.infer<typeof AnalyticsEvent>

export const RecordEventsRequest = z
  .strictObject({
    events: uncheckedItems(AnalyticsEvent, BATCH_ITEMS_MAX).describe(
      'Each is checked alone: a wrong item is rejected with its index, and the others are recorded.',
    ),
  })
  .meta({
    examples: [
      {
        events: [
          {
            source: 'erp',
            external_ref: 'job-1',
            entity_id: 'order-4711',
            status: 'success',
            processing_ms: 120,
            amount: 4_990,
            currency: 'EUR',
            occurred_at: '2026-03-01T12:00:00Z',
          },
        ],
      },
    ],
  })
export type RecordEventsRequest = z.infer<typeof RecordEventsRequest>

export const analyticsEventHandlers = {
  RecordEvents: handler({
    input: RecordEventsRequest,
    output: RecordedOrWaiting,
    description: 'Records analytics events, once per source and external_ref. Each is checked alone.',
  }),
}
