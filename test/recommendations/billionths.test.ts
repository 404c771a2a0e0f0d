import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareBytes } from '../../src/ranking/byte-order.ts'
import { billionthsOf, decimalOf, sharesOf } from '../../src/ranking/recommend/billionths.ts'

const values = fc.array(fc.oneof(fc.double({ min: 0, max: 1e300, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })), {
  minLength: 1,
  maxLength: 60,
})
const sumOf = (shares: readonly number[]) => shares.reduce((sum, share) => sum + BigInt(share), 0n)

test('shares of any values add up to any total exactly, and none is below 0', () => {
  fc.assert(
    fc.property(values, fc.oneof(fc.maxSafeNat(), fc.nat(1_000)), (parts, total) => {
      fc.pre(Math.max(...parts) > 0)
      const shares = sharesOf(parts, total)
      expect(sumOf(shares)).toBe(BigInt(total))
      expect(shares.every((share) => share >= 0 && Number.isSafeInteger(share))).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})

test('a share differs from its part of the total by less than one', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 30 }), fc.nat(1e9), (parts, total) => {
      const sum = parts.reduce((before, part) => before + part, 0)
      fc.pre(sum > 0)
      for (const [at, share] of sharesOf(parts, total).entries()) {
        expect(Math.abs(share - (parts[at]! / sum) * total)).toBeLessThan(1 + 1e-6)
      }
    }),
  )
})

test.for([
  [[], 0, []],
  [[0, 0], 0, [0, 0]],
  [[1, 1, 1], 10, [4, 3, 3]],
  [[3, 1], 1, [1, 0]],
  [[1, 0, 1], 5, [3, 0, 2]],
] as const)('the shares of %j in %i are %j', ([parts, total, shares]) => {
  expect(sharesOf(parts, total)).toEqual(shares)
})

test('a score as a decimal says how many billionths it has', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), (total) => {
      expect(billionthsOf(decimalOf(total))).toBe(total)
    }),
  )
})

test('texts are ordered as their UTF-8 bytes are', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'Z', 'é', '。', '｡', '\uE000', '😀', '𐀀', '￿'), maxLength: 4 })
  fc.assert(
    fc.property(text, text, (one, other) => {
      expect(Math.sign(compareBytes(one, other))).toBe(Buffer.compare(Buffer.from(one), Buffer.from(other)))
    }),
    { numRuns: 2_000 },
  )
})
