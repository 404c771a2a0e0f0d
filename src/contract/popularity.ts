import { z } from 'zod'
import { ProductId } from './text.ts'

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
export type Popularity = z.infer<typeof Popularity>

export const TopRequest = z.strictObject({
  limit: z.int().min(1).max(100).default(10),
  cursor: z.string().min(1).max(2_000).optional().describe('meta.next_cursor of the page before.'),
})
export type TopRequest = z.infer<typeof TopRequest>

export const TopResponse = z.object({
  data: z.array(Popularity),
  meta: z.object({ next_cursor: z.string().nullable() }),
})
export type TopResponse = z.infer<typeof TopResponse>

export const GetPopularityRequest = z.strictObject({ product_id: ProductId })
