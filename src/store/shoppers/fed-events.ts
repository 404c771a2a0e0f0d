import type { Shopper } from '../../contract/fields/shopper-id.ts'
import type { ShopperEvent } from '../../ranking/shopper-event.ts'
import type { Queryable } from '../database/connection.ts'
import { recentEventsOf } from './shopper-recent.ts'
import { shopperIdsOf } from './shopper-redirect.ts'

/** The newest events of a shopper that are fed, at most 100, and the ids under which they are kept. */
export async function fedEventsOf(db: Queryable, shopper: Shopper): Promise<{ shopperIds: string[]; events: ShopperEvent[] }> {
  const shopperIds = await shopperIdsOf(db, shopper)
  return { shopperIds, events: await recentEventsOf(db, shopperIds) }
}
