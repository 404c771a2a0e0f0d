import type { SimilaritySettings } from '../../src/ranking/similarity/settings.ts'

/** The obvious slow way: lists of objects, and every pair looked at for every row. */

export interface LogEvent {
  shopper: number
  product: number
  day: number
}

export interface Neighbour {
  product: number
  score: number
  count: number
}

/** Events that count, per shopper, with their place in the log. */
interface Placed extends LogEvent {
  place: number
}

/** The rows of a log that is oldest first. */
export function slowRows(log: readonly LogEvent[], products: number, settings: SimilaritySettings): Neighbour[][] {
  const histories = slowHistories(log, settings)
  const sources = newestOfProducts(histories.flat(), settings.productEventsMax)
  const popularity = (product: number) => [...sources].filter((event) => event.product === product).length
  return Array.from({ length: products }, (_, i) => {
    const neighbours = Array.from({ length: products }, (_, j): Neighbour => {
      const pairs = i === j && !settings.repeats ? [] : pairsOf(histories, sources, i, j, settings)
      const sum = pairs.reduce((total, weight) => total + weight, 0) / 2 ** 20
      const shrink = pairs.length / (pairs.length + settings.kappa)
      const score = sum * popularity(i) ** -settings.alpha * popularity(j) ** -settings.beta * shrink
      return { product: j, score: Math.fround(score), count: pairs.length }
    })
    return neighbours
      .filter(({ count, score }) => count > 0 && score > 0)
      .sort((a, b) => b.score - a.score || a.product - b.product)
      .slice(0, settings.neighboursMax)
  })
}

function slowHistories(log: readonly LogEvent[], settings: SimilaritySettings): Placed[][] {
  const placed = log.map((event, place) => ({ ...event, place }))
  const shoppers = [...new Set(log.map(({ shopper }) => shopper))]
  return shoppers
    .map((shopper) => placed.filter((event) => event.shopper === shopper))
    .filter((events) => !isBot(events, settings))
    .map((events) => events.filter((event, at) => settings.repeats || event.product !== events[at + 1]?.product))
    .map((events) => events.slice(-settings.shopperEventsMax))
}

function isBot(events: readonly LogEvent[], { botEventsPerDay }: SimilaritySettings): boolean {
  return events.some(({ day }) => events.filter((other) => other.day === day).length > botEventsPerDay)
}

function newestOfProducts(events: readonly Placed[], countMax: number): Set<Placed> {
  const newer = (event: Placed) => events.filter(({ product, place }) => product === event.product && place > event.place)
  return new Set(events.filter((event) => newer(event).length < countMax))
}

/** The weights of all pairs from product i to product j, in units of 2^(−20). */
function pairsOf(
  histories: readonly Placed[][],
  sources: ReadonlySet<Placed>,
  i: number,
  j: number,
  { window, rho, gamma }: SimilaritySettings,
): number[] {
  const weights: number[] = []
  for (const events of histories) {
    for (const [a, from] of events.entries()) {
      for (const [b, to] of events.entries()) {
        const gap = Math.abs(b - a)
        if (a === b || gap > window || from.product !== i || to.product !== j || !sources.has(from)) continue
        weights.push(Math.round((b > a ? 1 : rho) * gap ** -gamma * 2 ** 20))
      }
    }
  }
  return weights
}
