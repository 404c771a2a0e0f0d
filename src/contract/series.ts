import { z } from 'zod'
import { ProductId } from './fields/id.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { EVENT_TYPE_PATTERN } from './interaction.ts'
import { PopularRequest } from './popular-list.ts'

export const SERIES_PRODUCTS_MAX = 100
export const SERIES_TYPES_MAX = 20
/** A leap year. */
export const SERIES_HOURS_MAX = 8_784
/** Longer ranges are counted by days. */
export const HOURLY_MAX = 168
/** The numbers of an answer. It is some 400 KB then. */
export const SERIES_NUMBERS_MAX = 200_000

const PRODUCTS_PROBLEM = { error: `must be 1 to ${SERIES_PRODUCTS_MAX} ids` }
const TYPES_PROBLEM = { error: `must be 1 to ${SERIES_TYPES_MAX} event types` }

export const SeriesRequest = z.strictObject({
  product_ids: z
    .array(ProductId)
    .min(1, PRODUCTS_PROBLEM)
    .max(SERIES_PRODUCTS_MAX, PRODUCTS_PROBLEM)
    .describe('The products, repeated: 1 to 100.')
    .meta({ examples: [['lamp']] }),
  hours: wholeNumber(1, SERIES_HOURS_MAX)
    .default(24)
    .describe('How far back, the hour that runs included. Up to 168 hours are counted by the hour, and more by the UTC day.'),
  event_types: z
    .array(z.string().regex(EVENT_TYPE_PATTERN))
    .min(1, TYPES_PROBLEM)
    .max(SERIES_TYPES_MAX, TYPES_PROBLEM)
    .optional()
    .describe('Counts only these types, and also each of them alone. All types together if absent.'),
  as_of: PopularRequest.shape.as_of.describe(
    'An instant since 2000, floored to the hour, where the series ends. A day is its end in UTC, and today is now. Now if absent.',
  ),
})
export type SeriesRequest = z.infer<typeof SeriesRequest>

const Counts = z.array(z.int())

export const ProductSeries = z.object({
  product_id: z.string(),
  counts: Counts.describe('Events in each hour or day, the oldest first; 0 where there were none.'),
  event_types: z.record(z.string(), Counts).describe('The same for each type that was asked for.'),
})
export type ProductSeries = z.infer<typeof ProductSeries>

export const SeriesResponse = z
  .object({
    data: z.array(ProductSeries).describe('In the order of the question; a product that was named twice is there once.'),
    meta: z.object({
      from: z.iso.datetime().describe('The beginning of the first hour or day.'),
      to: z.iso.datetime().describe('The end of the last one, which may be later than now: its count goes on to grow.'),
      step: z.enum(['hour', 'day']),
    }),
  })
  .meta({
    examples: [
      {
        data: [{ product_id: 'lamp', counts: [0, 2, 5], event_types: { view: [0, 2, 4], purchase: [0, 0, 1] } }],
        meta: { from: '2026-03-01T10:00:00.000Z', to: '2026-03-01T13:00:00.000Z', step: 'hour' },
      },
    ],
  })
export type SeriesResponse = z.infer<typeof SeriesResponse>
