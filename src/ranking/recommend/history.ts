import { compareBytes } from '../byte-order.ts'
import { newestEvents, type ShopperEvent } from '../shopper-event.ts'

/** What a shopper did with a product, as a recommendation counts it. */
export interface HistoryItem {
  productId: string
  /** Undefined for an event that is not kept apart from the log. */
  eventId: string | undefined
  eventType: string
  occurredAtMs: number
  /** g of the recipe. */
  strength: number
}

/** The last event of a product, of the profile. */
export interface ProfileRow {
  productId: string
  eventType: string
  lastAtMs: number
}

export interface HistorySource {
  /** Fed and live ones, in any order, with repeats. */
  events: Iterable<ShopperEvent>
  profile: Iterable<ProfileRow>
  /** How many events that count the whole profile has. */
  profileEvents: number
  /** 0 for types that say nothing about interest. */
  strengthOf: (eventType: string) => number
}

export interface History {
  /** Different products, newest first. */
  items: HistoryItem[]
  /** Events that count: of the newest 100 or of the profile, whichever has more, at most 100. */
  interactions: number
}

const INTERACTIONS_MAX = 100

/**
 * The different products of a shopper, newest first: those of the newest 100 events, then of the profile. Each has its newest event. The
 * order and repeats of the sources change nothing.
 */
export function historyOf({ events, profile, profileEvents, strengthOf }: HistorySource, historyMax: number): History {
  const newest = newestEvents(events).filter(({ eventType }) => strengthOf(eventType) > 0)
  const rows = Array.from(profile).filter(({ eventType }) => strengthOf(eventType) > 0)
  const all = [
    ...newest.map(({ eventId, productId, eventType, occurredAtMs }) => ({ eventId, productId, eventType, occurredAtMs })),
    ...rows.map(({ productId, eventType, lastAtMs }) => ({ eventId: undefined, productId, eventType, occurredAtMs: lastAtMs })),
  ]
  const byProduct = new Map<string, HistoryItem>()
  for (const event of all.sort(newestFirst)) {
    if (byProduct.size === historyMax) break
    if (byProduct.has(event.productId)) continue
    byProduct.set(event.productId, { ...event, strength: strengthOf(event.eventType) })
  }
  return { items: [...byProduct.values()], interactions: Math.min(Math.max(newest.length, profileEvents), INTERACTIONS_MAX) }
}

type Timed = Omit<HistoryItem, 'strength'>

/** Of the same time, events before rows of the profile, because an event has an id; then by id, product and type. */
function newestFirst(one: Timed, other: Timed): number {
  return (
    other.occurredAtMs - one.occurredAtMs ||
    Number(one.eventId === undefined) - Number(other.eventId === undefined) ||
    compareBytes(other.eventId ?? '', one.eventId ?? '') ||
    compareBytes(one.productId, other.productId) ||
    compareBytes(one.eventType, other.eventType)
  )
}
