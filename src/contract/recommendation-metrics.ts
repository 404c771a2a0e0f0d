import { z } from 'zod'
import { wholeNumber } from './fields/whole-number.ts'
import { BLENDS, STRATEGIES } from './recommendation.ts'

export const METRICS_DAYS_MAX = 365

/** The types of events that are attributed. */
export const ATTRIBUTED_TYPES = { click: 'click_from_recommendation', cart: 'add_to_cart', purchase: 'purchase' } as const

export const RecommendationMetricsRequest = z.strictObject({
  days: wholeNumber(1, METRICS_DAYS_MAX)
    .default(7)
    .describe('Days of UTC on which products were shown: today and those before it.'),
  per_day: z.boolean().default(false).describe('Whether each day has numbers of its own.'),
})
export type RecommendationMetricsRequest = z.infer<typeof RecommendationMetricsRequest>

export const RecommendationNumbers = z.object({
  impressions: z.int().describe('Answers with recommendations.'),
  products: z.int().describe('Products of these answers.'),
  clicks: z.int().describe('Attributed events `click_from_recommendation`.'),
  click_through: z.number().nullable().describe('Clicks per impression; null without impressions.'),
  carts: z.int().describe('Attributed events `add_to_cart`.'),
  purchases: z.int().describe('Attributed events `purchase`, those of payments too.'),
  revenue: z
    .array(z.object({ currency: z.string(), amount: z.int().describe('In minor units of the currency.') }))
    .describe(
      'What payments came to for attributed purchases, less what was taken back since; without shipping, fees and discounts.',
    ),
})
export type RecommendationNumbers = z.infer<typeof RecommendationNumbers>

export const RecommendationMetrics = z.object({
  day: z.string().optional().describe('The UTC day on which the products were shown; with per_day.'),
  strategy: z.enum(STRATEGIES),
  blend: z.enum(BLENDS),
  similarity_version: z.int().nullable().describe('null for answers without similarities.'),
  ...RecommendationNumbers.shape,
})
export type RecommendationMetrics = z.infer<typeof RecommendationMetrics>

export const RecommendationMetricsResponse = z
  .object({
    data: z.array(RecommendationMetrics).describe('By day, the newest first, then strategy, blend and version.'),
    meta: z.object({
      from: z.string().describe('The first day.'),
      to: z.string().describe('The last day: today.'),
      attribution_hours: z.int(),
      totals: RecommendationNumbers.describe('Of all rows.'),
    }),
  })
  .meta({
    examples: [
      {
        data: [
          {
            strategy: 'personal',
            blend: 'similarity',
            similarity_version: 7,
            ...{ impressions: 40, products: 800, clicks: 6, click_through: 0.15, carts: 3, purchases: 2 },
            revenue: [{ currency: 'EUR', amount: 9_980 }],
          },
        ],
        meta: {
          from: '2026-02-23',
          to: '2026-03-01',
          attribution_hours: 24,
          totals: {
            ...{ impressions: 40, products: 800, clicks: 6, click_through: 0.15, carts: 3, purchases: 2 },
            revenue: [{ currency: 'EUR', amount: 9_980 }],
          },
        },
      },
    ],
  })
export type RecommendationMetricsResponse = z.infer<typeof RecommendationMetricsResponse>
