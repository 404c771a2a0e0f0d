import { z } from 'zod'
import { Currency } from './fields/currency.ts'
import { Id, ProductId } from './fields/id.ts'
import { Instant } from './fields/instant.ts'
import { namedShopper, namesShopper, NO_SHOPPER } from './fields/named-shopper.ts'
import { pageLimit } from './fields/page.ts'
import { AppliedRule, IsPartial, Share, SimilarityVersion } from './fields/ranked.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { handler } from './handler.ts'
import { EVENT_TYPE_PATTERN } from './interaction.ts'
import { availableProductOptions, ProductBeside } from './product.ts'

/** How the parts of a score are weighed. */
export const BLENDS = ['similarity', 'weighted'] as const
export type Blend = (typeof BLENDS)[number]

/** What happens to products that the shopper has seen. */
export const SEEN_RULES = ['keep', 'penalty', 'remove'] as const
export type SeenRule = (typeof SEEN_RULES)[number]

/** personal: by the history of the shopper; popular: popular products, because too few interactions are known. */
export const STRATEGIES = ['personal', 'popular'] as const
export type Strategy = (typeof STRATEGIES)[number]

/** Lists of a recommendation's candidates, in the order of the answer. */
export const CANDIDATE_SOURCES = ['neighbours', 'popular_in_category', 'trending', 'rising', 'new', 'popular'] as const
export type CandidateSource = (typeof CANDIDATE_SOURCES)[number]

export const FILTER_VALUES_MAX = 50
export const EXCLUDED_MAX = 500
export const HISTORY_MAX = 100
export const CAP_MAX = 20
export const PRICE_MAX = Number.MAX_SAFE_INTEGER

const someOf = (what: string) =>
  z
    .array(Id)
    .min(1, { error: `must be 1 to ${FILTER_VALUES_MAX} ids` })
    .max(FILTER_VALUES_MAX, { error: `must be 1 to ${FILTER_VALUES_MAX} ids` })
    .optional()
    .describe(`Only products of these ${what}, by today's catalog.`)

const Price = wholeNumber(0, PRICE_MAX).optional()

/** Options of every request. */
export const recommendationOptions = {
  limit: pageLimit(20, 'Products of the answer.'),
  blend: z.enum(BLENDS).optional().describe('How scores are made; RECOMMENDATION_BLEND if absent.'),
  category_ids: someOf('categories'),
  brands: someOf('brands'),
  seller_ids: someOf('sellers'),
  price_min: Price.describe('Only products with at least this price, in minor units.'),
  price_max: Price.describe('Only products with at most this price, in minor units.'),
  currency: Currency.optional().describe("The currency of the price range; each product's own if absent."),
  exclude: z
    .array(ProductId)
    .max(EXCLUDED_MAX, { error: `must have at most ${EXCLUDED_MAX} ids` })
    .optional()
    .describe('Products to leave out. Unknown ones are named in `meta.unknown_excluded`.'),
  seen: z
    .enum(SEEN_RULES)
    .optional()
    .describe("What happens to products of the shopper's history; RECOMMENDATION_SEEN if absent."),
  brand_max: wholeNumber(1, CAP_MAX).optional().describe('At most so many products of a brand among the first 20.'),
  interactions_min: wholeNumber(0, HISTORY_MAX)
    .optional()
    .describe('A shopper with fewer interactions gets popular products; RECOMMENDATION_INTERACTIONS_MIN if absent.'),
  rotation: z
    .boolean()
    .default(false)
    .describe('Whether products that the shopper was shown in the last hour and did not click sink a little.'),
  explain: z.boolean().default(false).describe('Whether each product comes with the reasons of its score.'),
  ...availableProductOptions,
}

/** An event that the caller of a request brings. It is not stored. */
export const HistoryItem = z.strictObject({
  product_id: ProductId,
  occurred_at: Instant,
  event_type: z.string().regex(EVENT_TYPE_PATTERN, { error: 'must be 1 to 64 of a-z, 0-9 and _' }).default('view'),
})
export type HistoryItem = z.infer<typeof HistoryItem>

const history = z
  .array(HistoryItem)
  .max(HISTORY_MAX, { error: `must have at most ${HISTORY_MAX} items` })
  .describe('The events of a shopper that Footfall does not know, in any order. It may be empty, and is not stored.')

export const EMPTY_RANGE = { error: 'must not be above price_max', path: ['price_min'] }
export function hasPriceRange({
  price_min,
  price_max,
}: {
  price_min?: number | undefined
  price_max?: number | undefined
}): boolean {
  return price_min === undefined || price_max === undefined || price_min <= price_max
}

const TWO_HISTORIES = { error: 'must not come with account_id or session_id', path: ['history'] }

/** For a shopper, or for a history that the caller brings. */
export const RecommendRequest = z
  .strictObject({ ...namedShopper, history: history.optional(), ...recommendationOptions })
  .refine((request) => request.history !== undefined || namesShopper(request), NO_SHOPPER)
  .refine((request) => request.history === undefined || !namesShopper(request), TWO_HISTORIES)
  .refine(hasPriceRange, EMPTY_RANGE)
export type RecommendRequest = z.infer<typeof RecommendRequest>

