import { z } from 'zod'
import { handler } from './handler.ts'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { RecordedBatch } from './recorded-batch.ts'
import { ProductId } from './fields/id.ts'
import { listedProductOptions, ProductBeside } from './product.ts'

const Count = z.int()

export const Popularity = z.object({
  product_id: z.string(),
  score: z.number().describe('Sum of the weights of all events of the product, exact to a millionth.'),
  trending_score: z
    .number()
    .describe('Sum of weight · 0.5^(age / half-life) over the trending window, as of this answer, to a billionth.'),
  view_count: Count,
  purchase_count: Count,
  favorite_count: Count,
  cart_count: Count,
  review_count: Count,
  search_count: Count,
  search_click_count: Count,
  last_interaction: z.iso.datetime().describe('When the latest event of the product occurred.'),
  date_updated: z.iso.datetime().describe('When an event of the product was last counted.'),
})
export type Popularity = z.infer<typeof Popularity>

/** A product with one purchase, a while ago. */
export const POPULARITY_EXAMPLE = {
  product_id: 'lamp',
  score: 0.8,
  trending_score: 0.7999,
  view_count: 0,
  purchase_count: 1,
  favorite_count: 0,
  cart_count: 0,
  review_count: 0,
  search_count: 0,
  search_click_count: 0,
  last_interaction: '2026-03-01T12:00:00.000Z',
  date_updated: '2026-03-01T12:00:00.041Z',
}

export const TopRequest = z.strictObject({
  limit: pageLimit(10, 'Products of the page.'),
  cursor: pageCursor(),
  ...listedProductOptions,
})
export type TopRequest = z.infer<typeof TopRequest>

/** A row of a list. */
export const ListedPopularity = Popularity.extend({ product: ProductBeside })
export type ListedPopularity = z.infer<typeof ListedPopularity>

export const TopResponse = z
  .object({
    data: z.array(ListedPopularity),
    meta: z.object({ next_cursor: NextCursor }),
  })
  .meta({ examples: [{ data: [POPULARITY_EXAMPLE], meta: { next_cursor: null } }] })
export type TopResponse = z.infer<typeof TopResponse>

export const GetPopularityRequest = z.strictObject({
  product_id: ProductId.describe("The shop's id of the product.").meta({ examples: ['lamp'] }),
})

/** A product that may have no events: its numbers are 0 then, and its times null. */
export const ProductPopularity = Popularity.extend({
  last_interaction: Popularity.shape.last_interaction.nullable(),
  date_updated: Popularity.shape.date_updated.nullable(),
})
export type ProductPopularity = z.infer<typeof ProductPopularity>

/** The answer over HTTP. The handler, whose answer has no null, answers 404 for a product without events. */
export const GetPopularityResponse = z.object({ data: ProductPopularity }).meta({ examples: [{ data: POPULARITY_EXAMPLE }] })

export const popularityHandlers = {
  HandlePopularityEvent: handler({ input: RecordedBatch, description: 'Private. Counts a recorded batch once.' }),
  Top: handler({ input: TopRequest, output: TopResponse, description: 'Products by score, best first.' }),
  Get: handler({
    input: GetPopularityRequest,
    output: Popularity,
    description: 'One product; 404 if no event of it was counted.',
  }),
}
