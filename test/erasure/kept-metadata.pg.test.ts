import { sql } from 'kysely'
import { expect } from 'vitest'
import { keptMetadata } from '../../src/admission/erased-item.ts'
import { pgTest as test } from '../harness/fixtures.ts'

const CLICK = 'click_from_search'

test.for<[name: string, eventType: string, metadata: unknown, kept: object | null]>([
  ['no metadata', CLICK, undefined, null],
  ['null', CLICK, null, null],
  ['a list', CLICK, ['lamp'], null],
  ['a text', CLICK, 'lamp', null],
  ['a normalised query', CLICK, { query: 'desk lamp', note: 'x' }, { query: 'desk lamp' }],
  ['blanks and capitals', CLICK, { query: '  Desk \t LAMP1\n' }, { query: 'desk lamp1' }],
  [
    'other blanks',
    CLICK,
    { query: '\ufeffa\u00a0\u1680b\u2003\u2028c\u3000d\u200be\u0085f\v\fg' },
    { query: 'a b c d\u200be\u0085f g' },
  ],
  ['controls that are no blanks', CLICK, { query: 'a\u001c\u001f\u180eb' }, { query: 'a\u001c\u001f\u180eb' }],
  ['wide letters and ligatures', CLICK, { query: 'ＬＡＭＰ ﬁ №' }, { query: 'lamp fi no' }],
  ['letters that are two when small', CLICK, { query: 'İSTANBUL' }, { query: 'i̇stanbul' }],
  ['the end of a Greek word', CLICK, { query: 'ΟΔΟΣ ΣΑΣ Σ' }, { query: 'οδος σας σ' }],
  ['a sharp s', CLICK, { query: 'STRAẞE' }, { query: 'straße' }],
  ['composed and decomposed', CLICK, { query: 'Cafe\u0301 \u212b' }, { query: 'café å' }],
  ['a mark of its own', CLICK, { query: '\u0345\u0391 \u1fbc' }, { query: '\u0345α ᾳ' }],
  ['a query of 10,000 characters', CLICK, { query: 'Lamp '.repeat(2_000) }, { query: 'lamp '.repeat(40).trim() }],
  ['a cut before a blank', CLICK, { query: `${'x'.repeat(199)} y` }, { query: 'x'.repeat(199) }],
  ['characters of two units', CLICK, { query: '🛒'.repeat(300) }, { query: '🛒'.repeat(200) }],
  [
    'one that becomes eighteen',
    CLICK,
    { query: '\ufdfa'.repeat(20) },
    { query: Array.from('صلى الله عليه وسلم'.repeat(20)).slice(0, 200).join('') },
  ],
  ['a blank query', CLICK, { query: ' \u3000 ' }, null],
  ['an empty query', CLICK, { query: '' }, null],
  ['a number', CLICK, { query: 4711 }, { query: 4711 }],
  ['a query that is an object', CLICK, { query: { text: 'lamp' } }, null],
  ['a query that is null', CLICK, { query: null }, null],
  ['a query that is a boolean', CLICK, { query: true }, null],
  ['the query of another type', 'click', { query: 'lamp' }, null],
  ['stars', 'rating_high', { rating: 4.5, remark: 'x' }, { rating: 4.5 }],
  ['six stars', 'rating_high', { rating: 6 }, null],
  ['no stars', 'rating_low', { rating: 0 }, null],
  ['stars as a text', 'rating_low', { rating: '2' }, null],
  ['stars of a click', CLICK, { rating: 3 }, null],
  ['a view', 'view', { rating: 3, query: 'lamp' }, null],
])('%s is kept alike by a late event and by an erasure', async ([, eventType, metadata, kept], { db }) => {
  const json = metadata === undefined ? null : JSON.stringify(metadata)
  const { rows } = await sql<{ kept: object | null }>`select kept_metadata(${eventType}, ${json}::jsonb) as kept`.execute(db)
  expect(rows[0]!.kept).toEqual(kept)
  expect(keptMetadata(eventType, metadata) ?? null).toEqual(kept)
})
