import fc from 'fast-check'
import { expect, test } from 'vitest'
import { instantOf } from '../../src/contract/fields/time.ts'
import { csvRows } from '../../src/cli/import/source/csv.ts'
import { offsetMinutesOf, readInstant } from '../../src/cli/import/values/instant.ts'
import { INTERACTIONS } from '../../src/cli/import/mapping/interactions.ts'
import { jsonRows } from '../../src/cli/import/source/json-lines.ts'
import { linesOf } from '../../src/cli/import/source/line.ts'
import { mappingOf, mapRow } from '../../src/cli/import/mapping/mapping.ts'
import { readPrice } from '../../src/cli/import/values/price.ts'
import { products } from '../../src/cli/import/mapping/products.ts'
import { linesOn } from '../../src/cli/import/progress.ts'
import { eventIdOf, isBroken, RECORD_CHARACTERS_MAX, type Row } from '../../src/cli/import/source/row.ts'
import * as rule from '../../src/cli/import/mapping/rule.ts'
import { StartError } from '../../src/main/config/start-error.ts'

const UTC = { offsetMinutes: 0 }

/** The bytes of a text, cut into chunks of the given size: records, characters and line ends fall apart. */
async function* chunksOf(text: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function all<T>(chunks: AsyncIterable<T[]>): Promise<T[]> {
  const rows: T[] = []
  for await (const chunk of chunks) rows.push(...chunk)
  return rows
}

async function csv(
  text: string | Uint8Array,
  { size = 7, delimiter = ',', columns }: { size?: number; delimiter?: string; columns?: string[] } = {},
) {
  return all(csvRows(linesOf(chunksOf(text, size), 'utf-8'), { delimiter, columns }))
}

async function json(text: string, size = 7) {
  return all(jsonRows(linesOf(chunksOf(text, size), 'utf-8')))
}

const row = (cells: Record<string, unknown>): Row => ({ line: 2, columns: Object.keys(cells), cells: Object.values(cells) })
const ruleOf = (verb: 'map' | 'set', text: string, kind = INTERACTIONS) => rule.ruleOf(verb, text, kind)
const map = (rules: rule.Rule[], cells: Record<string, unknown>, values: string[] = [], kind = INTERACTIONS) => {
  const all = rule.withDefaults(rules, Object.keys(cells), kind)
  const mapping = mappingOf(all, { kind, values: rule.valueMapsOf(values, kind), time: UTC })
  return mapRow(row(cells), mapping, { modifiedMs: Date.UTC(2026, 2, 1) })
}

const EVENT = { occurred_at: '2026-03-01T12:00:00Z', account_id: 'a', event_type: 'view', ref_id: 'p' }

test('every table of texts survives CSV, with the line on which each record starts', async () => {
  const cell = fc.string({ unit: fc.constantFrom('a', 'é', '😀', '"', ',', '\n', '\r', ' ') })
  const table = fc.integer({ min: 2, max: 4 }).chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width })))
  const written = (text: string) => `"${text.replaceAll('"', '""')}"`
  await fc.assert(
    fc.asyncProperty(table, fc.integer({ min: 1, max: 40 }), fc.constantFrom('\n', '\r\n'), async (rows, size, end) => {
      const columns = Array.from(rows[0] ?? ['a'], (_cell, index) => `c${index}`)
      const records = [columns, ...rows].map((cells) => `${cells.map(written).join(',')}${end}`)
      let line = 1
      const expected = records.map((record, index) => {
        const start = line
        line += record.split(/\r\n|\n|\r/).length - 1
        return { line: start, columns, cells: [columns, ...rows][index] }
      })
      expect(await csv(records.join(''), { size })).toEqual(expected.slice(1))
    }),
  )
})

test('a stray quote costs its own line and no other', async () => {
  const rows = await csv('a,b\n1,x\n2,"5 inch\n3,y\n4,"z"\n5,"open\n6,w\n')
  expect(rows.map((each) => [each.line, isBroken(each) ? each.text : each.cells])).toEqual([
    [2, ['1', 'x']],
    [3, '2,"5 inch'],
    [4, ['3', 'y']],
    [5, ['4', 'z']],
    [6, '5,"open'],
    [7, ['6', 'w']],
  ])
})

test('an unclosed quote does not swallow the rest of a long file', async () => {
  const lines = Array.from({ length: 40_000 }, (_each, index) => `${index},some text of a row`)
  const rows = await csv(`a,b\n0,"oops\n${lines.join('\n')}\n`, { size: 65_536 })
  expect(rows.filter(isBroken)).toEqual([{ line: 2, reason: 'has a quote that is never closed', text: '0,"oops' }])
  expect(rows).toHaveLength(40_001)
})