/** The body of a request without a shopper. */
export const RecommendFromHistoryRequest = z
  .strictObject({ history, ...recommendationOptions })
  .refine(hasPriceRange, EMPTY_RANGE)
  .meta({ examples: [{ history: [{ product_id: 'lamp', occurred_at: '2026-03-01T12:00:00Z' }], limit: 10, explain: true }] })
export type RecommendFromHistoryRequest = z.infer<typeof RecommendFromHistoryRequest>

const Weight = z.number().describe('The factor of the part in the blend.')

const Term = z.object({
  share: Share,
  weight: Weight,
  product_id: z.string().describe('The product of the history that leads here.'),
  event_id: z.uuid().nullable().describe('The newest event of the shopper with it; null when the log does not keep it apart.'),
  event_type: z.string(),
  occurred_at: z.iso.datetime(),
  age: z.int().describe('How many newer products the history has.'),
  decay: z.number().describe('The factor of that age, λ^age.'),
  strength: z.number().describe('The factor of the event type.'),
})

export const SimilarityShare = Term.extend({
  part: z.literal('similarity'),
  similarity: z.number().describe('s of the recipe, from the product of the history to this one.'),
  pairs: z.int().describe('How often shoppers had both products near each other; docs/recommendations.md has the SQL.'),
})

export const ContentShare = Term.extend({
  part: z.literal('content'),
  cosine: z.number().describe('How much the categories and brands agree.'),
  content_weight: z.number().describe('ω of the recipe, of the version.'),
  shared: z
    .object({ category: z.string().optional(), brand: z.string().optional() })
    .describe('The deepest category path and the brand that both products have now; empty when the catalog changed since.'),
})

export const BaseShare = z.object({
  share: Share,
  part: z.literal('base'),
  weight: Weight,
  price: z.number().describe("How near the price is to the median price of the shopper's products: the smaller by the larger."),
  stock: z.number().describe('How far the stock goes: a tenth for each item, at most 1.'),
})

export const PreferenceShare = z.object({
  share: Share,
  part: z.literal('preference'),
  weight: Weight,
  category: z.number().describe("The shopper's affinity with the category."),
  brand: z.number().describe("The shopper's affinity with the brand."),
})

export const PopularityShare = z.object({
  share: Share,
  part: z.literal('popularity'),
  weight: Weight,
  trending: z.number().describe('Trending, on a logarithmic scale up to 1 for the highest of all products that can be bought.'),
  overall: z.number().describe('The same for the score of all time.'),
})

export const ScoreShare = z.discriminatedUnion('part', [
  SimilarityShare,
  ContentShare,
  BaseShare,
  PreferenceShare,
  PopularityShare,
])
export type ScoreShare = z.infer<typeof ScoreShare>

export const Reasons = z.object({
  total: z.int().describe('The score in billionths: exactly the sum of the shares.'),
  similarity: z.number().describe('S of the recipe, before the weight of the blend.'),
  base: z.number().describe('From 0 to 1: price and stock, half each.'),
  preference: z.number().describe('From 0 to 1: the affinities with category and brand, half each.'),
  popularity: z.number().describe('From 0 to 1: three quarters trending, one quarter overall.'),
  rules: z.array(AppliedRule).describe('The rules that applied. Each share is multiplied by all of their factors.'),
  candidates: z.array(z.string()).describe('The lists that brought the product.'),
  shares: z.array(ScoreShare).describe('Largest first.'),
})
export type Reasons = z.infer<typeof Reasons>

export const Recommendation = z.object({
  product_id: z.string(),
  score: z.number().describe('Whole billionths.'),
  rank: z.int().describe('From 1.'),
  reasons: Reasons.optional().describe('With explain.'),
  product: ProductBeside,
})
export type Recommendation = z.infer<typeof Recommendation>

export const RecommendationMeta = z.object({
  recommendation_id: z.uuid().describe('Name it as `metadata.recommendation_id` of the events that follow from the list.'),
  strategy: z.enum(STRATEGIES).describe('personal, or popular for a shopper with too few interactions.'),
  blend: z.enum(BLENDS),
  similarity_version: SimilarityVersion,
  is_partial: IsPartial,
  interactions: z.int().describe('Interactions of the shopper that were found; at most 100 are counted.'),
  generated_at: z.iso.datetime(),
  unknown_excluded: z
    .array(z.string())
    .optional()
    .describe('Products of `exclude` that neither the catalog nor the log has; absent when there are none.'),
})
export type RecommendationMeta = z.infer<typeof RecommendationMeta>

export const RecommendResponse = z.object({ data: z.array(Recommendation), meta: RecommendationMeta }).meta({
  examples: [
    {
      data: [{ product_id: 'desk', score: 0.184210526, rank: 1 }],
      meta: {
        recommendation_id: '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11',
        strategy: 'personal',
        blend: 'similarity',
        similarity_version: 7,
        is_partial: false,
        interactions: 12,
        generated_at: '2026-03-01T12:00:00.000Z',
      },
    },
  ],
})
export type RecommendResponse = z.infer<typeof RecommendResponse>

export const recommendationHandlers = {
  Recommend: handler({
    input: RecommendRequest,
    output: RecommendResponse,
    description:
      'Products for a shopper, or for a history that the call brings; popular ones when too few interactions are known.',
  }),
}
