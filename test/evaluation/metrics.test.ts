import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Case, Cases } from '../../src/ranking/evaluation/cases.ts'
import { figureOf } from '../../src/ranking/evaluation/interval.ts'
import { measure, MEASURES } from '../../src/ranking/evaluation/metrics.ts'

const casesOf = (list: [shopper: number, targets: number[]][]): Cases => ({
  size: list.length,
  at: (index): Case => ({ shopper: list[index]![0], history: Int32Array.of(index), targets: Int32Array.from(list[index]![1]) }),
})

const OPTIONS = { ks: [2, 3], shoppers: 3, products: 10, isKnown: (product: number) => product < 5 }

test('hit rate, NDCG, MRR, precision and recall by hand', () => {
  const lists = [
    [1, 2, 3],
    [4, 0, 9],
  ]
  const { figures, cases, shoppers, newTargets } = measure(
    (history) => lists[history[0]!]!,
    casesOf([
      [0, [2]],
      [2, [9, 8, 7]],
    ]),
    OPTIONS,
  )
  expect({ cases, shoppers, newTargets }).toEqual({ cases: 2, shoppers: 2, newTargets: 3 / 4 })
  const values = figures.map((each) => MEASURES.map((name) => each[name].value))
  const log = Math.log2
  expect(values[0]).toEqual([0.5, 1 / log(3) / 2, 0.25, 0.25, 0.5])
  const ideal = 1 + 1 / log(3) + 1 / log(4)
  const expected = [1, (1 / log(3) + 1 / log(4) / ideal) / 2, (1 / 2 + 1 / 3) / 2, 1 / 3, (1 + 1 / 3) / 2]
  values[1]!.forEach((value, at) => expect(value).toBeCloseTo(expected[at]!, 12))
  expect(figures.map(({ k, coverage, newProducts }) => ({ k, coverage, newProducts }))).toEqual([
    { k: 2, coverage: 0.4, newProducts: 0 },
    { k: 3, coverage: 0.6, newProducts: 1 / 6 },
  ])
})

test('the ideal list has all targets, also those that do not fit', () => {
  const { figures } = measure(() => [1, 2], casesOf([[0, [1, 2, 3, 4]]]), { ...OPTIONS, ks: [2] })
  const log = Math.log2
  expect(figures[0]!.ndcg.value).toBeCloseTo((1 + 1 / log(3)) / (1 + 1 / log(3) + 1 / log(4) + 1 / log(5)), 12)
})

test('the interval of independent cases is that of a mean', () => {
  const values = Float64Array.from({ length: 400 }, (_, at) => (at % 4 === 0 ? 1 : 0))
  const { value, low, high } = figureOf(values, new Float64Array(400).fill(1))
  const error = 1.96 * Math.sqrt((0.25 * 0.75) / 399)
  expect(value).toBe(0.25)
  expect(low).toBeCloseTo(0.25 - error, 6)
  expect(high).toBeCloseTo(0.25 + error, 6)
})

test('cases of one shopper make the interval no narrower than one case would', () => {
  const perShopper = (count: number) => figureOf(Float64Array.of(count, 0, 0, count), new Float64Array(4).fill(count))
  expect(perShopper(50)).toEqual(perShopper(1))
})

test('a few cases, all or none of them hits, have an interval by Wilson', () => {
  const of = (hits: number[]) => figureOf(Float64Array.from(hits), new Float64Array(hits.length).fill(1))
  expect(of([1, 1, 1])).toEqual({ value: 1, low: expect.closeTo(3 / (3 + 1.96 ** 2), 9) as number, high: 1 })
  expect(of([0])).toEqual({ value: 0, low: 0, high: expect.closeTo(1.96 ** 2 / (1 + 1.96 ** 2), 9) as number })
  const none = of(Array.from({ length: 1_000 }, () => 0))
  expect(none.high).toBeCloseTo(0.0038, 4)
  // The same place in each list does not say that the next one will be the same.
  const same = of([0.63, 0.63, 0.63])
  expect(same.low).toBeLessThan(0.3)
  expect(same.high).toBeGreaterThan(0.8)
})

test('many cases of few but enough shoppers have the interval of their variance', () => {
  const counted = Float64Array.from({ length: 400 }, (_, shopper) => (shopper < 20 ? 500 : 20))
  const { value, low, high } = figureOf(
    counted.map((count) => count * 0.02),
    counted,
  )
  expect(value).toBeCloseTo(0.02, 9)
  expect(high - low).toBeGreaterThan(0)
  const uneven = figureOf(
    counted.map((count, shopper) => count * (shopper % 2 === 0 ? 0.01 : 0.03)),
    counted,
  )
  expect(uneven.high - uneven.value).toBeCloseTo(uneven.value - uneven.low, 9)
  expect(uneven.high - uneven.low).toBeLessThan(0.01)
})

test('an interval holds its value, whatever the shoppers had', () => {
  const shares = fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.double({ min: 0, max: 1, noNaN: true })), {
    minLength: 1,
  })
  fc.assert(
    fc.property(shares, (shoppers) => {
      const counted = Float64Array.from(shoppers, ([count]) => count)
      const { value, low, high } = figureOf(
        Float64Array.from(shoppers, ([count, share]) => count * share),
        counted,
      )
      expect(low).toBeGreaterThanOrEqual(0)
      expect(high).toBeLessThanOrEqual(1)
      expect(low).toBeLessThanOrEqual(value)
      expect(high).toBeGreaterThanOrEqual(value)
    }),
  )
})

test('a shopper with most of the cases is worth little more than one case', () => {
  const { high } = figureOf(
    new Float64Array(10),
    Float64Array.from({ length: 10 }, (_, shopper) => (shopper === 0 ? 10_000 : 1)),
  )
  expect(high).toBeGreaterThan(0.7)
})

test('the interval of nothing is nothing', () => {
  expect(figureOf(new Float64Array(2), new Float64Array(2))).toEqual({ value: 0, low: 0, high: 0 })
})
