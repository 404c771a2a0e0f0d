import { describe, expect, test } from 'vitest'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import { judgeProducts } from '../../src/admission/product.ts'
import { eventIdOfKey } from '../../src/admission/event-key.ts'
import { INTERACTIONS } from '../../src/cli/import/mapping/interactions.ts'
import { isRowRejection, mappingOf, mapRow } from '../../src/cli/import/mapping/mapping.ts'
import { products } from '../../src/cli/import/mapping/products.ts'
import { mapFile } from '../harness/items/mapped-files.ts'
import type { Item } from '../../src/cli/import/mapping/item-kind.ts'
import type { RowRejection } from '../../src/cli/import/mapping/row-rejection.ts'
import type { Row } from '../../src/cli/import/source/row.ts'
import { withDefaults } from '../../src/cli/import/mapping/rule.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const TIME = { unit: undefined, offsetMinutes: 0 }
const EVENT = { session_id: 's', event_type: 'view', ref_id: 'p', occurred_at: '2026-03-01T11:00:00Z' }
const PRODUCT = { product_id: 'p', name: 'Lamp' }

function mapped(cells: Record<string, unknown>, kind = INTERACTIONS) {
  const row: Row = { line: 1, columns: Object.keys(cells), cells: Object.values(cells) }
  return mapRow(row, mappingOf(withDefaults([], row.columns, kind), { kind, values: new Map(), time: TIME }), {
    modifiedMs: NOW_MS,
  })
}

/** What a file and a request make of the same values. */
function bothWays(change: Record<string, unknown>) {
  const judge = (item: Item | RowRejection) => {
    if (isRowRejection(item)) return item.field
    const { rows, rejections } = judgeInteractions([item], NOW_MS, () => 'id')
    return rejections[0]?.field ?? [rows[0]!.refId, rows[0]!.accountId, rows[0]!.accountNumber]
  }
  return [judge(mapped({ ...EVENT, ...change })), judge({ ref_type: 'Product', ...EVENT, ...change })]
}

describe('JSON lines and requests read ids alike', () => {
  test.each([
    [{ ref_id: 17 }, ['17', null, null]],
    [{ ref_id: -5, account_id: 0 }, ['-5', '0', null]],
    [{ account_id: null, account_number: null }, ['p', null, null]],
    [{ account_number: '42' }, ['p', null, 42]],
    [{ account_number: '17.0' }, ['p', null, 17]],
    [{ account_number: 17.0 }, ['p', null, 17]],
    [{ ref_id: 17.5 }, 'ref_id'],
    [{ ref_id: 2 ** 53 }, 'ref_id'],
    [{ account_id: ['a'] }, 'account_id'],
    [{ account_id: { id: 1 } }, 'account_id'],
    [{ account_id: true }, 'account_id'],
  ])('%j', (change, expected) => {
    expect(bothWays(change)).toEqual([expected, expected])
  })
})

test.each(['042', '17.5', '1e3', '+42', '1,234', '9007199254740993'])('neither takes the account number %s', (text) => {
  expect(bothWays({ account_number: text })).toEqual(['account_number', 'account_number'])
})

test('ids of products are read in the same way', () => {
  const kind = products({ priceDecimals: undefined })
  const judge = (change: object) => judgeProducts([mapped({ ...PRODUCT, ...change }, kind)], NOW_MS)
  expect(judge({ product_id: 17, category: 4, seller_id: null }).rows).toMatchObject([
    { productId: '17', category: '4', sellerId: null },
  ])
  expect(mapped({ ...PRODUCT, category: ['a'] }, kind)).toMatchObject({ field: 'category' })
  // A name is no id, so a number is its text.
  expect(judge({ name: 1984 }).rows).toMatchObject([{ name: '1984' }])
})

test('a column event_id does not count next to a rule for event_key, and the other way round', async () => {
  const uuid = '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11'
  const file = `event_id,ulid,session_id,event_type,ref_id,occurred_at\n${uuid},01ARZ3,s,view,p,2026-03-01T11:00:00Z\n`
  const fields = ['session_id', 'event_type', 'ref_id', 'occurred_at'].flatMap((field) => ['--map', `${field}=${field}`])
  const { items } = await mapFile('a.csv', file, [...fields, '--map', 'event_key=ulid'])
  expect(items).toMatchObject([{ event_key: '01ARZ3' }])
  expect(items[0]).not.toHaveProperty('event_id')
  expect((await mapFile('a.csv', file, fields)).items).toMatchObject([{ event_id: uuid }])
})

test('a row with a key gets no other id', () => {
  const item = mapped({ ...EVENT, event_key: '01ARZ3NDEKTSV4RRFFQ69G5FAV' })
  expect(item).not.toHaveProperty('event_id')
  expect(judgeInteractions([item], NOW_MS, () => 'id').rows).toMatchObject([
    { eventId: eventIdOfKey('01ARZ3NDEKTSV4RRFFQ69G5FAV') },
  ])
})

test('ids in a column event_id that are no UUIDs are counted in a warning', async () => {
  const rows = [
    'event_id,account_id,event_type,ref_id,occurred_at',
    '01ARZ3NDEKTSV4RRFFQ69G5FA2,ann,view,lamp,1770000000',
    ',ann,view,desk,1770000000',
  ]
  const { warnings } = await mapFile('a.csv', [...rows, '8,ann,view,sofa,1770000000'].join('\n'), ['--time-unit', 's'])
  expect(warnings).toEqual([
    '2 event_ids are no UUIDs and were not used, e.g. "01ARZ3NDEKTSV4RRFFQ69G5FA2" (--map event_key=event_id makes the ids of events from such texts).',
  ])
})
