import { newestEvents, type ShopperEvent } from './shopper-event.ts'

export interface ContextSettings {
  /** A pause that is longer ends a visit. */
  idleMs: number
  /** Products of a context. */
  productsMax: number
}

/** What a shopper does now. Its times are not later than the instant that it was asked for. */
export interface ShopperContext {
  /** Each product with its newest event; the newest first. */
  products: Omit<ShopperEvent, 'eventId'>[]
  /** How many events of the visit each category has; the most first, then by name. */
  categories: { category: string; count: number }[]
  /** Undefined for a shopper who is not active. */
  lastActiveMs: number | undefined
}

/**
 * The current visit of a shopper, from the set of its events: of the newest 100, those back to the first pause of more than `idleMs`. It is
 * empty when the newest event is older than that. Nothing expires by a timer, and the order and repeats of events change nothing.
 *
 * Events may be stamped up to five minutes into the future, by a clock that is fast. Such an event counts as of now. The instant at which
 * it was received is not kept, so it can keep a visit open for as much longer as its clock was fast.
 */
export function contextOf(events: Iterable<ShopperEvent>, nowMs: number, settings: ContextSettings): ShopperContext {
  const visit = visitOf(events, nowMs, settings.idleMs)
  const products = new Map<string, Omit<ShopperEvent, 'eventId'>>()
  const counts = new Map<string, number>()
  for (const { eventId: _eventId, ...event } of visit) {
    if (!products.has(event.productId)) products.set(event.productId, event)
    if (event.category !== undefined) counts.set(event.category, (counts.get(event.category) ?? 0) + 1)
  }
  const categories = [...counts].map(([category, count]) => ({ category, count }))
  return {
    products: [...products.values()].slice(0, settings.productsMax),
    categories: categories.sort((one, other) => other.count - one.count || (one.category < other.category ? -1 : 1)),
    lastActiveMs: visit[0]?.occurredAtMs,
  }
}

/** The events of the current visit, newest first. */
function visitOf(events: Iterable<ShopperEvent>, nowMs: number, idleMs: number): ShopperEvent[] {
  const visit: ShopperEvent[] = []
  let laterMs = nowMs
  for (const event of newestEvents(events)) {
    const occurredAtMs = Math.min(event.occurredAtMs, nowMs)
    if (laterMs - occurredAtMs > idleMs) break
    visit.push({ ...event, occurredAtMs })
    laterMs = occurredAtMs
  }
  return visit
}
