import { expect, test } from 'vitest'
import type { Case, Cases } from '../../src/ranking/evaluation/cases.ts'
import { figureOf, measure, MEASURES } from '../../src/ranking/evaluation/metrics.ts'

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

test('the interval of nothing is nothing', () => {
  expect(figureOf(new Float64Array(2), new Float64Array(2))).toEqual({ value: 0, low: 0, high: 0 })
})
