import { z } from 'zod'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { handler } from './handler.ts'
import { ReportDay } from './report.ts'

export const SELLER_DAYS_MAX = 366

export const SellersRequest = z.strictObject({
  start: ReportDay.optional().describe('The first day, in UTC; 29 days before the last day if absent.'),
  end: ReportDay.optional().describe('The last day, which is included; today if absent.'),
  limit: pageLimit(20, 'Sellers of the page.'),
  cursor: pageCursor(
    'meta.next_cursor of the previous page. It has the range, so `start` and `end` may be absent, or must be the same.',
  ),
})
export type SellersRequest = z.infer<typeof SellersRequest>

const Change = z.number().nullable().describe('In percent of the preceding period of the same length; null if that is 0.')

export const SellerSales = z.object({
  seller_id: z.string(),
  orders: z.int().describe('Orders with items of the seller, without fully returned orders.'),
  items_sold: z.int(),
  amounts: z
    .array(z.object({ currency: z.string(), amount: z.int(), change: Change }))
    .describe('Sales less returns in each currency, in its minor units; the currency with the most orders first.'),
  products: z.int().describe('Products of the seller in the catalog that are not deleted.'),
  change: z.object({ orders: Change, items_sold: Change }),
})
export type SellerSales = z.infer<typeof SellerSales>

export const SellersResponse = z
  .object({
    data: z.array(SellerSales),
    meta: z.object({ start: z.iso.date(), end: z.iso.date(), next_cursor: NextCursor }),
  })
  .meta({
    examples: [
      {
        data: [
          {
            seller_id: 'north-light',
            orders: 1,
            items_sold: 2,
            amounts: [{ currency: 'EUR', amount: 9_980, change: 100 }],
            products: 3,
            change: { orders: null, items_sold: -33.33 },
          },
        ],
        meta: { start: '2026-02-01', end: '2026-03-01', next_cursor: null },
      },
    ],
  })
export type SellersResponse = z.infer<typeof SellersResponse>

export const sellerListHandlers = {
  Sellers: handler({
    input: SellersRequest,
    output: SellersResponse,
    description:
      'Sellers with sales in a range of days, the most orders first: revenue per currency, orders, items, and the change.',
  }),
}