test('rows with a wrong number of cells, invalid bytes or endless lines are broken', async () => {
  // 0xff is in no text of UTF-8.
  const parts = ['a,b\n1\n1,2,3\n1,', [0xff], `\n1,${'x'.repeat(RECORD_CHARACTERS_MAX)}\n\n1,2`]
  const rows = await csv(Buffer.concat(parts.map((part) => Buffer.from(part as string))), { size: 4_096 })
  expect(rows.map((each) => [each.line, isBroken(each) ? each.reason : each.cells])).toEqual([
    [2, 'has 1 cells and not 2 (see --ragged)'],
    [3, 'has 3 cells and not 2 (see --ragged)'],
    [4, 'has bytes that are not of its encoding (files of Windows programs often need --encoding windows-1252)'],
    [5, 'is longer than 262144 characters'],
    [7, ['1', '2']],
  ])
})

test('a byte order mark, another delimiter and given column names are understood', async () => {
  expect(await csv('\uFEFFa;b\n1;2\n', { delimiter: ';' })).toEqual([{ line: 2, columns: ['a', 'b'], cells: ['1', '2'] }])
  expect(await csv('1,2\n', { columns: ['a', 'b'] })).toEqual([{ line: 1, columns: ['a', 'b'], cells: ['1', '2'] }])
  await expect(csv('a,a\n1,2\n')).rejects.toThrow('the header row has "a" twice')
})

test('JSON lines must be objects, and integers beyond 2^53 keep their digits', async () => {
  const rows = await json('{"b":9007199254740993,"a":{"x":1.5}}\n\n[1]\nnull\n{"a":\n{"a":1}')
  expect(rows).toEqual([
    { line: 1, columns: ['a', 'b'], cells: [{ x: 1.5 }, '9007199254740993'] },
    { line: 3, reason: 'is not a JSON object', text: '[1]' },
    { line: 4, reason: 'is not a JSON object', text: 'null' },
    { line: 5, reason: 'is not JSON', text: '{"a":' },
    { line: 6, columns: ['a'], cells: [1] },
  ])
})

test('the id is a UUIDv8 of the content, whatever the line, the order of keys or the rules', async () => {
  const [one, other] = (await json('{"a":1,"b":{"x":1,"y":2}}\n{"b":{"y":2,"x":1},"a":1}')) as [Row, Row]
  expect(eventIdOf(one)).toBe(eventIdOf(other))
  expect(eventIdOf(one)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const ids = [row({ a: '1', b: '' }), row({ a: '', b: '1' }), row({ a: '1', c: '' }), row({ a: 1, b: '' })].map(eventIdOf)
  expect(new Set(ids).size).toBe(4)
})

test('a time at any offset is the same instant in UTC', () => {
  const instant = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) })
  fc.assert(
    fc.property(instant, fc.integer({ min: -14 * 60, max: 14 * 60 }), fc.boolean(), (ms, offsetMinutes, isWritten) => {
      const local = instantOf(ms + offsetMinutes * 60_000)
      if (local.length > 24 || local.startsWith('1969')) return
      const size = Math.abs(offsetMinutes)
      const offset = `${offsetMinutes < 0 ? '-' : '+'}${String(Math.floor(size / 60)).padStart(2, '0')}:${String(size % 60).padStart(2, '0')}`
      const text = local.replace('T', ' ').replace('Z', isWritten ? offset : '')
      expect(readInstant(text, { offsetMinutes: isWritten ? 0 : offsetMinutesOf(offset) })).toBe(instantOf(ms))
    }),
  )
})

test.each([
  ['2022-12-01 00:00:00 UTC', '2022-12-01T00:00:00.000Z'],
  ['2022-12-01 10:30', '2022-12-01T10:30:00.000Z'],
  ['2022-12-01', '2022-12-01T00:00:00.000Z'],
  ['2022-12-01T10:30:00.1234567+05:30', '2022-12-01T05:00:00.123Z'],
  ['2022-12-01 10:30:00+02', '2022-12-01T08:30:00.000Z'],
  ['2022-02-30', undefined],
  ['2022-12-01 24:00', undefined],
  ['2022-12-01 10:30 CEST', undefined],
  ['01.12.2022', undefined],
  ['1669852800', '2022-12-01T00:00:00.000Z'],
  ['1669', undefined],
])('%s is read as %s', (text, instant) => {
  expect(readInstant(text, UTC)).toEqual(instant ?? { reason: expect.stringContaining(`"${text}" is not a time`) })
})

