import { expect, test } from 'vitest'
import { inChunks, nextSize } from '../src/store/chunks.ts'

const LIMITS = { targetMs: 20, sizeMax: 2_000 }

test('a chunk that took too long is followed by one as much smaller, and a fast one by twice as many', () => {
  expect(nextSize(50, 100, LIMITS)).toBe(10)
  expect(nextSize(50, 1, LIMITS)).toBe(100)
  expect(nextSize(50, 0, LIMITS)).toBe(100)
  expect(nextSize(1_500, 5, LIMITS)).toBe(2_000)
  expect(nextSize(1, 10_000, LIMITS)).toBe(1)
})

test('every thing is worked off once, in order, and the results are added up', async () => {
  const things = Array.from({ length: 1_234 }, (_, n) => n)
  const seen: number[] = []
  const sum = await inChunks(things, { targetMs: 20, sizeMax: 100 }, async (chunk) => {
    seen.push(...chunk)
    expect(chunk.length).toBeLessThanOrEqual(100)
    return chunk.length
  })
  expect(seen).toEqual(things)
  expect(sum).toBe(1_234)
  expect(await inChunks([], LIMITS, async () => 1)).toBe(0)
})
