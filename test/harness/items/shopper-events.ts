import { randomUUID } from 'node:crypto'
import type { ShopperEvent } from '../../../src/ranking/shopper-event.ts'

/** A view of a lamp, with `changes`. */
export function shopperEvent(changes: Partial<ShopperEvent> = {}): ShopperEvent {
  return { eventId: randomUUID(), occurredAtMs: Date.now(), productId: 'lamp', eventType: 'view', ...changes }
}
