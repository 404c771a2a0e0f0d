import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rowSplitter } from '../../src/main/embedded/restate-stream.ts'

const texts = fc.oneof(fc.string(), fc.constantFrom('"', '\\', '{', '}', ']', '\\"}', '{"rows":[', 'é😀'))
const values = fc.oneof(texts, fc.integer(), fc.constant(null), fc.boolean())

test('rows are cut out of an answer wherever its pieces end, whatever their texts contain', () => {
  fc.assert(
    fc.property(fc.array(fc.dictionary(texts, values)), fc.array(fc.nat(20)), (rows, sizes) => {
      const text = JSON.stringify({ rows })
      const split = rowSplitter()
      const found: unknown[] = []
      const ended: boolean[] = []
      for (let at = 0, n = 0; at < text.length; n++) {
        const size = Math.max(1, sizes[n % Math.max(1, sizes.length)] ?? text.length)
        const part = split(text.slice(at, (at += size)))
        found.push(...part.rows.map((row) => JSON.parse(row) as unknown))
        ended.push(part.isEnded)
      }
      expect(found).toEqual(JSON.parse(text).rows)
      expect(ended.some(Boolean)).toBe(true)
    }),
  )
})

test('an answer that breaks off has no end', () => {
  const split = rowSplitter()
  expect(split('{"rows":[{"a":"]"},{"a"')).toEqual({ rows: ['{"a":"]"}'], isEnded: false })
})
