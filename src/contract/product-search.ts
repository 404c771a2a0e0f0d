import { z } from 'zod'
import { Id } from './fields/id.ts'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { storableText } from './fields/text.ts'
import { handler } from './handler.ts'
import { Popularity } from './popularity.ts'
import { CatalogProduct, Product } from './product.ts'

export const QUERY_CHARACTERS_MAX = 200
/** A list of so many products is ordered by score, because PostgreSQL reads that many at once. A longer one is ordered by id. */
export const SCORED_MAX = 1_000

export const SEARCH_STATES = ['full_text', 'filling'] as const
export const SEARCH_ORDERS = ['score', 'product_id'] as const
export type SearchOrder = (typeof SEARCH_ORDERS)[number]

export const SearchProductsRequest = z.strictObject({
  query: storableText(QUERY_CHARACTERS_MAX)
    .optional()
    .describe(
      'Finds names that have all of its words, each as the beginning of a word, in any case; and ids that begin with it, as it is written.',
    )
    .meta({ examples: ['brass la'] }),
  category: Id.optional().describe('Only products of this category.'),
  brand: Id.optional().describe('Only products of this brand.'),
  seller_id: Id.optional().describe('Only products of this seller.'),
  status: Product.shape.status.optional().describe('Products of any status if absent.'),
  seen: z.boolean().optional().describe('true: products that had an event; false: those that never had one.'),
  limit: pageLimit(20, 'Products of the page.'),
  cursor: pageCursor('meta.next_cursor of the previous page, with the same query and filters.'),
})
export type SearchProductsRequest = z.infer<typeof SearchProductsRequest>

export const FoundProduct = CatalogProduct.extend({
  interactions: z
    .object({
      events: z.int().describe('How many events of the product were counted, of all types.'),
      score: Popularity.shape.score,
      last_interaction: Popularity.shape.last_interaction,
    })
    .nullable()
    .describe('null for a product that never had an event.'),
})
export type FoundProduct = z.infer<typeof FoundProduct>

const FOUND = {
  product_id: 'lamp',
  seller_id: 'north-light',
  name: 'Brass lamp',
  category: 'lighting',
  price: 4_990,
  currency: 'EUR',
  quantity: 12,
  status: 'active',
  updated_at: '2026-03-01T12:00:00.000Z',
  interactions: { events: 1, score: 0.8, last_interaction: '2026-03-01T12:00:00.000Z' },
} satisfies FoundProduct

export const SearchProductsResponse = z
  .object({
    data: z.array(FoundProduct),
    meta: z.object({
      search: z
        .enum(SEARCH_STATES)
        .describe('filling: the search does not know all products yet, after an update of Footfall. It finds all ids meanwhile.'),
      order: z
        .enum(SEARCH_ORDERS)
        .describe(
          `score: at most ${SCORED_MAX.toLocaleString('en')} products were found; the highest score first, those without events last. product_id: more were found.`,
        ),
      next_cursor: NextCursor,
    }),
  })
  .meta({ examples: [{ data: [FOUND], meta: { search: 'full_text', order: 'score', next_cursor: null } }] })
export type SearchProductsResponse = z.infer<typeof SearchProductsResponse>

export const productSearchHandlers = {
  SearchProducts: handler({
    input: SearchProductsRequest,
    output: SearchProductsResponse,
    description: 'Products of the catalog by the words of their names or their ids, and by category, brand, seller and status.',
  }),
}
