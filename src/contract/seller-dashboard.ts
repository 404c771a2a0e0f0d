import { z } from 'zod'
import { Currency } from './currency.ts'
import { isTimeZone } from './time.ts'
import { Id } from './id.ts'

/** A chart with more points than this is not looked at, and its query would be a way to keep the database busy. */
export const BUCKETS_MAX = 1_000
export const TOP_PRODUCTS = 10

export const GRANULARITIES = ['day', 'week', 'month'] as const
export type Granularity = (typeof GRANULARITIES)[number]

const Day = z.iso.date({ error: 'must be a day such as 2026-03-01' })

export const SellerDashboardRequest = z.strictObject({
  seller_id: Id.optional()
    .describe('Needed, unless the key or token is bound to a seller: then it is that one.')
    .meta({ examples: ['north-light'] }),
  start: Day.optional().describe('The first day of the range; 29 days before its last one when absent.'),
  end: Day.optional().describe('The last day of the range, which is part of it; today when absent.'),
  granularity: z.enum(GRANULARITIES).default('day').describe('What the charts have a point for; weeks begin on Monday.'),
  time_zone: z
    .string()
    .refine(isTimeZone, { error: 'must be an IANA time zone such as Europe/Berlin' })
    .default('UTC')
    .describe('Whose days they are.'),
  currency: Currency.optional().describe('The one with the most orders when absent.'),
})
export type SellerDashboardRequest = z.infer<typeof SellerDashboardRequest>

const Change = z.number().nullable().describe('Per cent of the period before, of as many days; null when that is 0.')
const Point = z.object({ date: z.iso.date().describe('The first day of the bucket.'), value: z.int() })

const SellerDashboard = z.object({
  summary: z.object({
    total_revenue: z
      .int()
      .describe('What was sold less what was taken back, in minor units of the currency, without other currencies.'),
    total_orders: z.int().describe('Orders with items of the seller, less those taken back whole.'),
    items_sold: z.int(),
    average_rating: z
      .number()
      .nullable()
      .describe("1 to 5, of the rating events in the range about products that are the seller's today; null without any."),
    pending_items: z.int().describe('Items of payments that are pending now, whatever the range and currency.'),
    pending_refunds: z.int().describe('Refunds that wait for their payment now, whatever the range and currency.'),
    currency: z.string().nullable().describe('Null when the seller never sold anything and none was asked for.'),
    comparison: z.object({ revenue_change: Change, orders_change: Change, items_sold_change: Change }),
  }),
  charts: z.object({
    revenue: z.array(Point).describe('Every bucket of the range, without sales too. The first and last may be cut by the range.'),
    orders: z.array(Point),
  }),
  top_products: z
    .array(
      z.object({
        product_id: z.string(),
        name: z.string().nullable().describe("The catalogue's; null when it never had the product."),
        sold_count: z.int(),
        revenue: z.int(),
      }),
    )
    .max(TOP_PRODUCTS)
    .describe('By items sold, then revenue, then id.'),
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
      currencies: z.array(z.string()).describe('All in which the seller ever sold, most orders first.'),
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
