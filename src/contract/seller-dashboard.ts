import { z } from 'zod'
import { Currency } from './fields/currency.ts'
import { ReportDay } from './report.ts'
import { isTimeZone } from './fields/time.ts'
import { handler } from './handler.ts'
import { Id } from './fields/id.ts'

/** Longer charts cannot be read, and would let a caller keep the database busy. */
export const BUCKETS_MAX = 1_000
export const TOP_PRODUCTS = 10

export const GRANULARITIES = ['day', 'week', 'month'] as const
export type Granularity = (typeof GRANULARITIES)[number]

export const SellerDashboardRequest = z.strictObject({
  seller_id: Id.optional()
    .describe('Needed, unless the key or token is bound to a seller, which is then the default.')
    .meta({ examples: ['north-light'] }),
  start: ReportDay.optional().describe('The first day of the range; 29 days before its last day if absent.'),
  end: ReportDay.optional().describe('The last day of the range, which is included; today if absent.'),
  granularity: z.enum(GRANULARITIES).default('day').describe('The length of the buckets of the charts; weeks begin on Monday.'),
  time_zone: z
    .string()
    .refine(isTimeZone, { error: 'must be an IANA time zone such as Europe/Berlin' })
    .default('UTC')
    .describe('The time zone of the days.'),
  currency: Currency.optional().describe('The currency with the most orders if absent.'),
})
export type SellerDashboardRequest = z.infer<typeof SellerDashboardRequest>

const Change = z.number().nullable().describe('In percent of the preceding period of the same length; null if that is 0.')
const Point = z.object({ date: z.iso.date().describe('The first day of the bucket.'), value: z.int() })

const SellerDashboard = z.object({
  summary: z.object({
    total_revenue: z.int().describe('Sales less returns, in minor units of the currency, without sales in other currencies.'),
    total_orders: z.int().describe('Orders with items of the seller, without fully returned orders.'),
    items_sold: z.int(),
    average_rating: z
      .number()
      .nullable()
      .describe("1 to 5, from the rating events in the range on products that are the seller's today; null without ratings."),
    pending_items: z.int().describe('Items of payments that are pending now, for up to PENDING_DAYS, in any range and currency.'),
    pending_refunds: z.int().describe('Refunds that wait for their payment now, in any range and currency.'),
    currency: z.string().nullable().describe('Null if the seller never sold anything and the request names no currency.'),
    comparison: z.object({ revenue_change: Change, orders_change: Change, items_sold_change: Change }),
  }),
  charts: z.object({
    revenue: z
      .array(Point)
      .describe('Every bucket of the range, also without sales. The range may cut the first and the last bucket.'),
    orders: z.array(Point),
  }),
  top_products: z
    .array(
      z.object({
        product_id: z.string(),
        name: z.string().nullable().describe('The name in the catalog; null if it never had the product.'),
        sold_count: z.int(),
        revenue: z.int(),
      }),
    )
    .max(TOP_PRODUCTS)
    .describe('Ordered by items sold, then revenue, then id.'),
})

export const SellerDashboardResponse = z
  .object({
    data: SellerDashboard,
    meta: z.object({
      seller_id: z.string(),
      start: z.iso.date(),
      end: z.iso.date(),
      granularity: z.enum(GRANULARITIES),
      time_zone: z.string(),
      currencies: z.array(z.string()).describe('All currencies in which the seller ever sold, most orders first.'),
      generated_at: z.iso.datetime(),
    }),
  })
  .meta({
    examples: [
      {
        data: {
          summary: {
            total_revenue: 9_980,
            total_orders: 1,
            items_sold: 2,
            average_rating: 4.5,
            pending_items: 0,
            pending_refunds: 0,
            currency: 'EUR',
            comparison: { revenue_change: 100, orders_change: null, items_sold_change: -33.33 },
          },
          charts: { revenue: [{ date: '2026-03-01', value: 9_980 }], orders: [{ date: '2026-03-01', value: 1 }] },
          top_products: [{ product_id: 'lamp', name: 'Brass lamp', sold_count: 2, revenue: 9_980 }],
        },
        meta: {
          seller_id: 'north-light',
          start: '2026-03-01',
          end: '2026-03-01',
          granularity: 'day',
          time_zone: 'UTC',
          currencies: ['EUR'],
          generated_at: '2026-03-01T18:00:00.000Z',
        },
      },
    ],
  })
export type SellerDashboardResponse = z.infer<typeof SellerDashboardResponse>

export const sellerHandlers = {
  SellerDashboard: handler({
    input: SellerDashboardRequest,
    output: SellerDashboardResponse,
    description: 'The sales of a seller: summary, comparison with the preceding period, charts, best products.',
  }),
}
