import { z } from 'zod'
import { ShopperId } from './fields/shopper-id.ts'
import { handler } from './handler.ts'

export const PreferencesRequest = z.strictObject({
  shopper_id: ShopperId.describe('The shopper: `account:` or `session:`, and its id.'),
})
export type PreferencesRequest = z.infer<typeof PreferencesRequest>

/** Categories, and brands, of an answer: the ones with the highest affinities. */
export const AFFINITIES_MAX = 50
/** Products of the purchase history: the ones that were bought last. */
export const PURCHASES_MAX = 100

const Affinity = z
  .number()
  .min(0)
  .max(1)
  .describe("Its part of the shopper's interest, between 0 and 1; it shrinks with time. 6 decimals.")

const named = {
  product_id: z.string(),
  category: z.string().nullable(),
  brand: z.string().nullable(),
}

export const Interacted = z.object({
  event_id: z.uuid(),
  ...named,
  event_type: z.string(),
  occurred_at: z.iso.datetime(),
})

export const Purchased = z.object({
  ...named,
  bought: z
    .int()
    .describe('Items that were paid for, by the payments that name the shopper. A quantity such as 1.5 kg is one item.'),
  taken_back: z
    .int()
    .describe('Items of these that refunds, cancellations and late failures took back, less what reversals gave back.'),
  purchase_events: z.int().describe('`purchase` events that belong to no payment; they carry no quantity.'),
  return_events: z
    .int()
    .describe(
      'Events `refund_requested`, `cancel_order` and `return_product` of a product that no payment of the shopper has; 0 for all others, because `taken_back` says it.',
    ),
  last_purchased_at: z.iso.datetime(),
})

export const Preferences = z.object({
  shopper_id: z.string().describe('As asked for.'),
  as_of: z.iso.datetime().describe('The instant of the answer, to which the affinities are decayed.'),
  categories: z
    .array(z.object({ category: z.string(), affinity: Affinity }))
    .describe('The highest first, at most 50; ties by name.'),
  brands: z.array(z.object({ brand: z.string(), affinity: Affinity })).describe('The same for brands.'),
  recent_interactions: z.array(Interacted).describe('The last 100 interactions with products, the newest first.'),
  purchases: z.array(Purchased).describe('What was bought, the last purchase first, at most 100 products; ties by product.'),
})
export type Preferences = z.infer<typeof Preferences>

/** The answer over HTTP. */
export const PreferencesResponse = z.object({ data: Preferences }).meta({
  examples: [
    {
      data: {
        shopper_id: 'account:ada',
        as_of: '2026-03-01T12:00:00.000Z',
        categories: [{ category: 'lighting', affinity: 0.523809 }],
        brands: [{ brand: 'Lumen', affinity: 0.523809 }],
        recent_interactions: [
          {
            event_id: '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11',
            product_id: 'lamp',
            category: 'lighting',
            brand: 'Lumen',
            event_type: 'purchase',
            occurred_at: '2026-03-01T12:00:00.000Z',
          },
        ],
        purchases: [
          {
            product_id: 'lamp',
            category: 'lighting',
            brand: 'Lumen',
            bought: 2,
            taken_back: 1,
            purchase_events: 0,
            return_events: 0,
            last_purchased_at: '2026-03-01T12:00:00.000Z',
          },
        ],
      },
    },
  ],
})

export const preferencesHandlers = {
  Preferences: handler({
    input: PreferencesRequest,
    output: Preferences,
    description:
      'What a shopper likes and bought: affinities with categories and brands, the last 100 interactions, purchases. Empty for an unknown shopper.',
  }),
}
