/** What a shopper did with a product, as context and preferences read it. Its id and time identify it. */
export interface ShopperEvent {
  eventId: string
  /** Milliseconds since 1970. */
  occurredAtMs: number
  productId: string
  eventType: string
  category?: string | undefined
  brand?: string | undefined
}

/** The sessions of an account that its reads add: those that were merged last. */
export const SESSIONS_MAX = 100

/** How many events of a shopper are kept apart from the log. */
export const SHOPPER_EVENTS_MAX = 100

/**
 * The newest events of a set, newest first: at most 100, by time and then by id. An event that is in the list several times counts once, so
 * the answer depends neither on the order nor on repeats. Of different versions of an event, the one that knows its category and brand stays.
 */
export function newestEvents(events: Iterable<ShopperEvent>): ShopperEvent[] {
  if (Array.isArray(events) && areNewest(events)) return events
  const distinct = new Map<string, ShopperEvent>()
  for (const event of events) {
    const identity = `${event.occurredAtMs} ${event.eventId}`
    const known = distinct.get(identity)
    if (known === undefined || textOf(event) > textOf(known)) distinct.set(identity, event)
  }
  return [...distinct.values()].sort(newestFirst).slice(0, SHOPPER_EVENTS_MAX)
}

/** Whether events are different ones, in order, and few enough, as the database gives them. */
function areNewest(events: readonly ShopperEvent[]): boolean {
  return (
    events.length <= SHOPPER_EVENTS_MAX &&
    events.every((event, at) => {
      const newer = events[at - 1]
      if (newer === undefined || newer.occurredAtMs > event.occurredAtMs) return true
      return newer.occurredAtMs === event.occurredAtMs && newer.eventId > event.eventId
    })
  )
}

function newestFirst(one: ShopperEvent, other: ShopperEvent): number {
  return other.occurredAtMs - one.occurredAtMs || (one.eventId < other.eventId ? 1 : -1)
}

/** What an event says apart from its identity, in an order in which an absent category or brand comes first. */
function textOf({ category = '', brand = '', productId, eventType }: ShopperEvent): string {
  return JSON.stringify([category, brand, productId, eventType])
}
