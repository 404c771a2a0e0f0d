import { z } from 'zod'
import { POPULARITY_EXAMPLE, Popularity } from './popularity.ts'
import { wholeNumber } from './whole-number.ts'
import { Id } from './id.ts'

/** What a list of popular products is ordered by, best first; ties by id. */
export const MODES = {
  trending: 'trending_score',
  most_viewed: 'view_count',
  most_carted: 'cart_count',
  most_ordered: 'purchase_count',
  most_searched: 'search_click_count, then search_count',
  overall: 'score',
  rising: 'rising_score',
} as const
export type Mode = keyof typeof MODES

export const WINDOW_DAYS_MAX = 365
const CATEGORIES_MAX = 50
const NOT_SO_MANY = { error: `must be 1 to ${CATEGORIES_MAX} ids` }
const LIMIT_MAX = 100
export const INTERACTIONS_MAX = 1_000_000_000

export const PopularRequest = z.strictObject({
  mode: z
    .enum(Object.keys(MODES) as [Mode, ...Mode[]])
    .default('trending')
    .describe(
      `The order: ${Object.entries(MODES)
        .map(([mode, by]) => `${mode} by ${by}`)
        .join('; ')}. A mode of counts lists the products that have any.`,
    ),
  time_window_days: wholeNumber(1, WINDOW_DAYS_MAX)
    .optional()
    .describe('Every number is of the last so many times 24 hours, beginning with a whole hour. Of all time when absent.'),
  category_ids: z
    .array(Id)
    .min(1, NOT_SO_MANY)
    .max(CATEGORIES_MAX, NOT_SO_MANY)
    .optional()
    .describe("Products of these categories alone, by today's catalogue."),
  limit: wholeNumber(1, LIMIT_MAX).default(20).describe('Products of the page.'),
  min_interactions: wholeNumber(1, INTERACTIONS_MAX)
    .default(1)
    .describe('Products with at least so many events, of all types, in the window.'),
  as_of: z.iso
    .datetime({
      offset: true,
      error: 'must be an RFC 3339 time such as 2026-03-01T12:00:00Z, between 2000-01-01T00:00:00Z and now',
    })
    .optional()
    .describe(
      "An instant since 2000, floored to the hour: what today's log, weights and catalogue say about it. Now when absent.",
    ),
  cursor: z.string().min(1).max(2_000).optional().describe('meta.next_cursor of the page before, with the same query.'),
})
export type PopularRequest = z.infer<typeof PopularRequest>

export const PopularProduct = Popularity.extend({
  rising_score: z
    .number()
    .optional()
    .describe(
      'In the mode rising: (events of the last 24 hours + 10) / (events that the 7 days before predict + 10), of the types with a positive weight. Listed above 1.',
    ),
})
export type PopularProduct = z.infer<typeof PopularProduct>

export const PopularResponse = z
  .object({
    data: z.array(PopularProduct),
    meta: z.object({
      mode: z.enum(Object.keys(MODES) as [Mode, ...Mode[]]),
      time_window_days: z.int().nullable(),
      as_of: z.iso.datetime().nullable().describe('The hour that it is about; null for now.'),
      generated_at: z.iso
        .datetime()
        .describe('When it was read; in the mode rising without window and as_of, when it was computed.'),
      next_cursor: z.string().nullable().describe('Asks for the next page; null on the last.'),
    }),
  })
  .meta({
    examples: [
      {
        data: [POPULARITY_EXAMPLE],
        meta: {
          mode: 'trending',
          time_window_days: null,
          as_of: null,
          generated_at: '2026-03-01T12:00:30.000Z',
          next_cursor: null,
        },
      },
    ],
  })
export type PopularResponse = z.infer<typeof PopularResponse>
