import { expect, test } from 'vitest'
import { mapFile } from '../harness/items/mapped-files.ts'

const HEADER = 'time,user,item,kind'
const MAPPED = ['occurred_at=time', 'account_id=user', 'ref_id=item', 'event_type=kind'].flatMap((rule) => ['--map', rule])

const FILE = [
  HEADER,
  '2026-03-01Z,NULL,lamp,view',
  String.raw`2026-03-01Z,\N,desk,view`,
  '2026-03-01Z,ada,nan,view',
  '2026-03-01Z, ada ,#N/A,view',
]

test('texts that may stand for nothing are counted, and read as empty when told', async () => {
  const { items, warnings } = await mapFile('a.csv', FILE.join('\n'), MAPPED)
  expect(items.map((item) => item['account_id'])).toEqual(['NULL', String.raw`\N`, 'ada', ' ada '])
  expect(warnings).toEqual([
    String.raw`Values that may stand for an empty cell were read as texts: "NULL" (once), "\\N" (once), "nan" (once), "#N/A" (once). To read them as empty, give --null 'NULL' --null '\N' --null 'nan' --null '#N/A'.`,
  ])
  const told = await mapFile('a.csv', FILE.join('\n'), [
    ...MAPPED,
    '--null',
    'NULL',
    '--null',
    String.raw`\N`,
    '--null',
    'nan',
    '--null',
    '#N/A',
  ])
  expect(told.refused.map(({ line, field }) => [line, field])).toEqual([
    [2, 'account_id'],
    [3, 'account_id'],
    [4, 'ref_id'],
    [5, 'ref_id'],
  ])
  expect(told.warnings).toEqual([])
})

test('conditions see the cells without nulls and blanks', async () => {
  const rules = [
    '--map',
    'occurred_at=time',
    '--map',
    'ref_id=item',
    '--map',
    'account_id=user',
    '--map',
    'session_id=kind if user is empty',
  ]
  const { items } = await mapFile('a.csv', [HEADER, '2026-03-01, NULL ,lamp,s1', '2026-03-01, ada ,desk,s2'].join('\n'), [
    ...rules,
    '--set',
    'event_type=view if user = ada',
    '--set',
    'event_type=cart if user is empty',
    '--null',
    'NULL',
    '--trim',
  ])
  expect(items).toMatchObject([
    { session_id: 's1', event_type: 'cart' },
    { account_id: 'ada', event_type: 'view' },
  ])
  expect(items[1]).not.toHaveProperty('session_id')
})

test('ids are the same with and without --null and --trim', async () => {
  const ids = async (options: string[]) =>
    (await mapFile('a.csv', [HEADER, '2026-03-01, ada ,lamp,view'].join('\n'), [...MAPPED, ...options])).items[0]!['event_id']
  expect(await ids(['--trim', '--null', 'x'])).toBe(await ids([]))
})

test.each(['1.23E+12', '1,23E+12', '17850.0', '17850,00', '="0042"'])('the id %s is counted as damaged', async (id) => {
  const rows = [id, 'lamp', id, '12E4', '1.5', '10-2'].map(
    (item) => `2026-03-01Z;ada;${item.includes('"') ? `"${item.replaceAll('"', '""')}"` : item};view`,
  )
  const { items, warnings } = await mapFile('a.csv', [HEADER.replaceAll(',', ';'), ...rows].join('\n'), MAPPED)
  expect(items).toHaveLength(5)
  expect(warnings).toEqual([`2 ids may be damaged by a spreadsheet, e.g. ${JSON.stringify(id)}: export the column as text.`])
})

test('a damaged event key is counted, because different events would be one', async () => {
  const { items, duplicates, warnings } = await mapFile(
    'a.csv',
    `${HEADER},key\n2026-03-01Z,ada,lamp,view,1.23E+12\n2026-03-01Z,ben,desk,view,1.23E+12\n`,
    [...MAPPED, '--map', 'event_key=key'],
  )
  expect([items.length, duplicates]).toEqual([1, 1])
  expect(warnings).toEqual(['2 ids may be damaged by a spreadsheet, e.g. "1.23E+12": export the column as text.'])
})
