import type { ShopperRow } from '../../admission/erased-item.ts'
import type { NewRejection } from '../../admission/rows.ts'
import type { Queryable } from '../database/connection.ts'
import { erasedItems, shopperIdsOfCall } from '../log/erased-items.ts'
import type { Tombstones } from '../log/tombstone.ts'
import { shopperOfOrder } from './payment-effects.ts'

export interface ErasedCallbacks<Callback = unknown> {
  /** The newest tombstone that is known. */
  tombstoneNo: string
  callbacks: readonly Callback[]
  rejections: NewRejection[]
  /** Further rejections of the same callbacks, with the same tombstones. */
  erase: (rejections: readonly NewRejection[]) => readonly NewRejection[]
}

/**
 * Callbacks, new ones and those of the same payments that are stored, with pseudonyms in the place of erased persons: an erasure may be
 * running, and what follows from a sale of an erased person is not theirs. The tables must be locked, so that an erasure that is not seen
 * here waits for the transaction.
 */
export async function erasedCallbacks<Callback extends ShopperRow & { orderId: string }>(
  tx: Queryable,
  tombstones: Tombstones,
  { callbacks, rejections }: { callbacks: readonly Callback[]; rejections: readonly NewRejection[] },
): Promise<ErasedCallbacks<Callback>> {
  const named = callbacks.map(withOrderAsShopper)
  const checked = await tombstones.check(tx, shopperIdsOfCall(named, rejections), true)
  const erased = erasedItems(checked, named, rejections)
  return {
    tombstoneNo: checked.tombstoneNo,
    // The order is the shopper of the interactions alone, unless it is a pseudonym.
    callbacks: erased.rows.map((row, n) => (row === named[n] ? callbacks[n]! : row)),
    rejections: [...erased.rejections],
    erase: (more) => erasedItems(checked, [], more).rejections,
  }
}

/** A callback without a shopper gets its order as the shopper, as its interactions do. */
function withOrderAsShopper<Callback extends ShopperRow & { orderId: string }>(callback: Callback): Callback {
  const { accountId, sessionId, orderId } = callback
  return accountId === null && sessionId === null ? { ...callback, sessionId: shopperOfOrder(orderId) } : callback
}
