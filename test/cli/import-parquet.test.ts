import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { SchemaElement, SchemaTree } from 'hyparquet'
import { describe, expect, test } from 'vitest'
import { converterOf } from '../../src/cli/import/parquet/values.ts'
import { isBroken } from '../../src/cli/import/source/row.ts'
import { rowsOf, sourceFileOf } from '../../src/cli/import/source/source-file.ts'
import { mapFile } from '../harness/items/mapped-files.ts'

/** The files of make.py, which other programs than the reader's authors have written. */
const bytesOf = (name: string) => readFile(join(import.meta.dirname, 'parquet', `${name}.parquet`))

/** Rows as objects, as JSON lines would have them. */
async function objectsOf(bytes: Uint8Array): Promise<Record<string, unknown>[]> {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-parquet-'))
  try {
    await writeFile(join(folder, 'a'), bytes)
    const objects: Record<string, unknown>[] = []
    for await (const { rows } of rowsOf(await sourceFileOf(join(folder, 'a'), {}))) {
      for (const row of rows) {
        if (isBroken(row)) throw new Error(row.reason)
        expect(row.line).toBe(objects.length + 1)
        expect(row.columns).toEqual([...row.columns].sort())
        objects.push(Object.fromEntries(row.columns.map((column, index) => [column, row.cells[index]])))
      }
    }
    return objects
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Each type with an ordinary and an extreme value. */
const TYPES: Record<string, [unknown, unknown]> = {
  text: ['Bücher 🛒', ''],
  large_text: ['a', 'b\nc'],
  category: ['x', 'y'],
  int8: [7, -128],
  uint8: [7, 255],
  int32: [7, -(2 ** 31)],
  uint32: [7, 2 ** 32 - 1],
  int64: [17850, '9223372036854775807'],
  uint64: [2 ** 53 - 1, '18446744073709551615'],
  float16: [0.5, -2],
  float32: [19.9, 3.4028235e38],
  float64: [19.9, null],
  infinite: ['Infinity', '-Infinity'],
  bool: [true, false],
  decimal: [19.9, -0.05],
  long_decimal: [1e-10, '-1234567890123456789012345678.9000000000'],
  whole_decimal: [120, -3],
  date: ['2026-03-01', '1969-12-31'],
  time_ms: ['12:00:01.005', '23:59:59.999'],
  time_us: ['12:00:01.000005', '00:00:00.000000'],
  utc_ms: ['2026-03-01T12:00:00.123Z', '1969-12-31T23:59:59.999Z'],
  utc_us: ['2026-03-01T12:00:00.123456Z', '1969-12-31T23:59:59.999999Z'],
  utc_ns: ['2026-03-01T12:00:00.123456789Z', '1969-12-31T23:59:59.999999999Z'],
  berlin_us: ['2026-03-01T12:00:00.123456Z', '2026-03-01T12:00:00.123456Z'],
  local_us: ['2026-03-01T12:00:00.123456', '2026-03-29T02:30:00.000000'],
  json: ['{"sku": "p"}', '{"sku": "q"}'],
  binary: ['plain', '0xff00'],
  fixed: ['0x0102', '0x6162'],
  uuid: ['3f2504e0-4f89-41d3-9a0c-0305e82c3301', '00000000-0000-0000-0000-000000000000'],
  list: [['a', null, 'b'], []],
  lists: [[[1], [], [2, '1152921504606846976']], [null]],
  object: [
    { id: 1, at: '2026-03-01T12:00:00.123456Z', tags: ['x'] },
    { id: null, at: null, tags: null },
  ],
  objects: [
    [
      { sku: 'p', price: 1.5 },
      { sku: 'q', price: null },
    ],
    [null],
  ],
  map: [{ a: 1, b: null }, {}],
  nothing: [null, null],
}

describe.each(['types', 'types-v2'])('%s.parquet', (name) => {
  const types = Object.keys(TYPES).filter((type) => name === 'types' || type !== 'float16')

  test.each(types)('has values of the type %s, none too', async (type) => {
    const objects = await objectsOf(await bytesOf(name))
    expect(objects.map((object) => object[type])).toEqual([...TYPES[type]!, null])
    expect(Object.keys(objects[0]!)).toEqual([...types].sort())
  })
})

describe('values of forms that these programs do not write', () => {
  const node = (element: Partial<SchemaElement>, children: SchemaTree[] = []): SchemaTree => ({
    element: { name: 'a', ...element },
    children,
    count: 1,
    path: ['a'],
  })
  const leaf = node({ name: 'b', type: 'INT64' })

  test.each<[string, SchemaTree, unknown, unknown]>([
    ['a list without a group', node({ type: 'INT64', repetition_type: 'REPEATED' }), [1n, 2n], [1, 2]],
    [
      'a list of objects without a group',
      node({ repetition_type: 'REPEATED' }, [leaf]),
      [{ b: 1n }, { b: null }],
      [{ b: 1 }, { b: null }],
    ],
    [
      'a list whose element repeats',
      node({ converted_type: 'LIST' }, [node({ type: 'INT64', repetition_type: 'REPEATED' })]),
      [1n],
      [1],
    ],
    ['a decimal of 32 bits', node({ type: 'INT32', converted_type: 'DECIMAL', scale: 2 }), -5, -0.05],
    ['a decimal of bytes', node({ type: 'BYTE_ARRAY', converted_type: 'DECIMAL', scale: 1 }), Uint8Array.of(0xff), -0.1],
    ['a decimal without bytes', node({ type: 'BYTE_ARRAY', converted_type: 'DECIMAL' }), Uint8Array.of(), 0],
    [
      'a time of nanoseconds',
      node({ type: 'INT64', logical_type: { type: 'TIME', isAdjustedToUTC: false, unit: 'NANOS' } }),
      1n,
      '00:00:00.000000001',
    ],
    [
      'a time beyond those of JavaScript',
      node({ type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' }),
      2n ** 62n,
      String(2n ** 62n),
    ],
    ['an interval', node({ type: 'FIXED_LEN_BYTE_ARRAY', converted_type: 'INTERVAL' }), Uint8Array.of(1, 0, 2), '0x010002'],
    [
      'a variant',
      node({ logical_type: { type: 'VARIANT' } }, [leaf]),
      { a: [1n, Number.NaN, new Date(0)] },
      { a: [1, null, '1970-01-01T00:00:00.000Z'] },
    ],
  ])('%s', (_name, tree, value, expected) => {
    expect(converterOf(tree)(value)).toEqual(expected)
  })
})

test('a time of 96 bits is in UTC', async () => {
  expect(await objectsOf(await bytesOf('int96'))).toEqual([
    { at: '2026-03-01T12:00:00.123456000Z' },
    { at: '1969-12-31T23:59:59.999999000Z' },
    { at: null },
  ])
})

test('a file without rows has none', async () => {
  expect(await objectsOf(await bytesOf('empty'))).toEqual([])
})

test('a file of DuckDB is read', async () => {
  const names = ['at', 'id', 'item', 'local', 'map', 'name', 'price', 'size', 'tags', 'uuid']
  expect(await objectsOf(await bytesOf('duckdb'))).toEqual([
    {
      id: 1,
      name: 'lamp',
      price: 12.5,
      local: '2026-03-01T12:00:00.123456',
      at: '2026-03-01T11:00:00.000000Z',
      tags: ['a', null],
      item: { sku: 'p', n: 2 },
      size: 'small',
      uuid: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
      map: { k: 1 },
    },
    Object.fromEntries(names.map((name) => [name, null])),
  ])
})

describe('rows over many pages and row groups', () => {
  /** The formula of make.py. */
  const itemsOf = (row: number) =>
    row % 11 === 0
      ? null
      : Array.from({ length: (row % 4) * (row % 7) }, (_each, place) => ({ sku: `p${row + place}`, count: place || null }))
  const expected = Array.from({ length: 300 }, (_each, row) => ({
    id: row,
    items: itemsOf(row),
    text: `${row} `.repeat(row % 9),
    user: row % 5 === 0 ? null : `user ${(row * 7919) % 50}`,
  }))

  test.each(['pages', 'pages-v2', 'pages-delta'])('%s.parquet', async (name) => {
    expect(await objectsOf(await bytesOf(name))).toEqual(expected)
  })
})

describe('events of Parquet', () => {
  const expected = [
    { event_type: 'view', account_id: 17850, ref_id: 'p', metadata: { price: 19.9 }, occurred_at: '2026-03-01T12:00:00.123Z' },
    { event_type: 'purchase', session_id: 's', ref_id: 'q', occurred_at: '2026-03-02T12:00:00.123Z' },
  ]

  test.each(['none', 'snappy', 'gzip', 'zstd', 'brotli'])('import alike, compressed with %s', async (codec) => {
    const { items, duplicates, refused, reading } = await mapFile('a.csv', await bytesOf(`events-${codec}`))
    expect(items).toMatchObject(expected)
    expect([duplicates, refused]).toEqual([1, []])
    expect(reading).toBe(`it is read as Parquet${codec === 'none' ? '' : `, compressed with ${codec}`}.`)
  })

  test('get the ids that the same rows get as JSON lines', async () => {
    const bytes = await bytesOf('events-snappy')
    const lines = (await objectsOf(bytes)).map((object) => JSON.stringify(object)).join('\n')
    const [parquet, json] = [await mapFile('a', bytes), await mapFile('a', lines)]
    expect(parquet.items).toEqual(json.items)
  })

  test('may be separate although their rows are equal', async () => {
    const { items, duplicates } = await mapFile('a', await bytesOf('events-zstd'), ['--identical-rows', 'separate'])
    expect([items.length, duplicates]).toEqual([3, 0])
  })

  test('come from lists and objects inside of rows', async () => {
    const rules = ['--map', 'ref_id=items[].sku', '--map', 'metadata.count=items[].count', '--map', 'session_id=id']
    const sets = ['--set', 'event_type=view', '--set', 'occurred_at=2026-03-01']
    const { items } = await mapFile('a', await bytesOf('pages'), [...rules, ...sets])
    expect(items.filter(({ session_id: id }) => id === 3).map(({ ref_id: id, metadata }) => [id, metadata])).toEqual(
      Array.from({ length: 9 }, (_each, place) => [`p${3 + place}`, place === 0 ? undefined : { count: place }]),
    )
  })

  test('come from texts of JSON, and from no path that lists and objects do not have', async () => {
    const rulesOf = (product: string) =>
      ['occurred_at=utc_us', 'account_id=int32', `ref_id=${product}`].flatMap((rule) => ['--map', rule])
    const sets = ['--set', 'event_type=view']
    const { items } = await mapFile('a', await bytesOf('types'), [...rulesOf('json.sku'), ...sets])
    expect(items.map(({ ref_id: id }) => id)).toEqual(['p'])
    await expect(mapFile('a', await bytesOf('types'), [...rulesOf('object.sku'), ...sets])).rejects.toThrow(
      'has no column "object.sku"',
    )
  })

  test('have local times with the zone of the option', async () => {
    const rules = ['occurred_at=local_us', 'account_id=text', 'ref_id=text'].flatMap((rule) => ['--map', rule])
    const { items } = await mapFile('a', await bytesOf('types'), [
      ...rules,
      '--set',
      'event_type=view',
      '--time-zone',
      'Europe/Berlin',
    ])
    expect(items).toMatchObject([{ occurred_at: '2026-03-01T11:00:00.123Z' }])
  })
})

describe('a Parquet file that cannot be read says why', () => {
  test.each<[string, () => Promise<Uint8Array>, string]>([
    ['its codec', () => bytesOf('events-lz4'), 'its column "occurred_at" is compressed with LZ4_RAW: write it with snappy, gzip'],
    ['its encryption', () => bytesOf('encrypted'), 'is an encrypted Parquet file: write it without encryption.'],
    ['its encrypted columns', () => bytesOf('encrypted-column'), 'some of its columns are encrypted: write it without'],
    [
      'its gzip',
      async () => gzipSync(await bytesOf('events-none')),
      'is Parquet compressed with gzip: decompress it with gunzip',
    ],
    ['its missing end', async () => (await bytesOf('pages')).subarray(0, 20_000), 'it is no whole Parquet file'],
    ['its length', async () => Buffer.from('PAR1'), 'it is no whole Parquet file'],
  ])('by %s', async (_name, bytes, sentence) => {
    await expect(mapFile('a.parquet', await bytes())).rejects.toThrow(sentence)
  })

  test('when it is damaged, unless a value is only another one then', async () => {
    const bytes = await bytesOf('types')
    let refused = 0
    for (let at = 4; at < bytes.length - 4; at += 61) {
      const damaged = Buffer.from(bytes)
      damaged.fill(0xff, at, at + 4)
      const objects = await objectsOf(damaged).catch((error: unknown) => error)
      if (!(objects instanceof Error)) continue
      expect(objects.message).toMatch(/ cannot be read: /)
      refused++
    }
    expect(refused).toBeGreaterThan(20)
  })
})
