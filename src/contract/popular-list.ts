import { z } from 'zod'
import { ListedPopularity, POPULARITY_EXAMPLE } from './popularity.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { handler } from './handler.ts'
import { Id } from './fields/id.ts'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { listedProductOptions } from './product.ts'

/** The number that orders a list of popular products in each mode, best first. Ties are ordered by id. */
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
const CATEGORIES_PROBLEM = { error: `must be 1 to ${CATEGORIES_MAX} ids` }
export const INTERACTIONS_MAX = 1_000_000_000

export const PopularRequest = z.strictObject({
  mode: z
    .enum(Object.keys(MODES) as [Mode, ...Mode[]])
    .default('trending')
    .describe(
      `The order: ${Object.entries(MODES)
        .map(([mode, by]) => `${mode} by ${by}`)
        .join('; ')}. Modes of counts leave out products without any.`,
    ),
  time_window_days: wholeNumber(1, WINDOW_DAYS_MAX)
    .optional()
    .describe('Counts the last so many times 24 hours, from a whole hour on. All time if absent.'),
  category_ids: z
    .array(Id)
    .min(1, CATEGORIES_PROBLEM)
    .max(CATEGORIES_MAX, CATEGORIES_PROBLEM)
    .optional()
    .describe("Only products of these categories, by today's catalog."),
  limit: pageLimit(20, 'Products of the page.'),
  min_interactions: wholeNumber(1, INTERACTIONS_MAX)
    .default(1)
    .describe('Only products with at least so many events, of all types, in the window.'),
  as_of: z
    .union([z.iso.datetime({ offset: true }), z.iso.date()], {
      error:
        'must be a day such as 2026-03-01, or an RFC 3339 time such as 2026-03-01T12:00:00Z, between 2000-01-01T00:00:00Z and now',
    })
    .optional()
    .describe(
      "An instant since 2000, floored to the hour: the list of that hour by today's log, weights and catalog. A day is its end in UTC, and today is now, floored to the hour. Now if absent.",
    ),
  cursor: pageCursor('meta.next_cursor of the previous page, with the same query.'),
  ...listedProductOptions,
})
export type PopularRequest = z.infer<typeof PopularRequest>

export const PopularProduct = ListedPopularity.extend({
  rising_score: z
    .number()
    .optional()
    .describe(
      'In the mode rising: (events of the last 24 hours + 10) / (events that the 7 days before predict + 10), for types with a positive weight. Products above 1 are listed.',
    ),
})
export type PopularProduct = z.infer<typeof PopularProduct>

export const PopularResponse = z
  .object({
    data: z.array(PopularProduct),
    meta: z.object({
      mode: z.enum(Object.keys(MODES) as [Mode, ...Mode[]]),
      time_window_days: z.int().nullable(),
      as_of: z.iso.datetime().nullable().describe('The hour of the list; null for now.'),
      generated_at: z.iso
        .datetime()
        .describe('When the list was read; in the mode rising without window and as_of, when it was computed.'),
      next_cursor: NextCursor,
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

export const popularListHandlers = {
  Popular: handler({
    input: PopularRequest,
    output: PopularResponse,
    description: 'Popular products by mode, within a window and categories, now or at an instant.',
  }),
}
