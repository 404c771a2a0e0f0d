import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exactParts } from '../../src/ranking/exact-parts.ts'

const part = fc.oneof(
  fc.double({ min: -1_000, max: 1_000, noNaN: true }),
  fc.double({ min: -5e13, max: 5e13, noNaN: true }),
  fc.constantFrom(0, 1 / 3, -1 / 3, 0.1, 0.7),
)

test('parts of any size add up exactly, each less than a digit from what it was', () => {
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 40 }), (parts) => {
      const total = parts.reduce((sum, each) => sum + each, 0)
      const size = parts.reduce((sum, each) => sum + Math.abs(each), Math.abs(total))
      const exact = exactParts(parts, total, 9)
      const decimals = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].find((count) => size * 10 ** count <= 2 ** 51)!
      const wholeOf = (value: number) => {
        const whole = Math.round(value * 10 ** decimals)
        expect(whole / 10 ** decimals + 0).toBe(value)
        return BigInt(whole)
      }
      expect(exact.parts.reduce((sum, each) => sum + wholeOf(each), 0n)).toBe(wholeOf(exact.total))
      expect(Math.abs(exact.total - total)).toBeLessThanOrEqual(10 ** -decimals)
      for (const [place, each] of exact.parts.entries())
        expect(Math.abs(each - parts[place]!)).toBeLessThanOrEqual((parts.length + 2) * 10 ** -decimals)
    }),
    { numRuns: 2_000 },
  )
})

test('what rounding leaves goes to the part that is farthest from 0, and no part is −0', () => {
  expect(exactParts([0.04, -0.06, 0.05], 0.1, 1)).toEqual({ total: 0.1, parts: [0, 0, 0.1] })
  expect(exactParts([1 / 3, 1 / 3, 1 / 3], 1, 3)).toEqual({ total: 1, parts: [0.334, 0.333, 0.333] })
  expect(exactParts([], 0, 9)).toEqual({ total: 0, parts: [] })
})
