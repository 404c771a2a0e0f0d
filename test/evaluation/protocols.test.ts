import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cases, Stage } from '../../src/ranking/evaluation/cases.ts'
import { givenSplit, leaveOneOut, sessionsAt, sessionsOf, timesAt, timeSplit } from '../../src/ranking/evaluation/protocols.ts'
import { lists, sequencesOf } from './arbitrary.ts'

function asked(cases: Cases): { shopper: number; history: number[]; targets: number[] }[] {
  return Array.from({ length: cases.size }, (_, index) => {
    const { shopper, history, targets } = cases.at(index)
    return { shopper, history: [...history], targets: [...targets] }
  })
}

/** The products of each shopper that a ranking knows. */
function known({ train: { sequences, length } }: Stage): number[][] {
  return Array.from(length, (count, shopper) => {
    const from = sequences.start[shopper]!
    return [...sequences.product.subarray(from, from + count)]
  })
}

const withoutRowRepeats = (products: readonly number[]) => products.filter((product, at) => product !== products[at + 1])

test('leave-one-out asks for the last two products, of a ranking that knows all but these', () => {
  fc.assert(
    fc.property(lists, (lists) => {
      const { validation, test, refit } = leaveOneOut(sequencesOf(lists))
      const sequences = lists.map(withoutRowRepeats)
      // Shoppers are numbered in the order in which they come; the first one knows all products.
      const long = sequences.filter(({ length }) => length >= 3)
      expect(asked(validation.cases).map(({ history, targets }) => [...history, ...targets])).toEqual(
        long.map((all) => all.slice(0, -1)),
      )
      expect(asked(test.cases).map(({ history, targets }) => [...history, ...targets])).toEqual(long)
      const left = (count: number) =>
        sequences.filter(({ length }) => length > 0).map((all) => (all.length >= 3 ? all.slice(0, all.length - count) : all))
      const some = (stage: Stage) => known(stage).filter(({ length }) => length > 0)
      expect(some(test)).toEqual(left(2))
      expect(some(validation)).toEqual(left(2))
      expect(some(refit!)).toEqual(left(1))
    }),
  )
})

describe('sessions', () => {
  const LISTS = [[0, 1], [2, 2, 3], [4], [5, 6, 5]]

  test('ask for every click but the first, with repeats', () => {
    const sequences = sequencesOf(LISTS, (shopper, place) => shopper * 10 + place)
    const [early, late] = sessionsAt(sequences, { from: 10, share: 0 })
    const { test, validation, repeats, isSeenRemoved } = sessionsOf(early, late, { validationShare: 0.5, isLastOnly: false })
    expect(asked(test.cases).map(({ history, targets }) => [history, targets])).toEqual([
      [[2], [2]],
      [[2, 2], [3]],
      [[5], [6]],
      [[5, 6], [5]],
    ])
    expect(asked(validation.cases).map(({ history, targets }) => [history, targets])).toEqual([[[0], [1]]])
    expect(known(test).flat()).toEqual([0, 1])
    expect({ repeats, isSeenRemoved }).toEqual({ repeats: true, isSeenRemoved: false })
  })

  test('ask for the last click alone when it is wanted', () => {
    const sequences = sequencesOf(LISTS)
    const { test } = sessionsOf(sequences, sequences, { validationShare: 0.5, isLastOnly: true })
    expect(asked(test.cases).map(({ targets }) => targets)).toEqual([[1], [3], [5]])
  })

  test('without times the last lines are the last sessions', () => {
    const [early, late] = sessionsAt(sequencesOf(LISTS), { from: undefined, share: 0.25 })
    expect([[...early.product], [...late.product]]).toEqual([
      [0, 1, 2, 2, 3, 4],
      [5, 6, 5],
    ])
  })
})

test('a split by time learns nothing after the validation begins, and a history ends before its target', () => {
  const timed = fc.array(fc.array(fc.record({ product: fc.nat(7), time: fc.nat(30) }), { maxLength: 8 }), {
    minLength: 1,
    maxLength: 8,
  })
  fc.assert(
    fc.property(timed, fc.nat(30), fc.nat(30), (shoppers, a, b) => {
      const sorted = shoppers.map((events) => events.toSorted((x, y) => x.time - y.time))
      const sequences = sequencesOf(
        sorted.map((events) => events.map(({ product }) => product)),
        (shopper, place) => sorted[shopper]![place]!.time,
      )
      const times = { validationFrom: Math.min(a, b), testFrom: Math.max(a, b) }
      const { validation, test, refit } = timeSplit(sequences, times)
      const merged = sorted.map((events) => events.filter(({ product }, at) => product !== events[at + 1]?.product))
      const before = (limit: number) =>
        merged.flatMap((events) => events.filter(({ time }) => time < limit).map(({ product }) => product))
      expect(known(validation).flat()).toEqual(before(times.validationFrom))
      expect(known(test).flat()).toEqual(before(times.validationFrom))
      expect(known(refit!).flat()).toEqual(before(times.testFrom))
      const expected = (from: number, to: number) =>
        merged.flatMap((events) =>
          events.flatMap(({ product, time }) => {
            const history = events.filter((earlier) => earlier.time < time).map((earlier) => earlier.product)
            const isAsked = time >= from && time < to && history.length > 0 && !history.includes(product)
            return isAsked ? [{ history, targets: [product] }] : []
          }),
        )
      const cases = (stage: Stage) => asked(stage.cases).map(({ history, targets }) => ({ history, targets }))
      expect(cases(validation)).toEqual(expected(times.validationFrom, times.testFrom))
      expect(cases(test)).toEqual(expected(times.testFrom, Infinity))
    }),
  )
})

test('the times of shares are those of events, and need times', () => {
  const sequences = sequencesOf([[0, 1, 2, 3, 4, 5, 6, 7, 0, 1]], (_, place) => 100 + place)
  expect(timesAt(sequences, { validation: 0.8, test: 0.9 })).toEqual({ validationFrom: 108, testFrom: 109 })
  expect(() => timesAt(sequencesOf([[0]]), { validation: 0.8, test: 0.9 })).toThrow('times')
})

test('a given split asks for all products of a shopper at once, each once, and validates on held-out products', () => {
  const train = sequencesOf([[0, 1, 2, 3], [4]])
  const right = sequencesOf([[5, 6, 5], [7]])
  const { test, validation } = givenSplit(train, right, { share: 0.5, seed: 3 })
  expect(asked(test.cases).map(({ history, targets }) => [history, targets])).toEqual([
    [
      [0, 1, 2, 3],
      [5, 6],
    ],
    [[4], [7]],
  ])
  const heldOut = asked(validation.cases).flatMap(({ targets }) => targets)
  expect([...known(validation).flat(), ...heldOut].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4])
  expect(givenSplit(train, right, { share: 0.5, seed: 3 }).validation.cases.size).toBe(validation.cases.size)
})
