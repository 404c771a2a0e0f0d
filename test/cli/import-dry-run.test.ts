import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { importCommand } from '../../src/cli/commands/import.ts'
import { INTERACTIONS } from '../../src/cli/import/mapping/interactions.ts'
import { dryRun } from '../../src/cli/import/dry-run.ts'
import type { ImportPlan } from '../../src/cli/import/plan.ts'
import { previewLines } from '../../src/cli/import/preview-lines.ts'
import { createRefusals } from '../../src/cli/import/refusals.ts'
import { weightsAt } from '../../src/cli/import/weights.ts'
import { type AnsweringIngress, startAnsweringIngress } from '../harness/servers/answering-ingress.ts'

let gateway: AnsweringIngress

beforeAll(async () => {
  gateway = await startAnsweringIngress()
})
afterAll(() => gateway.close())

/** The lines of a dry run over files, without the folder. */
async function linesOf(
  files: Record<string, string>,
  options: readonly string[] = [],
): Promise<{ lines: string[]; status: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-dry-run-'))
  try {
    const paths = Object.keys(files).map((name) => join(folder, name))
    for (const path of paths) await writeFile(path, files[path.slice(folder.length + 1)]!)
    let plan: ImportPlan | undefined
    const command = importCommand(async (given) => void (plan = given))
    await command.parseAsync([...paths, '--dry-run', '--gateway', gateway.url, ...options], { from: 'user' })
    const { lines, status } = await dryRun(plan!, plan!.dryRun!)
    return { lines: lines.map((line) => line.replaceAll(`${folder}/`, '')), status }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const HEADER = 'occurred_at,account_id,event_type,ref_id'
const csv = (...rows: string[]) => [HEADER, ...rows].join('\n')
const SHOP = `when,who,session,kind,sku,price,note
2026-03-01 12:00,ada,s1,cart,lamp,"2,50",x
2026-03-01 12:00,ada,s1,cart,lamp,"2,50",x
2026-03-02 08:30,,s2,look,desk,"1.000,00",y
2026-02-28 23:59,NULL,s3,look,desk,"1.000,00",
yesterday,bob,s4,cart,lamp,1,
`
const SHOP_OPTIONS = [
  ...[
    '--map',
    'occurred_at=when',
    '--map',
    'account_id=who',
    '--map',
    'session_id=session if who is empty',
    '--map',
    'ref_id=sku',
  ],
  ...[
    '--map',
    'event_type=kind',
    '--set',
    'event_type=view',
    '--values',
    'event_type:look=view',
    '--map',
    'metadata.price=price',
  ],
  ...['--null', 'NULL', '--decimal', ',', '--time-zone', 'Europe/Berlin'],
]

test('it shows how the file is read, where each field comes from, what becomes of the rows, and what is wrong', async () => {
  const { lines, status } = await linesOf({ 'shop.csv': SHOP }, SHOP_OPTIONS)
  expect(status).toBe(3)
  const id = expect.stringMatching(/"event_id":"[0-9a-f-]{36}"\}$/)
  expect(lines.map((line) => line.replace(/,"event_id":"[0-9a-f-]{36}"/, ''))).toEqual([
    'A dry run: nothing is sent or written.',
    '',
    'shop.csv is read as CSV with commas between cells, in utf-8.',
    '',
    'Fields of an interaction:',
    '  event_id        made of the content of the row',
    '  occurred_at     column "when"',
    '  account_id      column "who"',
    '  session_id      column "session" if who is empty',
    '  event_type      column "kind"',
    '                  otherwise the constant "view"',
    '                  "look" becomes "view"',
    '  ref_type        the constant "Product"',
    '  ref_id          column "sku"',
    '  metadata.price  column "price"',
    'Times without a zone are read as local times of Europe/Berlin. Plain numbers are times since 1970, and their size shows the unit.',
    'Numbers have a decimal comma, and may have separators of thousands.',
    'Cells with these texts are read as empty: "NULL".',
    'Columns that no rule reads: "note".',
    '',
    'shop.csv has 5 rows: 4 would be sent (1 of them as duplicates of earlier rows), 1 refused:',
    '  1 row equals an earlier one; if each row is an event of its own, give --identical-rows separate',
    '  1 × occurred_at: "yesterday" is not a time (line 6)',
    '  occurred_at: 2026-02-28T22:59:00.000Z to 2026-03-02T07:30:00.000Z',
    '  line 2: {"ref_type":"Product","occurred_at":"2026-03-01T11:00:00.000Z","account_id":"ada","ref_id":"lamp","event_type":"cart","metadata":{"price":2.5}}',
    '  line 3: {"ref_type":"Product","occurred_at":"2026-03-01T11:00:00.000Z","account_id":"ada","ref_id":"lamp","event_type":"cart","metadata":{"price":2.5}}',
    '  line 4: {"ref_type":"Product","occurred_at":"2026-03-02T07:30:00.000Z","session_id":"s2","ref_id":"desk","event_type":"view","metadata":{"price":1000}}',
    '',
    'Event types: cart (2), view (2).',
    'By the weights in force (balanced), 1 of 2 event types has no weight, so their events do not change scores: cart (2).',
    '--values event_type:cart=TYPE records it as another type.',
  ])
  expect(lines.filter((line) => line.includes('"event_id":'))).toEqual([id, id, id])
})

/** Options, and lines that tell what was understood of them. */
const UNDERSTOOD: [options: string[], lines: string[]][] = [
  [
    [],
    [
      '  event_type   column "event_type"',
      'Times without a zone are read as UTC. Plain numbers are times since 1970, and their size shows the unit.',
    ],
  ],
  [
    ['--utc-offset', '-03:30'],
    ['Times without a zone are read as UTC-03:30. Plain numbers are times since 1970, and their size shows the unit.'],
  ],
  [
    ['--time-format', 'dmy', '--time-unit', 'ms'],
    [
      'Times without a zone are read as UTC. In dates whose year is last, the day is first. Plain numbers are milliseconds since 1970.',
    ],
  ],
  [['--time-format', 'excel'], ['Times without a zone are read as UTC. Plain numbers are days of a spreadsheet.']],
  [
    ['--trim', '--decimal', '.'],
    ['Numbers have a decimal point, and may have separators of thousands.', 'Blanks around the texts of cells are removed.'],
  ],
  [['--set', 'ref_type=Category'], ['  ref_type     the constant "Category"']],
  [
    ['--set', 'ref_type=Category if ref_id ^= c'],
    ['  ref_type     the constant "Category" if ref_id ^= c', '               otherwise the constant "Product"'],
  ],
  [
    ['--map', 'event_type=event_type', '--map', 'ref_id=ref_id', '--map', 'occurred_at=day', '--map', 'account_id=account_id'],
    ['  event_id     column "event_id" if it is a UUID', '               otherwise made of the content of the row'],
  ],
  [
    ['--map', 'occurred_at=day + time', '--map', 'event_key=key', '--map', 'ref_id=gone', '--allow-missing'],
    [
      '  event_id     made of the event_key; otherwise of the content of the row',
      '  event_key    column "key"',
      '  occurred_at  columns "day" and "time"',
      '  ref_id       column "gone", which no file has',
    ],
  ],
]

test.each(UNDERSTOOD)('%j is understood', async (options, expected) => {
  const file = 'occurred_at,account_id,event_type,ref_id,event_id,day,time,key\n2026-03-01,a,view,p,,2026-03-01,12:00,k1'
  const { lines } = await linesOf({ 'a.csv': file }, options)
  expect(lines).toEqual(expect.arrayContaining(expected))
})

test('of a preset the rules that the columns of the file allow are shown', async () => {
  const file = 'order_id,order_item_id,product_id,shipping_limit_date\no1,1,lamp,2018-05-02 10:00:00\n'
  const { lines, status } = await linesOf({ 'items.csv': file }, ['--preset', 'olist'])
  expect(status).toBe(0)
  expect(lines.slice(lines.indexOf('Fields of an interaction:'), lines.indexOf('Fields of an interaction:') + 9)).toEqual([
    'Fields of an interaction:',
    '  event_id     made of the event_key; otherwise of the content of the row',
    '  event_key    columns "order_id" and "order_item_id" if order_item_id is not empty',
    '  occurred_at  column "shipping_limit_date"',
    '  session_id   column "order_id" if customer_unique_id is empty and customer_id is empty',
    '  event_type   the constant "purchase" if order_status != canceled and order_status != unavailable',
    '  ref_type     the constant "Product"',
    '  ref_id       column "product_id"',
    expect.stringContaining('Times without a zone'),
  ])
})

test('what the receiver rejects is refused with its reason and the value, and one reason is one line', async () => {
  const rows = [
    '2026-03-01,ada,Page View,p',
    '2026-03-01,ada,Add,p',
    '1999-01-01,ada,view,p',
    '2199-01-01,ada,view,p',
    '2198-01-01,ada,view,p',
  ]
  const { lines, status } = await linesOf({ 'a.csv': csv(...rows) })
  expect(status).toBe(4)
  expect(lines).toContain('a.csv has 5 rows: 0 would be sent, 5 refused:')
  expect(lines).toContain('  2 × event_type: "Page View" must be 1 to 64 of a-z, 0-9 and _ (first on line 2)')
  expect(lines).toContain('  1 × occurred_at: "1999-01-01T00:00:00.000Z" is before 2000-01-01 (line 4)')
  expect(lines.filter((line) => line.includes('in the future'))).toEqual([
    expect.stringMatching(/^ {2}2 × .*\(first on line 5\)$/),
  ])
})

test('it looks at the first 10,000 rows of each file, and says so', async () => {
  const rows = (count: number) => csv(...Array.from({ length: count }, (_, n) => `2026-03-01,a${n},view,p`))
  const bad = `${rows(10_000)}\nnever,a,view,p`
  const { lines, status } = await linesOf({
    'long.csv': bad,
    'whole.csv': rows(10_000),
    'short.csv': rows(1),
    'none.csv': HEADER,
  })
  expect(status).toBe(0)
  expect(lines).toEqual(
    expect.arrayContaining([
      'long.csv: of the first 10,000 rows 10,000 would be sent, 0 refused.',
      'whole.csv has 10,000 rows: 10,000 would be sent, 0 refused.',
      'short.csv has 1 row: 1 would be sent, 0 refused.',
      'none.csv has no rows.',
      'Event types: view (20,001).',
    ]),
  )
})

test('equal rows are told from others with the same id, and are not told where each is an event of its own', async () => {
  const hint = expect.stringContaining('--identical-rows separate')
  const equal = csv('2026-03-01,a,view,p', '2026-03-01,a,view,p', '2026-03-01,a,view,p')
  expect((await linesOf({ 'a.csv': equal })).lines).toContain(
    '  2 rows equal earlier ones; if each row is an event of its own, give --identical-rows separate',
  )
  expect((await linesOf({ 'a.csv': equal }, ['--identical-rows', 'separate'])).lines).not.toContainEqual(hint)
  const keys = `${HEADER},event_key\n2026-03-01,a,view,p,k1\n2026-03-01,a,view,p,k1`
  const { lines } = await linesOf({ 'a.csv': keys })
  expect(lines).toContain('a.csv has 2 rows: 2 would be sent (1 of them as duplicates of earlier rows), 0 refused.')
  expect(lines).not.toContainEqual(hint)
})

test('of a preset it looks at 10,000 rows too, and tells rows that are left out from no rows', async () => {
  const record = (name: string, n: number) =>
    JSON.stringify({
      event_name: name,
      event_timestamp: String(1_772_360_100_000_000 + n),
      user_id: 'a',
      items: [{ item_id: 'p' }],
    })
  const lines = (count: number, nameOf: (n: number) => string) =>
    Array.from({ length: count }, (_, n) => record(nameOf(n), n)).join('\n')
  const { lines: shown, status } = await linesOf(
    {
      'long.json': lines(10_001, (n) => (n < 10_000 && n % 2 === 0 ? 'view_item' : 'scroll')),
      'other.json': lines(10_001, (n) => (n === 0 || n === 10_000 ? 'view_item' : 'scroll'))
        .split('\n')
        .slice(1)
        .join('\n'),
      'more.json': lines(10_001, () => 'scroll'),
      'short.json': lines(2, () => 'scroll'),
    },
    ['--preset', 'ga4'],
  )
  expect(status).toBe(0)
  expect(shown).toEqual(
    expect.arrayContaining([
      'long.json: of the first 10,000 rows 5,000 are items: 5,000 would be sent, 0 refused.',
      'other.json has 1 row: 1 would be sent, 0 refused.',
      'None of the first 10,000 rows of more.json is an item.',
      'short.json has no rows that are items.',
      'Left out by --preset ga4: 25,001 rows of other event types: scroll (25,001).',
    ]),
  )
})

test('a file without rows ends with 4', async () => {
  expect(await linesOf({ 'none.csv': HEADER })).toMatchObject({
    status: 4,
    lines: expect.arrayContaining(['none.csv has no rows.']),
  })
})

test('ten reasons and the start of a long item are shown', () => {
  const refusals = createRefusals()
  refusals.add('abcdefghijkl'.split('').map((field, index) => ({ field, reason: 'is wrong', line: index + 2 })))
  const item = { ref_id: 'x'.repeat(2_000) }
  const counts = { records: 13, rows: 13, isWhole: true, refused: 12, repeated: 0, equal: 0, span: undefined }
  const preview = {
    path: 'a.csv',
    ...counts,
    refusals,
    examples: [{ line: 14, item }],
    eventTypes: new Map(),
    withoutField: new Map(),
  }
  const lines = previewLines(preview, INTERACTIONS)
  expect(lines.slice(1, 12)).toEqual(
    'abcdefghij'
      .split('')
      .map((field, index) => `  1 × ${field}: is wrong (line ${index + 2})`)
      .concat('  and 2 more reasons'),
  )
  expect(lines.at(-1)).toMatch(/^ {2}line 14: \{"ref_id":"x{900,1000}…$/)
})

test('products are shown with their own fields and times', async () => {
  const file =
    'sku,title,price,updated\n1,Lamp,"19,9",2026-03-01\n2,,1,2026-03-02\n3,Desk,free,2026-03-03\n1,Lamp,"19,9",2026-03-01\n'
  const options = [
    '--products',
    '--map',
    'product_id=sku',
    '--map',
    'name=title',
    '--map',
    'price=price',
    '--set',
    'currency=EUR',
  ]
  const { lines, status } = await linesOf({ 'p.csv': file }, [
    ...options,
    '--map',
    'updated_at=updated',
    '--price-decimals',
    '2',
    '--decimal',
    ',',
  ])
  expect(status).toBe(3)
  expect(lines).toEqual(
    expect.arrayContaining([
      '  updated_at  column "updated"',
      '              otherwise the time at which the file was written',
      '  status      the constant "active"',
      'p.csv has 4 rows: 2 would be sent (1 of them as duplicates of earlier rows), 2 refused:',
      '  updated_at: 2026-03-01T00:00:00.000Z to 2026-03-01T00:00:00.000Z',
    ]),
  )
  expect(lines.join('\n')).not.toContain('Event types')
})

test('warnings about values come last', async () => {
  const { lines } = await linesOf({ 'a.csv': csv('2026-03-01 12:00,17850.0,view,NULL') })
  expect(lines.slice(-3)).toEqual([
    expect.stringMatching(/^Warning: 1 time was read as UTC/),
    expect.stringMatching(/^Warning: Values that may stand for an empty cell/),
    expect.stringMatching(/^Warning: 1 id may be damaged by a spreadsheet/),
  ])
})

test('fields that the receiver leaves out are counted', async () => {
  const { lines } = await linesOf({ 'a.csv': `${HEADER},ip_address\n2026-03-01,a,view,p,here\n2026-03-01,b,view,p,1.2.3.4` })
  expect(lines).toContain('  1 would be recorded without a wrong ip_address')
})

test('weights that cannot be asked for are named with their reason', async () => {
  expect(await weightsAt({ gatewayUrl: gateway.url })).toEqual({ name: 'balanced', types: new Set(['view', 'purchase']) })
  expect(await weightsAt({ gatewayUrl: gateway.url, key: 'wrong' })).toEqual({
    problem: `the gateway at ${gateway.url} wants a key with the scope read (--key or FOOTFALL_KEY)`,
  })
  expect(await weightsAt({ gatewayUrl: `${gateway.url}/elsewhere` })).toEqual({
    problem: `the server at ${gateway.url}/elsewhere does not list event types`,
  })
  expect(await weightsAt({ gatewayUrl: 'http://127.0.0.1:1' })).toEqual({
    problem: expect.stringMatching(/^no gateway answers at/),
  })
})
