import type { Preferences } from '../../contract/preferences.ts'
import { shopperOf } from '../../contract/fields/shopper-id.ts'
import { instantOf } from '../../contract/fields/time.ts'
import type { PreferenceSettings } from '../../ranking/preferences.ts'
import type { ShopperEvent } from '../../ranking/shopper-event.ts'
import type { Queryable } from '../database/connection.ts'
import { recentEventsOf } from '../shoppers/shopper-recent.ts'
import { shopperIdsOf } from '../shoppers/shopper-redirect.ts'
import { affinitiesAt } from './affinities.ts'
import { type Purchase, purchasesOf } from './purchases.ts'

/**
 * What a shopper likes, did last and bought; empty for an unknown one. Everything is computed from tables that `verify` proves, so there is
 * nothing to refresh: the same tables, catalog, weights and instant give the same answer.
 */
export async function preferencesOf(
  db: Queryable,
  shopperId: string,
  nowMs: number,
  settings: PreferenceSettings,
): Promise<Preferences> {
  const shopperIds = await shopperIdsOf(db, shopperOf(shopperId)!)
  const { categories, brands } = await affinitiesAt(db, shopperIds, nowMs, settings)
  const recent = await recentEventsOf(db, shopperIds)
  const purchases = await purchasesOf(db, shopperIds)
  return {
    shopper_id: shopperId,
    as_of: instantOf(nowMs),
    categories: categories.map(({ name, affinity }) => ({ category: name, affinity })),
    brands: brands.map(({ name, affinity }) => ({ brand: name, affinity })),
    recent_interactions: recent.map(interactedOf),
    purchases: purchases.map(purchasedOf),
  }
}

function interactedOf(event: ShopperEvent): Preferences['recent_interactions'][number] {
  const { eventId, productId, eventType, occurredAtMs, category = null, brand = null } = event
  return {
    event_id: eventId,
    product_id: productId,
    category,
    brand,
    event_type: eventType,
    occurred_at: instantOf(occurredAtMs),
  }
}

function purchasedOf({ productId, category, brand, ...purchase }: Purchase): Preferences['purchases'][number] {
  return {
    product_id: productId,
    category,
    brand,
    bought: purchase.bought,
    taken_back: purchase.takenBack,
    purchase_events: purchase.purchaseEvents,
    return_events: purchase.returnEvents,
    last_purchased_at: purchase.lastPurchasedAt.toISOString(),
  }
}
