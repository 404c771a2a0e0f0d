import { DAY_MS } from '../contract/fields/time.ts'
import type { ShopperEvent } from '../ranking/shopper-event.ts'

/** How long late events of forgotten shoppers are recognised. An older one is shown only if it joins a visit of its shopper's. */
export const FORGOTTEN_MS = DAY_MS

/**
 * What shoppers did in the last minutes, as far as it came as single events. It is a set by event id: keeping an event again changes nothing.
 * It answers before the events are in PostgreSQL, and while PostgreSQL is away. It may forget at any time; PostgreSQL has the events.
 * No function throws: a layer that does not answer keeps nothing, and reads nothing.
 */
export interface LiveEvents {
  /** Keeps an event of a shopper (`account:…` or `session:…`). */
  keep: (shopperId: string, event: ShopperEvent) => Promise<void>
  /** Adds category and brand to an event that is kept without them. */
  describe: (shopperId: string, event: ShopperEvent) => Promise<void>
  /** The events of these shoppers, and of the sessions and accounts that were merged with them; undefined when the layer did not answer. */
  read: (shopperIds: readonly string[]) => Promise<ShopperEvent[] | undefined>
  /** Notes that a session belongs to an account. The first account stays. */
  merged: (sessionId: string, accountId: string) => Promise<void>
  /**
   * Forgets events and merges of these shoppers, because the persons are erased, and for a day keeps no event of theirs that is not newer
   * than this call: it comes late, or again. @returns whether the layer answered.
   */
  forget: (shopperIds: readonly string[]) => Promise<boolean>
  stop: () => Promise<void>
}
