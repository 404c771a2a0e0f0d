import { z } from 'zod'
import { ShopperId } from './fields/shopper-id.ts'
import { handler } from './handler.ts'

export const ContextRequest = z.strictObject({
  shopper_id: ShopperId.describe('The shopper: `account:` or `session:`, and its id.'),
})
export type ContextRequest = z.infer<typeof ContextRequest>

export const RecentProduct = z.object({
  product_id: z.string(),
  event_type: z.string().describe('What the shopper did last with the product.'),
  category: z.string().nullable().describe('What the catalog said when the event was recorded; null when it said nothing.'),
  brand: z.string().nullable(),
  occurred_at: z.iso.datetime(),
})
export type RecentProduct = z.infer<typeof RecentProduct>

export const ShopperContext = z.object({
  recent_products: z.array(RecentProduct).describe('The products of the current visit, each once; the newest first.'),
  categories: z
    .array(z.object({ category: z.string(), count: z.int().describe('Events of the visit with a product of the category.') }))
    .describe('The categories of the visit; the one with the most events first.'),
  last_active: z.iso.datetime().nullable().describe('The newest event of the visit; null when the shopper is not active.'),
})
export type ShopperContext = z.infer<typeof ShopperContext>

const ContextMeta = z.object({
  is_partial: z
    .boolean()
    .describe('Whether PostgreSQL or the Redis of SHOPPER_STORE did not answer, so that events may be missing.'),
})

/** The answer of the handler. */
export const ContextAnswer = ShopperContext.extend({ meta: ContextMeta })
export type ContextAnswer = z.infer<typeof ContextAnswer>

/** The answer over HTTP. */
export const ContextResponse = z.object({ data: ShopperContext, meta: ContextMeta }).meta({
  examples: [
    {
      data: {
        recent_products: [
          {
            product_id: 'lamp',
            event_type: 'add_to_cart',
            category: 'lighting',
            brand: 'Lumen',
            occurred_at: '2026-03-01T12:00:00.000Z',
          },
        ],
        categories: [{ category: 'lighting', count: 2 }],
        last_active: '2026-03-01T12:00:00.000Z',
      },
      meta: { is_partial: false },
    },
  ],
})

export const shopperContextHandlers = {
  Context: handler({
    input: ContextRequest,
    output: ContextAnswer,
    description:
      'What a shopper does now: the products and categories of the current visit. Empty for an unknown shopper. With a Redis in SHOPPER_STORE it has the live events too, otherwise those that PostgreSQL has.',
  }),
}
