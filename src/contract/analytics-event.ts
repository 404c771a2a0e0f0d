import { z } from 'zod'
import { Currency } from './currency.ts'
import { BATCH_ITEMS_MAX, Metadata } from './interaction.ts'
import { itemSchemaOf } from './item-schema.ts'
import { SourceSlug, TOTAL_MAX } from './payment.ts'
import { wholeNumber } from './whole-number.ts'
import { Id } from './id.ts'
import { Instant } from './instant.ts'

const PROCESSING_MS_MAX = 2 ** 31 - 1

export const EVENT_STATUSES = ['success', 'failed', 'pending'] as const
export type EventStatus = (typeof EVENT_STATUSES)[number]

/** What a source tells of one of its operations. */
export const AnalyticsEvent = z
  .strictObject({
    source: SourceSlug.describe('Which system it is of; one that is unknown is made.'),
    external_ref: Id.describe("The source's id of the event: recorded once, for ever."),
    entity_id: Id.describe('What it is about, such as an order.'),
    status: z.enum(EVENT_STATUSES),
    processing_ms: wholeNumber(0, PROCESSING_MS_MAX).optional().describe('How long the operation took.'),
    amount: wholeNumber(-TOTAL_MAX, TOTAL_MAX).optional().describe('In minor units of the currency. Needs currency.'),
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

/** Items are unknown here, so that each is judged alone. */
export const RecordEventsRequest = z
  .strictObject({
    events: z
      .array(z.unknown().meta(itemSchemaOf(AnalyticsEvent)))
      .min(1)
      .max(BATCH_ITEMS_MAX)
      .describe('Each is judged alone: one that is not as described is refused with its index, and its neighbours are recorded.'),
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
