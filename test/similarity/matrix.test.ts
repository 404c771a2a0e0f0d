import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHistoryBuilder } from '../../src/ranking/similarity/histories.ts'
import { similarityOf } from '../../src/ranking/similarity/matrix.ts'
import { SIMILARITY_DEFAULTS } from '../../src/ranking/similarity/settings.ts'
import { historiesOf, listsOf, log, PRODUCTS, settings } from './arbitrary.ts'
import { slowRows } from './reference.ts'

test.each(['oldest first', 'newest first'] as const)(
  'a log that is %s gives the rows of the slow reference, for any bounds',
  (order) => {
    fc.assert(
      fc.property(log, settings, (log, settings) => {
        expect(listsOf(similarityOf(historiesOf(log, settings, order), settings))).toEqual(slowRows(log, PRODUCTS, settings))
      }),
      { numRuns: 500 },
    )
  },
)

test('the order of shoppers in the log changes no score', () => {
  fc.assert(
    fc.property(log, (log) => {
      const bounds = { ...SIMILARITY_DEFAULTS, productEventsMax: 100 }
      const byShopper = log.toSorted((a, b) => b.shopper - a.shopper)
      expect(similarityOf(historiesOf(byShopper, bounds), bounds)).toEqual(similarityOf(historiesOf(log, bounds), bounds))
    }),
  )
})

test('the formula by hand: two shoppers go on from 0 to 1, one of them with another product between', () => {
  const log = [
    { shopper: 0, product: 0, day: 0 },
    { shopper: 0, product: 1, day: 0 },
    { shopper: 1, product: 0, day: 0 },
    { shopper: 1, product: 2, day: 0 },
    { shopper: 1, product: 1, day: 0 },
  ]
  const [row] = listsOf(similarityOf(historiesOf(log, SIMILARITY_DEFAULTS), SIMILARITY_DEFAULTS))
  const [first, second] = row!
  expect(first).toMatchObject({ product: 1, count: 2 })
  expect(first!.score).toBeCloseTo((1 + 2 ** -0.5) * 2 ** -0.5 * 2 ** -0.2 * (2 / 3), 5)
  expect(second).toMatchObject({ product: 2, count: 1 })
  expect(second!.score).toBeCloseTo(2 ** -0.5 * (1 / 2), 5)
})

test('equal scores are in the order of product numbers, also where only some of them fit', () => {
  const builder = createHistoryBuilder('oldest first', SIMILARITY_DEFAULTS)
  const others = 1_000
  for (let other = others; other > 0; other--) {
    builder.add(other, 0)
    builder.add(other, other)
  }
  const [row] = listsOf(similarityOf(builder.finish(others + 1), SIMILARITY_DEFAULTS))
  expect(row!.map(({ product }) => product)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1))
})

test('products get their final numbers at the end', () => {
  const builder = createHistoryBuilder('oldest first', SIMILARITY_DEFAULTS)
  builder.add(0, 0)
  builder.add(0, 1)
  const { product } = builder.finish(3, Int32Array.of(2, 0))
  expect([...product]).toEqual([2, 0])
})

test('a list of whole numbers keeps millions of events over its chunks', () => {
  const events = 2_500_000
  const builder = createHistoryBuilder('newest first', { ...SIMILARITY_DEFAULTS, shopperEventsMax: 3 })
  for (let event = 0; event < events; event++) builder.add(event % (events / 2), event % 5)
  const { events: kept, bots, sources } = builder.finish(5)
  expect({ kept, bots, sources: sources.length }).toEqual({ kept: events / 2, bots: 0, sources: 5 * 2_000 })
})

test('the median of the best scores leaves out products without neighbours', () => {
  const builder = createHistoryBuilder('oldest first', SIMILARITY_DEFAULTS)
  for (const [shopper, product] of [
    [0, 0],
    [0, 1],
    [1, 2],
  ] as const)
    builder.add(shopper, product)
  const { medianBest, events } = similarityOf(builder.finish(4), SIMILARITY_DEFAULTS)
  expect(medianBest).toBeCloseTo((1 + 0.3) / 2 / 2, 6)
  expect([...events]).toEqual([1, 1, 1, 0])
})
