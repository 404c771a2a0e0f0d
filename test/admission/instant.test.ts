import fc from 'fast-check'
import { expect, test } from 'vitest'
import { instantOf } from '../../src/contract/fields/time.ts'

const RANGE_MS = 8.64e15

test('an instant is written as a Date writes it, whatever instants came before', () => {
  const instant = fc.oneof(fc.integer({ min: -RANGE_MS, max: RANGE_MS }), fc.integer({ min: -7_200_000, max: 7_200_000 }))
  fc.assert(
    fc.property(fc.array(instant), (instants) => {
      expect(instants.map(instantOf)).toEqual(instants.map((ms) => new Date(ms).toISOString()))
    }),
  )
})

test.for([Number.NaN, Infinity, RANGE_MS + 3_600_000])('%d is no instant', (ms) => {
  expect(() => instantOf(ms)).toThrow(RangeError)
})