test('numbers are times in the given unit', () => {
  expect(readInstant('1669852800.25', { ...UTC, unit: 's' })).toBe('2022-12-01T00:00:00.250Z')
  expect(readInstant('1669852800250', { ...UTC, unit: 'ms' })).toBe('2022-12-01T00:00:00.250Z')
})

test('the first rule that applies and has a value wins, whatever its kind', () => {
  const rules = [
    ruleOf('set', 'event_type=return_product if Number ^= C'),
    ruleOf('map', 'event_type=kind if Quantity >= 0.5 and "is, odd" is not empty'),
    ruleOf('set', 'event_type=purchase if Quantity > 0'),
    ruleOf('map', 'ref_id=ref_id'),
    ruleOf('map', 'session_id=Number if Customer is empty'),
    ruleOf('map', 'account_id=Customer'),
    ruleOf('map', 'occurred_at=occurred_at'),
  ]
  const cells = { ...EVENT, Number: '7', Quantity: '2', kind: 'view', 'is, odd': '', Customer: 'c' }
  expect(map(rules, cells)).toMatchObject({ event_type: 'purchase', account_id: 'c', ref_type: 'Product' })
  expect(map(rules, { ...cells, Customer: '' })).toMatchObject({ session_id: '7' })
  expect(map(rules, { ...cells, 'is, odd': 'x' })).toMatchObject({ event_type: 'view' })
  expect(map(rules, { ...cells, 'is, odd': 'x', kind: '' })).toMatchObject({ event_type: 'purchase' })
  expect(map(rules, { ...cells, Number: 'C7', Quantity: '-2' })).toMatchObject({ event_type: 'return_product' })
  const nothing = { field: 'event_type', reason: 'no rule gives event_type a value' }
  expect(map(rules, { ...cells, Quantity: '-2' })).toEqual(nothing)
  expect(map(rules, { ...cells, Quantity: '' })).toEqual(nothing)
})

test('quoted values may contain separators of conditions', () => {
  const rules = [ruleOf('set', 'event_type=view if shelf = "Toys and Games" and note != "a = b"')]
  expect(map(rules, { ...EVENT, event_type: '', shelf: 'Toys and Games', note: '' })).toMatchObject({ event_type: 'view' })
  expect(map(rules, { ...EVENT, event_type: '', shelf: 'Toys and Games', note: 'a = b' })).toMatchObject({ field: 'event_type' })
})

test('value maps change only the listed values, and may map them to nothing', () => {
  const values = ['event_type:cart=add_to_cart', 'event_type:noise=']
  expect(map([], { ...EVENT, event_type: 'cart' }, values)).toMatchObject({ event_type: 'add_to_cart' })
  expect(map([], EVENT, values)).toMatchObject({ event_type: 'view' })
  expect(map([], { ...EVENT, event_type: 'noise' }, values)).toMatchObject({ field: 'event_type' })
})

test('columns named like fields are those fields unless mapped, event_id only as a UUID', () => {
  const uuid = '0e3b1c1e-0000-4000-8000-000000000000'
  expect(map([], { ...EVENT, event_id: uuid, 'metadata.size': '42' })).toEqual({
    ...EVENT,
    occurred_at: '2026-03-01T12:00:00.000Z',
    ref_type: 'Product',
    event_id: uuid,
    metadata: { size: 42 },
  })
  expect(map([], { ...EVENT, event_id: '17' })).toMatchObject({ event_id: expect.stringMatching(/-8.{3}-/) })
  expect(map([ruleOf('map', 'ref_id=ref_id')], { ...EVENT, event_id: uuid })).toMatchObject({ field: 'event_type' })
  expect(
    map([ruleOf('map', 'event_id=no'), ...Object.keys(EVENT).map((name) => ruleOf('map', `${name}=${name}`))], {
      ...EVENT,
      no: '17',
    }),
  ).toMatchObject({
    event_id: '17',
  })
})

test('metadata may be JSON, single keys or both, and texts that look like numbers stay texts', () => {
  const rules = [ruleOf('set', 'metadata.shop=main'), ruleOf('set', 'metadata.zip=0042')]
  const metadata = { price: 2.5, shop: 'main', zip: '0042' }
  expect(map(rules, { ...EVENT, metadata: '{"price":2.5,"shop":"other"}' })).toMatchObject({ metadata })
  expect(map(rules, { ...EVENT, metadata: { price: 2.5 } })).toMatchObject({ metadata })
  expect(map(rules, { ...EVENT, metadata: '{' })).toEqual({ field: 'metadata', reason: 'is not JSON' })
})

