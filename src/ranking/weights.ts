import { z } from 'zod'
import { EVENT_TYPE_PATTERN } from '../contract/interaction.ts'

/** Event type → weight. A type without a weight scores nothing. */
export type Weights = Readonly<Record<string, number>>

const WEIGHT_MAX = 1_000
const MICROS = 1_000_000

export const PRESETS = {
  balanced: {
    purchase: 0.8,
    add_to_favorites: 0.6,
    checkout_started: 0.6,
    add_to_cart: 0.5,
    write_review: 0.5,
    rating_high: 0.4,
    view: 0.3,
    ask_question: 0.25,
    click_from_search: 0.2,
    click_from_recommendation: 0.15,
    view_similar_products: 0.15,
    click_from_category: 0.12,
    rating_medium: 0.1,
    product_impression: 0.1,
    view_bounce: -0.1,
    not_interested: -0.3,
    remove_from_cart: -0.3,
    hide_item: -0.35,
    rating_low: -0.5,
    dislike: -0.5,
    return_product: -0.6,
    cancel_order: -0.6,
    refund_requested: -0.7,
    report_product: -1.2,
  },
  storefront: { purchase: 10, add_to_cart: 5, add_to_favorites: 3, view: 2, click_from_search: 1 },
} as const satisfies Record<string, Weights>

/** A weight file: `{"purchase": 10, "view": 2}`; at most six decimals, so that scores stay exact. */
export const WeightFile = z
  .record(z.string().regex(EVENT_TYPE_PATTERN), z.number().min(-WEIGHT_MAX).max(WEIGHT_MAX))
  .refine((weights) => Object.keys(weights).length > 0, { error: 'must give at least one weight' })
  .refine((weights) => Object.values(weights).every((weight) => Math.abs(toMicros(weight) / MICROS - weight) < 1e-12), {
    error: 'weights have at most six decimals',
  })

/** A weight in millionths, as scores are kept. */
export function toMicros(weight: number): number {
  return Math.round(weight * MICROS)
}
