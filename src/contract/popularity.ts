import { z } from 'zod'
import { wholeNumber } from './whole-number.ts'
import { ProductId } from './id.ts'

const Count = z.int()

export const Popularity = z.object({
  product_id: z.string(),
  score: z.number().describe('Sum of the weights of all its events; exact to a millionth.'),
  trending_score: z.number().describe('Sum of weight · 0.5^(age / half-life) over the trending window, as of this answer.'),
  view_count: Count,
  purchase_count: Count,
  favorite_count: Count,
  cart_count: Count,
  review_count: Count,
  search_count: Count,
  search_click_count: Count,
  last_interaction: z.iso.datetime().describe('When its latest event occurred.'),
  date_updated: z.iso.datetime().describe('When an event of it was last counted.'),
})
/** A purchase, a while ago. */
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
export type Popularity = z.infer<typeof Popularity>

export const TopRequest = z.strictObject({
  limit: wholeNumber(1, 100).default(10).describe('Products of the page.'),
  cursor: z.string().min(1).max(2_000).optional().describe('meta.next_cursor of the page before.'),
})
export type TopRequest = z.infer<typeof TopRequest>

export const TopResponse = z
  .object({
    data: z.array(Popularity),
    meta: z.object({ next_cursor: z.string().nullable().describe('Asks for the next page; null on the last.') }),
  })
  .meta({ examples: [{ data: [POPULARITY_EXAMPLE], meta: { next_cursor: null } }] })
export type TopResponse = z.infer<typeof TopResponse>

export const GetPopularityRequest = z.strictObject({
  product_id: ProductId.describe('The id that the shop gave it.').meta({ examples: ['lamp'] }),
})

/** As REST answers it. */
export const GetPopularityResponse = z.object({ data: Popularity }).meta({ examples: [{ data: POPULARITY_EXAMPLE }] })