test('a product is as old as its file and active, unless a rule says otherwise', () => {
  const kind = products({ priceDecimals: 2 })
  const rules = [
    ruleOf('map', 'product_id=sku', kind),
    ruleOf('map', 'name=title', kind),
    ruleOf('map', 'price=price', kind),
    ruleOf('map', 'quantity=stock', kind),
    ruleOf('map', 'updated_at=changed', kind),
    ruleOf('set', 'currency=EUR', kind),
    ruleOf('set', 'status=hidden if online = no', kind),
  ]
  const mapped = (cells: object) =>
    map(rules, { sku: '1', title: 'Lamp', price: '', stock: '', changed: '', online: '', ...cells }, [], kind)
  const lamp = { product_id: '1', name: 'Lamp', status: 'active', updated_at: '2026-03-01T00:00:00.000Z' }
  expect(mapped({})).toEqual(lamp)
  expect(mapped({ price: '19.9', stock: '7', changed: '2026-02-03', online: 'no' })).toEqual({
    ...lamp,
    price: 1_990,
    currency: 'EUR',
    quantity: 7,
    status: 'hidden',
    updated_at: '2026-02-03T00:00:00.000Z',
  })
  expect(mapped({ stock: '7.5' })).toMatchObject({ field: 'quantity' })
  expect(mapped({ price: 'free' })).toEqual({ field: 'price', reason: '"free" is not a price' })
  expect(mapped({ sku: '' })).toEqual({ field: 'product_id', reason: 'no rule gives product_id a value' })
  expect(() => ruleOf('map', 'event_type=x', kind)).toThrow(
    'event_type is not a field of a product; the fields are product_id, seller_id',
  )
})

test('every decimal price becomes the minor units of its digits', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 4 }), fc.nat({ max: 3 }), (price, decimals, zeros) => {
      const digits = String(price).padStart(decimals + 1, '0')
      const whole = digits.slice(0, digits.length - decimals)
      const fraction = digits.slice(digits.length - decimals) + '0'.repeat(zeros)
      const text = fraction === '' ? whole : `${whole}.${fraction}`
      const isAmbiguous = decimals < 3 && /^[1-9]\d{0,2}\.\d{3}$/.test(text)
      if (isAmbiguous) expect(readPrice(text, { decimals })).toMatchObject({ reason: expect.stringContaining('may be') })
      expect(readPrice(text, { decimals, ...(isAmbiguous && { mark: '.' }) })).toBe(price)
      const asNumber = readPrice(Number(text), { decimals })
      if (price < 1e15) expect(asNumber).toBe(price)
      else if (asNumber !== price) expect(asNumber).toMatchObject({ reason: expect.stringMatching(/digits|beyond/) })
    }),
  )
})

test.each([
  ['19.999', 2, 'more than 2 decimals'],
  ['19.990', 2, 'may be 19990 or 19.99'],
  ['19.9', undefined, 'is not in minor units (for decimal prices give --price-decimals)'],
  ['19,90', 2, 'is not a price'],
  ['-1', 2, 'is not a price'],
  ['1e3', 2, 'is not a price'],
  ['90071992547409.92', 2, 'is beyond 2^53 - 1 minor units'],
  [true, 2, 'is not a price'],
])('%s with %s decimals is rejected as a price', (cell, decimals, reason) => {
  expect(readPrice(cell, { decimals })).toMatchObject({ reason: expect.stringContaining(reason) })
})

test.each([
  ['map', 'price=x', 'price is not a field of an interaction'],
  ['map', 'ref_id', 'a rule is FIELD=COLUMN [if CONDITION]'],
  ['set', 'ref_id=', 'a rule is FIELD=VALUE [if CONDITION]'],
  ['set', 'ref_id=x if Quantity', 'a condition is COLUMN = VALUE'],
  ['set', 'ref_id=x if a = 1 and b', 'a condition is COLUMN = VALUE'],
  ['set', 'ref_id=x if a == 1', 'a condition is COLUMN = VALUE'],
  ['set', 'ref_id=x if a > many', '> compares numbers, and "many" is not a number'],
] as const)('--%s %s is refused with one sentence', (kind, text, sentence) => {
  expect(() => ruleOf(kind, text)).toThrow(sentence)
  expect(() => ruleOf(kind, text)).toThrow(StartError)
})

test('without a terminal at most one line is printed every ten seconds', () => {
  const lines: string[] = []
  let now = 0
  const progress = linesOn(
    (line) => lines.push(line),
    () => now,
  )
  for (; now <= 20_000; now += 500) progress.report({ bytes: now, bytesTotal: 40_000, rows: now * 2 })
  expect(lines).toEqual(['25 %: 20,000 rows, 2,000 rows/s, 30 s left', '50 %: 40,000 rows, 2,000 rows/s, 20 s left'])
})
