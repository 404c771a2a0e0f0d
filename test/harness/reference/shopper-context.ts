import type { ContextSettings, ShopperContext } from '../../../src/ranking/shopper-context.ts'
import type { ShopperEvent } from '../../../src/ranking/shopper-event.ts'

/** The context of a shopper by its definition, event by event: the slow reference. No two events have the same identity. */
export function referenceContext(
  events: readonly ShopperEvent[],
  nowMs: number,
  { idleMs, productsMax }: ContextSettings,
): ShopperContext {
  const isNewer = (one: ShopperEvent, other: ShopperEvent) =>
    one.occurredAtMs > other.occurredAtMs || (one.occurredAtMs === other.occurredAtMs && one.eventId > other.eventId)
  const newerThan = (event: ShopperEvent) => events.filter((other) => isNewer(other, event))
  const newest = events.filter((event) => newerThan(event).length < 100)
  const timeOf = (event: ShopperEvent) => (event.occurredAtMs > nowMs ? nowMs : event.occurredAtMs)
  // An event is of the visit when from it to now no two consecutive instants are further apart.
  const visit = newest.filter((event) => {
    const instants = [timeOf(event), ...newerThan(event).map(timeOf), nowMs].sort((one, other) => one - other)
    return instants.every((instant, place) => place === 0 || instant - instants[place - 1]! <= idleMs)
  })
  const isNewestOfProduct = (event: ShopperEvent) =>
    !visit.some((other) => other.productId === event.productId && isNewer(other, event))
  const products = visit.filter(isNewestOfProduct).sort((one, other) => (isNewer(one, other) ? -1 : 1))
  const names = [...new Set(visit.flatMap(({ category }) => category ?? []))].sort()
  const categories = names.map((name) => ({ category: name, count: visit.filter(({ category }) => category === name).length }))
  return {
    products: products.slice(0, productsMax).map((event) => {
      const { productId, eventType, category, brand } = event
      return { productId, eventType, category, brand, occurredAtMs: timeOf(event) }
    }),
    categories: categories.sort((one, other) => other.count - one.count),
    lastActiveMs: visit.length === 0 ? undefined : Math.max(...visit.map(timeOf)),
  }
}
