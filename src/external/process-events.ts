import { LRUCache } from 'lru-cache'
import { newestEvents, type ShopperEvent } from '../ranking/shopper-event.ts'
import { FORGOTTEN_MS, type LiveEvents } from './live-events.ts'
import { createMerges } from './merges.ts'

export interface ProcessEventsOptions {
  /** Shoppers with events. Beyond it, the one with the oldest last event is forgotten. */
  shoppersMax: number
  /** What all events and merges take, estimated. */
  bytesMax: number
  /** How long after its last event a shopper is forgotten. */
  idleMs: number
  now?: () => number
}

export interface ProcessEvents extends LiveEvents {
  /** Shoppers with events, and what all events and merges take. */
  size: () => { shoppers: number; bytes: number }
}

interface Kept {
  events: ShopperEvent[]
  bytes: number
  /** When the last event came. */
  keptMs: number
}

/** What a shopper and an event take without their texts in Node 24: see the row live-memory of docs/benchmarks.md. */
const SHOPPER_BYTES = 350
const EVENT_BYTES = 120
const MERGES_PART = 1 / 8

/**
 * Live events in the memory of this process: other gateways do not see them, and they are gone when it ends. Expiry is arithmetic; a
 * timer per shopper would cost more than the events.
 */
export function createProcessEvents({ shoppersMax, bytesMax, idleMs, now = Date.now }: ProcessEventsOptions): ProcessEvents {
  const mergesBytesMax = Math.ceil(bytesMax * MERGES_PART)
  // Read with `peek`, so that its order is that of the last events. Without `max`, with which lru-cache makes room for all at once.
  const shoppers = new LRUCache<string, Kept>({
    maxSize: bytesMax - mergesBytesMax,
    sizeCalculation: ({ bytes }) => bytes,
  })
  const merges = createMerges(mergesBytesMax)
  /** When shoppers were forgotten. */
  const forgotten = new LRUCache<string, number>({ maxSize: shoppersMax, sizeCalculation: () => 1, ttl: FORGOTTEN_MS })

  const live = (shopperId: string): Kept | undefined => {
    const kept = shoppers.peek(shopperId)
    return kept !== undefined && kept.keptMs >= now() - idleMs ? kept : undefined
  }

  const dropIdle = () => {
    const endMs = now() - idleMs
    for (const shopperId of shoppers.rkeys()) {
      if (shoppers.peek(shopperId)!.keptMs >= endMs) return
      shoppers.delete(shopperId)
    }
  }

  return {
    keep: async (shopperId, event) => {
      dropIdle()
      if (event.occurredAtMs <= (forgotten.get(shopperId) ?? -Infinity)) return
      const events = live(shopperId)?.events ?? []
      if (events.some(({ eventId }) => eventId === event.eventId)) return
      const newest = newestEvents([...events, event])
      shoppers.set(shopperId, { events: newest, bytes: bytesOf(shopperId, newest), keptMs: now() })
      if (shoppers.size > shoppersMax) shoppers.pop()
    },
    describe: async (shopperId, { eventId, category, brand }) => {
      const kept = live(shopperId)
      if (kept === undefined) return
      const isBare = (event: ShopperEvent) =>
        event.eventId === eventId && event.category === undefined && event.brand === undefined
      const events = kept.events.map((event) => (isBare(event) ? { ...event, category, brand } : event))
      shoppers.set(shopperId, { ...kept, events, bytes: bytesOf(shopperId, events) })
    },
    read: async (shopperIds) => merges.withMerged(shopperIds).flatMap((shopperId) => live(shopperId)?.events ?? []),
    merged: async (sessionId, accountId) => merges.add(`session:${sessionId}`, `account:${accountId}`),
    forget: async (shopperIds) => {
      for (const shopperId of shopperIds) {
        shoppers.delete(shopperId)
        merges.forget(shopperId)
        forgotten.set(shopperId, now())
      }
      return true
    },
    stop: async () => undefined,
    size: () => {
      dropIdle()
      return { shoppers: shoppers.size, bytes: shoppers.calculatedSize + merges.bytes() }
    },
  }
}

/** Texts take one byte a character, or two when one of them is not in Latin-1; two are counted. */
function bytesOf(shopperId: string, events: readonly ShopperEvent[]): number {
  const characters = (text = '') => 2 * text.length
  return events.reduce(
    (sum, { productId, category, brand }) => sum + EVENT_BYTES + characters(productId) + characters(category) + characters(brand),
    SHOPPER_BYTES + characters(shopperId),
  )
}
