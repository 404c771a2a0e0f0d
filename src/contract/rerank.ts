import { z } from 'zod'
import { ProductId } from './fields/id.ts'
import { namedShopper, namesShopper, NO_SHOPPER } from './fields/named-shopper.ts'
import { AppliedRule, IsPartial } from './fields/ranked.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { unlessMissing } from './fields/zod-messages.ts'
import { handler } from './handler.ts'

export const RERANK_ITEMS_MAX = 500

/** Sets of numbers for the rules. */
export const RERANK_PRESETS = ['standard', 'mild'] as const
export type RerankPreset = (typeof RERANK_PRESETS)[number]

export const RerankItem = z.strictObject({
  product_id: ProductId,
  score: z.number({ error: unlessMissing('must be a finite number') }).describe("The caller's score; the higher, the better."),
})
export type RerankItem = z.infer<typeof RerankItem>

export const RerankRequest = z
  .strictObject({
    ...namedShopper,
    items: z
      .array(RerankItem)
      .max(RERANK_ITEMS_MAX)
      .describe('The list of the caller, in any order. A product that it has twice stays there twice.'),
    limit: wholeNumber(1, RERANK_ITEMS_MAX).default(RERANK_ITEMS_MAX).describe('Items of the answer.'),
    preset: z.enum(RERANK_PRESETS).optional().describe('The numbers of the rules; RERANK_PRESET if absent.'),
    explain: z.boolean().default(false).describe('Whether each applied rule says what it found.'),
  })
  .refine(namesShopper, NO_SHOPPER)
  .meta({
    examples: [
      {
        session_id: 's-1',
        items: [
          { product_id: 'lamp', score: 0.9 },
          { product_id: 'desk', score: 0.7 },
        ],
      },
    ],
  })
export type RerankRequest = z.infer<typeof RerankRequest>

export const RerankedItem = z.object({
  product_id: z.string(),
  score: z.number().describe("The caller's score after the rules."),
  rank: z.int().describe('From 1.'),
  original_score: z.number().describe("The caller's score."),
  applied_rules: z
    .array(AppliedRule)
    .describe(
      'intent_boost, recent_penalty, popularity_floor, category_share, category_count or unknown_product, in this order.',
    ),
})
export type RerankedItem = z.infer<typeof RerankedItem>

export const RerankResponse = z
  .object({
    data: z.array(RerankedItem),
    meta: z.object({ preset: z.enum(RERANK_PRESETS), is_partial: IsPartial }),
  })
  .meta({
    examples: [
      {
        data: [
          { product_id: 'desk', score: 0.7, rank: 1, original_score: 0.7, applied_rules: [] },
          {
            product_id: 'lamp',
            score: 0.18,
            rank: 2,
            original_score: 0.9,
            applied_rules: [{ rule: 'recent_penalty', factor: 0.2 }],
          },
        ],
        meta: { preset: 'standard', is_partial: false },
      },
    ],
  })
export type RerankResponse = z.infer<typeof RerankResponse>

export const rerankHandlers = {
  Rerank: handler({
    input: RerankRequest,
    output: RerankResponse,
    description: "Orders the caller's list by what its shopper does now. Nothing is dropped.",
  }),
}
