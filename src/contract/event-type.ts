import { z } from 'zod'
import { wholeNumber } from './fields/whole-number.ts'

const DAYS_MAX = 365
/** Senders choose their types, so there may be any number of them. */
export const SEEN_TYPES_MAX = 1_000

/** An event type that was counted, or has a weight or a counter. */
export const EventType = z.object({
  event_type: z.string(),
  weight: z
    .number()
    .nullable()
    .describe('What an event adds to the score of its product; null for a type without a weight, which adds nothing.'),
  counter: z.string().nullable().describe('The counter of a product that an event adds 1 to, e.g. view_count; null for none.'),
  events: z.int().describe('How many events of products were counted, in the window.'),
})
export type EventType = z.infer<typeof EventType>

export const EventTypesRequest = z.strictObject({
  days: wholeNumber(1, DAYS_MAX)
    .optional()
    .describe(
      'Counts the last so many times 24 hours, from a whole hour on (a day, where hours were made into days). All time if absent.',
    ),
})
export type EventTypesRequest = z.infer<typeof EventTypesRequest>

export const EventTypesResponse = z
  .object({
    data: z.array(EventType),
    meta: z.object({
      weights: z.string().describe('The name of the weights in force, e.g. balanced.'),
      weights_version: z.int().nullable().describe('Their version; null in a database without weights.'),
      days: z.int().nullable(),
    }),
  })
  .meta({
    examples: [
      {
        data: [
          { event_type: 'view', weight: 0.3, counter: 'view_count', events: 5_120 },
          { event_type: 'quick_view', weight: null, counter: null, events: 311 },
          { event_type: 'purchase', weight: 0.8, counter: 'purchase_count', events: 97 },
        ],
        meta: { weights: 'balanced', weights_version: 1, days: null },
      },
    ],
  })
export type EventTypesResponse = z.infer<typeof EventTypesResponse>
