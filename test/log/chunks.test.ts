import { expect, test } from 'vitest'
import { inChunks, nextSize } from '../../src/store/database/chunks.ts'

const LIMITS = { targetMs: 20, sizeMin: 20, sizeMax: 2_000 }

test('after a slow chunk comes a smaller one, after a fast chunk a larger one, within limits', () => {
  expect(nextSize(100, 25, LIMITS)).toBe(80)
  expect(nextSize(100, 1_000, LIMITS)).toBe(50)
  expect(nextSize(50, 16, LIMITS)).toBe(62)
  expect(nextSize(50, 0, LIMITS)).toBe(100)
  expect(nextSize(1_500, 5, LIMITS)).toBe(2_000)
  expect(nextSize(25, 10_000, LIMITS)).toBe(20)
})

test('every item is processed once, in order, and the results are added up', async () => {
  const things = Array.from({ length: 1_234 }, (_, n) => n)
  const seen: number[] = []
  const sum = await inChunks(things, { targetMs: 20, sizeMin: 1, sizeMax: 100 }, async (chunk) => {
    seen.push(...chunk)
    expect(chunk.length).toBeLessThanOrEqual(100)
    return chunk.length
  })
  expect(seen).toEqual(things)
  expect(sum).toBe(1_234)
  expect(await inChunks([], LIMITS, async () => 1)).toBe(0)
})
