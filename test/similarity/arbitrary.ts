import fc from 'fast-check'
import { createHistoryBuilder, type Histories, type Order } from '../../src/ranking/similarity/histories.ts'
import type { Rows } from '../../src/ranking/similarity/rows.ts'
import type { SimilaritySettings } from '../../src/ranking/similarity/settings.ts'
import type { LogEvent, Neighbour } from './reference.ts'

export const PRODUCTS = 7

/** Any log, oldest first: few shoppers and products, so that all bounds are met. */
export const log: fc.Arbitrary<LogEvent[]> = fc
  .array(fc.record({ shopper: fc.nat(4), product: fc.nat(PRODUCTS - 1), day: fc.nat(2) }), { maxLength: 60 })
  .map((events) => events.sort((a, b) => a.day - b.day))

const exponent = fc.double({ min: 0, max: 2, noNaN: true })

/** Any bounds. A window of 32,767 makes every event fill the 16 bits of its pairs. */
export const settings: fc.Arbitrary<SimilaritySettings> = fc.record({
  alpha: exponent,
  beta: exponent,
  gamma: exponent,
  rho: fc.double({ min: 0, max: 1, noNaN: true }),
  kappa: fc.double({ min: 0, max: 10, noNaN: true }),
  window: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(32_767)),
  neighboursMax: fc.integer({ min: 1, max: PRODUCTS }),
  shopperEventsMax: fc.integer({ min: 1, max: 15 }),
  productEventsMax: fc.integer({ min: 1, max: 10 }),
  botEventsPerDay: fc.integer({ min: 2, max: 20 }),
  contentFactor: fc.constant(0.5),
  repeats: fc.boolean(),
})

export function historiesOf(log: readonly LogEvent[], settings: SimilaritySettings, order: Order = 'oldest first'): Histories {
  const builder = createHistoryBuilder(order, settings)
  const events = order === 'oldest first' ? log : log.toReversed()
  for (const { shopper, product, day } of events) builder.add(shopper, product, day)
  return builder.finish(PRODUCTS)
}

export function listsOf({ products, neighboursMax, length, neighbour, score, count }: Rows): Neighbour[][] {
  return Array.from({ length: products }, (_, product) =>
    Array.from({ length: length[product]! }, (_, rank) => {
      const at = product * neighboursMax + rank
      return { product: neighbour[at]!, score: score[at]!, count: count[at]! }
    }),
  )
}
