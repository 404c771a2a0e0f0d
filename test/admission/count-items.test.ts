import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countItems } from '../../src/admission/count-items.ts'

const counted = (body: string, max = 100) => countItems(Buffer.from(body), max).items

const LISTS: [what: string, items: unknown[]][] = [
  ['empty objects', [{}, {}, {}]],
  ['one item', [{ a: [1, 2, 3], b: { c: 1, d: [[], {}] } }]],
  ['texts with brackets, commas and quotes', ['],[', '},{"', 'a\\', '\\",', ',,,']],
  ['all kinds of values', [1, null, true, [], [1, [2, 3]], {}, { a: { b: {} } }, 'ä,🛒']],
]

test.for(LISTS)('the items of a request are counted: %s', ([, items]) => {
  expect(counted(JSON.stringify({ interactions: items }))).toBe(items.length)
  expect(counted(JSON.stringify({ interactions: items }, null, 2))).toBe(items.length)
  expect(counted(JSON.stringify({ note: 'a,[b', interactions: items }))).toBe(items.length)
})

test('all items of any list are counted, and whether it is the only field', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { minLength: 1 }), fc.constantFrom(undefined, 1, '\t'), (items, blanks) => {
      const alone = Buffer.from(JSON.stringify({ interactions: items }, undefined, blanks))
      expect(countItems(alone, Infinity)).toEqual({ items: items.length, isAlone: true })
      const beside = Buffer.from(JSON.stringify({ note: 1, interactions: items }, undefined, blanks))
      expect(countItems(beside, Infinity)).toEqual({ items: items.length, isAlone: false })
    }),
  )
})

test('the items of a field that comes twice count twice, because both are read', () => {
  expect(counted('{"interactions":[1,2,3],"interactions":[1,2,3]}')).toBeGreaterThanOrEqual(5)
})

test('no more are counted than asked for', () => {
  expect(counted(`{"interactions":[${'{},'.repeat(9_999)}{}]}`, 1_001)).toBe(1_001)
})

test.for(['', '[', ']]]]', '"', '"\\', '{"interactions":[{}', 'no JSON, at all'])(
  'a body that is no request has a number: %s',
  (body) => {
    expect(counted(body)).toBeGreaterThanOrEqual(1)
  },
)
