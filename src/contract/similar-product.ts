import { z } from 'zod'
import { ProductId } from './fields/id.ts'
import { pageLimit } from './fields/page.ts'
import { IsPartial, Share, SimilarityVersion } from './fields/ranked.ts'
import { handler } from './handler.ts'
import { availableProductOptions, ProductBeside } from './product.ts'

/** similar: by what shoppers had near it; bought_together: by orders and visits; alternatives: similar ones of the same category. */
export const SIMILAR_KINDS = ['similar', 'bought_together', 'alternatives'] as const
export type SimilarKind = (typeof SIMILAR_KINDS)[number]

/** How a list was made. category_and_brand is for a product that is newer than the similarities. */
export const SIMILAR_STRATEGIES = ['similarity', 'bought_together', 'category_and_brand'] as const
export type SimilarStrategy = (typeof SIMILAR_STRATEGIES)[number]

export const SimilarRequest = z.strictObject({
  product_id: ProductId.describe("The shop's id of the product.").meta({ examples: ['lamp'] }),
  kind: z
    .enum(SIMILAR_KINDS)
    .default('similar')
    .describe(
      'similar: products that shoppers had before and after it, filled with products of its category and brand; bought_together: products of the same orders or visits; alternatives: the similar ones of its category.',
    ),
  limit: pageLimit(10, 'Products of the answer.'),
  explain: z.boolean().default(false).describe('Whether each product comes with the reasons of its score.'),
  ...availableProductOptions,
})
export type SimilarRequest = z.infer<typeof SimilarRequest>

/** One part of the score of a similar product. */
export const SimilarShare = z.discriminatedUnion('part', [
  z.object({
    share: Share,
    part: z.enum(['to', 'from']).describe('to: from the product to this one, as shoppers went on; from: the other way.'),
    similarity: z.number(),
    pairs: z.int().describe('How often shoppers had both products near each other; docs/recommendations.md has the SQL.'),
  }),
  z.object({
    share: Share,
    part: z.literal('content'),
    cosine: z.number().describe('How much the categories and brands agree.'),
    content_weight: z.number().describe('ω of the recipe, of the version.'),
  }),
  z.object({
    share: Share,
    part: z.literal('bought_together'),
    together: z.int().describe('Orders and visits with both products.'),
    orders: z.int().describe('Those with the product that was asked for.'),
    other_orders: z.int().describe('Those with this one.'),
  }),
  z.object({ share: Share, part: z.literal('category'), category: z.string() }),
  z.object({ share: Share, part: z.literal('brand'), brand: z.string() }),
])
export type SimilarShare = z.infer<typeof SimilarShare>

export const SimilarProduct = z.object({
  product_id: z.string(),
  score: z.number().describe('Whole billionths.'),
  rank: z.int().describe('From 1.'),
  reasons: z
    .object({ total: z.int().describe('The score in billionths: exactly the sum of the shares.'), shares: z.array(SimilarShare) })
    .optional()
    .describe('With explain.'),
  product: ProductBeside,
})
export type SimilarProduct = z.infer<typeof SimilarProduct>

export const SimilarResponse = z
  .object({
    data: z.array(SimilarProduct),
    meta: z.object({
      kind: z.enum(SIMILAR_KINDS),
      strategy: z
        .enum(SIMILAR_STRATEGIES)
        .describe('How the list was made. category_and_brand says that the product is newer than the similarities.'),
      similarity_version: SimilarityVersion,
      is_partial: IsPartial,
    }),
  })
  .meta({
    examples: [
      {
        data: [{ product_id: 'desk', score: 0.184210526, rank: 1 }],
        meta: { kind: 'similar', strategy: 'similarity', similarity_version: 7, is_partial: false },
      },
    ],
  })
export type SimilarResponse = z.infer<typeof SimilarResponse>

export const similarProductHandlers = {
  Similar: handler({
    input: SimilarRequest,
    output: SimilarResponse,
    description: 'Products like one: similar ones, bought together with it, or alternatives to it; 404 for an unknown product.',
  }),
}
