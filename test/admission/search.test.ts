import fc from 'fast-check'
import { expect, test } from 'vitest'
import { METADATA_BYTES_MAX } from '../../src/contract/interaction.ts'
import {
  interactionOf,
  normalisedQuery,
  QUERY_CHARACTERS_MAX,
  Search,
  SearchClick,
  SHOWN_PRODUCTS_MAX,
} from '../../src/contract/search.ts'
import { isStorable } from '../../src/contract/fields/text.ts'
import { encodeCursor } from '../../src/store/database/cursor.ts'

/** Texts of all of Unicode, with many characters that normalising changes. */
const queries = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 5 }),
      fc.constantFrom('İ', 'Σ', 'ΑΣ', 'ﷺ', 'ﬁ', '\u0327', '\u0307', ' ', '\u3000'),
    ),
  )
  .map((parts) => parts.join(''))
  .filter((text) => Search.shape.query.safeParse(text).success)

test.each([
  ['  Red\t LAMP\n', 'red lamp'],
  ['red lamp', 'red lamp'],
  ['ｒｅｄ　ｌａｍｐ', 'red lamp'],
  ['caf\u0065\u0301', 'caf\u00e9'],
  ['ﬁsh', 'fish'],
  ['ΟΔΟΣ', 'οδος'],
  ['STRASSE', 'strasse'],
  ['Ⅳ', 'iv'],
  ['🛒 Cart', '🛒 cart'],
  ["50% off; 'or 1=1", "50% off; 'or 1=1"],
])('%j is counted under %j', (query, normalised) => {
  expect(normalisedQuery(query)).toBe(normalised)
})

test('normalising ignores case and extra blanks, and changes no normalised query', () => {
  fc.assert(
    fc.property(queries, (query) => {
      const normalised = normalisedQuery(query)
      expect(normalisedQuery(normalised)).toBe(normalised)
      expect(normalised).toBe(normalised.trim())
      expect(normalised).not.toMatch(/\s\s|[^\S ]/)
      expect(normalisedQuery(` ${query.replaceAll(' ', ' \t ')}\n`)).toBe(normalised)
    }),
    { numRuns: 2_000 },
  )
})

test('every query can be stored, clicked, and be the end of a page', () => {
  const worst = ['ﷺ', '\u0001', '"', '🛒'].map((one) => one.repeat(QUERY_CHARACTERS_MAX))
  fc.assert(
    fc.property(fc.oneof(queries, fc.constantFrom(...worst)), (query) => {
      const normalised = normalisedQuery(query)
      expect(isStorable(normalised)).toBe(true)
      expect(Array.from(normalised).length).toBeLessThanOrEqual(QUERY_CHARACTERS_MAX)
      const { metadata } = interactionOf(SearchClick.parse({ session_id: 's', query, product_id: 'p' }))
      expect(JSON.stringify(metadata).length).toBeLessThan(METADATA_BYTES_MAX)
      const position = ['found_nothing', '90', String(Date.now()), '999999999', normalised]
      expect(encodeCursor('search queries', position).length).toBeLessThanOrEqual(2_000)
    }),
  )
})

const valid = { session_id: 's', query: 'lamp', product_ids: ['p'] }
test.each([
  ['no query', { ...valid, query: undefined }, 'query'],
  ['an empty query', { ...valid, query: '' }, 'query'],
  ['a query of blanks', { ...valid, query: ' \t\u3000' }, 'query'],
  ['a query of 201 characters', { ...valid, query: 'x'.repeat(201) }, 'query'],
  ['NUL in the query', { ...valid, query: 'a\0' }, 'query'],
  ['no list of products', { ...valid, product_ids: undefined }, 'product_ids'],
  ['101 products', { ...valid, product_ids: Array.from({ length: SHOWN_PRODUCTS_MAX + 1 }, (_, n) => `p${n}`) }, 'product_ids'],
  ['a product that no URL can name', { ...valid, product_ids: ['p', 'top'] }, 'product_ids.1'],
  ['an unknown field', { ...valid, nonsense: 1 }, ''],
])('a search with %s is invalid', (_name, item, field) => {
  expect(Search.safeParse(item).error?.issues.map(({ path }) => path.join('.'))).toEqual([field])
})
