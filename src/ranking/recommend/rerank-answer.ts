import type { RerankedItem, RerankRequest, RerankResponse } from '../../contract/rerank.ts'
import { type ContextSettings, contextOf } from '../shopper-context.ts'
import type { ShopperEvent } from '../shopper-event.ts'
import { type KnownProduct, rerank, type Reranked, type RerankSettings } from './rerank.ts'

interface RerankFacts {
  events: Iterable<ShopperEvent>
  known: (productId: string) => KnownProduct
  isPartial: boolean
  nowMs: number
}

interface Settings {
  rerank: RerankSettings
  context: ContextSettings
}

/** A list in the order for what its shopper does now. */
export function rerankAnswerOf(request: RerankRequest, facts: RerankFacts, settings: Settings): RerankResponse {
  const { preset = settings.rerank.preset } = request
  const numbers = settings.rerank.presets[preset]
  const productsMax = Math.max(0, ...numbers.recent.map(({ products }) => products))
  const { products, categories } = contextOf(facts.events, facts.nowMs, { ...settings.context, productsMax })
  const ranked = rerank({
    items: request.items.map(({ product_id: productId, score }) => ({ productId, score })),
    visit: {
      products: products.map(({ productId }) => productId),
      categories: new Map(categories.map(({ category, count }) => [category, count])),
    },
    known: facts.known,
    numbers,
  })
  return {
    data: ranked.slice(0, request.limit).map((item, at) => itemOf(item, at + 1, request.explain)),
    meta: { preset, is_partial: facts.isPartial },
  }
}

function itemOf({ productId, score, originalScore, rules }: Reranked, rank: number, explains: boolean): RerankedItem {
  const applied_rules = rules.map(({ rule, factor, detail }) => ({ rule, factor, ...(explains && { detail }) }))
  return { product_id: productId, score, rank, original_score: originalScore, applied_rules }
}
