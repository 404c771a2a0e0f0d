import { randomBytes } from 'node:crypto'
import type { GatewayClient } from './gateway-client.ts'
import { PRODUCTS } from './catalog.ts'
import { type Item, itemsOf } from './item.ts'
import type { Random } from './random.ts'
import { anyAccount } from './shop.ts'
import type { Step } from './visit.ts'

const SHOWN = 8
/** Probabilities of what follows on a list of recommendations. */
const CHANCE = { clicks: 0.3, putsIntoCart: 0.5, buys: 0.6 }
/** A shopper looks at the first places more than at the others. */
const LOOKS_FURTHER = 0.6

const PRICES = new Map(PRODUCTS.map(({ id, price }) => [id, price]))

/**
 * A shopper with an account is shown recommendations, and may click on one and buy it. An event is attributed to the list that it names, or to
 * the latest one that showed its product.
 */
export async function guidedVisit(
  client: Pick<GatewayClient, 'recommend'>,
  { random, hasCallbacks }: { random: Random; hasCallbacks: boolean },
): Promise<Item[]> {
  const account_id = anyAccount(random)
  const answer = await client.recommend(account_id, SHOWN)
  if (answer === undefined || answer.data.length === 0 || !random.chance(CHANCE.clicks)) return []
  const { recommendation_id, generated_at } = answer.meta
  let place = 0
  while (place < answer.data.length - 1 && random.chance(LOOKS_FURTHER)) place++
  const product_id = answer.data[place]!.product_id
  const shopper = { account_id, session_id: `s-${recommendation_id.slice(0, 12)}` }
  // No event is before the list that led to it.
  const occurredAtMs = Math.max(Date.now(), Date.parse(generated_at))
  return stepsFor(product_id, recommendation_id, random).flatMap((step) =>
    itemsOf(step, { shopper, occurredAtMs, idBytesOf: () => randomBytes(10), hasCallbacks }),
  )
}

function stepsFor(ref_id: string, recommendation_id: string, random: Random): Step[] {
  const about = { kind: 'interaction', ref_type: 'Product', ref_id, metadata: { recommendation_id }, afterMs: 0 } as const
  const steps: Step[] = [
    { ...about, event_type: 'click_from_recommendation' },
    { ...about, event_type: 'view' },
  ]
  if (!random.chance(CHANCE.putsIntoCart)) return steps
  steps.push({ ...about, event_type: 'add_to_cart' })
  if (!random.chance(CHANCE.buys)) return steps
  const items = [{ product_id: ref_id, price: PRICES.get(ref_id) ?? 0 }]
  return [
    ...steps,
    { kind: 'payment', order_id: `o-${recommendation_id}`, status: 'success', currency: 'EUR', items, afterMs: 0 },
  ]
}
