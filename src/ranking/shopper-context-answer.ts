import { instantOf } from '../contract/fields/time.ts'
import type { ShopperContext as ContextAnswer } from '../contract/shopper-context.ts'
import type { ShopperContext } from './shopper-context.ts'

/** A context as callers see it. */
export function contextAnswerOf({ products, categories, lastActiveMs }: ShopperContext): ContextAnswer {
  return {
    recent_products: products.map(({ productId, eventType, category, brand, occurredAtMs }) => ({
      product_id: productId,
      event_type: eventType,
      category: category ?? null,
      brand: brand ?? null,
      occurred_at: instantOf(occurredAtMs),
    })),
    categories,
    last_active: lastActiveMs === undefined ? null : instantOf(lastActiveMs),
  }
}
