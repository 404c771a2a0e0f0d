import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { INTERACTIONS } from '../../src/cli/import/mapping/interactions.ts'
import type { Item, ItemKind } from '../../src/cli/import/mapping/item-kind.ts'
import { mappingOf } from '../../src/cli/import/mapping/mapping.ts'
import { createRowMapper } from '../../src/cli/import/mapping/row-mapper.ts'
import { withDefaults } from '../../src/cli/import/mapping/rule.ts'
import { previewOf } from '../../src/cli/import/preview.ts'
import { createOccurrenceCounter, type RowHash } from '../../src/cli/import/repeats/occurrences.ts'
import { numberedRowsOf } from '../../src/cli/import/repeats/numbered-rows.ts'
import type { IdenticalRows } from '../../src/cli/import/rows-to-import.ts'
import { runImport } from '../../src/cli/import/run.ts'
import { sourceFileOf } from '../../src/cli/import/source/source-file.ts'
import { mapFile } from '../harness/items/mapped-files.ts'

const SEPARATE = ['--identical-rows', 'separate']
const HEADER = 'occurred_at,event_type,account_id,ref_id'
const VIEW = '2026-03-01T12:00:00Z,view,a,p'
const CART = '2026-03-01T12:00:00Z,add_to_cart,a,p'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'footfall-repeats-'))
  return () => rmSync(folder, { recursive: true, force: true })
})

/** How many-th of its kind each hash is. */
async function numbersOf(hashes: readonly RowHash[]): Promise<(number | undefined)[]> {
  const counter = createOccurrenceCounter(folder)
  for (const hash of hashes) counter.add(hash)
  const occurrences = await counter.finish()
  const numbers = hashes.map((hash) => occurrences.next(() => hash))
  occurrences.close()
  return numbers
}

/** The same by a Map of all hashes. */
function numbersByMap(hashes: readonly RowHash[]): number[] {
  const counts = new Map<string, number>()
  return hashes.map((hash) => {
    const key = hash.join()
    counts.set(key, (counts.get(key) ?? 0) + 1)
    return counts.get(key)!
  })
}

describe('equal hashes are numbered in their order', () => {
  const word = fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1)

  test('in every list of few different ones', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(word, word, word), { maxLength: 300 }), async (hashes) => {
        expect(await numbersOf(hashes)).toEqual(numbersByMap(hashes))
      }),
    )
  })

  test('when most of them are in the temporary file, one of them in every second row', async () => {
    const random = (place: number, salt: number) => Math.imul(place * 2 + salt, 0x9e3779b1) >>> 0
    const hashes = Array.from({ length: 600_000 }, (_each, place): RowHash => {
      const kind = place % 2 === 0 ? 0 : place % 250_000
      return [random(kind, 1), random(kind, 3), random(kind, 5)]
    })
    expect(await numbersOf(hashes)).toEqual(numbersByMap(hashes))
    expect(readdirSync(folder)).toEqual([])
  })
})

test('no temporary file has a name, however an import ends', () => {
  const counter = createOccurrenceCounter(folder)
  for (let row = 0; row < 5_000; row++) counter.add([1, 2, 3])
  expect(readdirSync(folder)).toEqual([])
  counter.close()
})

test('a folder that cannot be written is named with what to do', async () => {
  const missing = join(folder, 'missing')
  const counter = createOccurrenceCounter(missing)
  const add = () => Array.from({ length: 5_000 }, () => counter.add([1, 2, 3]))
  expect(add).toThrow(`The folder ${missing} cannot be written: there is no such file or folder. Equal rows are counted in`)
  await expect(mapFile('a.csv', `${HEADER}\n${VIEW}`, [...SEPARATE, '--temp-folder', missing])).rejects.toThrow(
    '--temp-folder names another folder',
  )
})

describe('--identical-rows separate', () => {
  const file = [HEADER, VIEW, CART, VIEW, VIEW].join('\n')

  test('makes an event of each row, and the first of equal ones keeps the id that it has otherwise', async () => {
    const one = await mapFile('a.csv', file)
    const separate = await mapFile('a.csv', file, SEPARATE)
    expect(one).toMatchObject({ duplicates: 2, refused: [] })
    expect(separate).toMatchObject({ duplicates: 0, refused: [] })
    expect(separate.items.slice(0, 2)).toEqual(one.items)
    expect(new Set(separate.items.map(({ event_id: id }) => id)).size).toBe(4)
    expect(separate.items.map(({ event_type: type }) => type)).toEqual(['view', 'add_to_cart', 'view', 'view'])
  })

  test.each([
    ['another dialect', [HEADER, CART, '', VIEW, VIEW, VIEW].join('\r\n').replaceAll(',', ';')],
    ['a broken row between them', [HEADER, VIEW, 'a,b', VIEW, `"${VIEW}`, CART, VIEW].join('\n')],
  ])('gives equal rows the same ids in %s', async (_name, other) => {
    const idsOf = (items: Item[]) => items.map((item) => item['event_id'] as string).sort()
    const [one, two] = [await mapFile('a.csv', file, SEPARATE), await mapFile('b.txt', other, SEPARATE)]
    expect(idsOf(two.items)).toEqual(idsOf(one.items))
  })

  test('tells apart the elements of a list in equal records', async () => {
    const record = JSON.stringify({ at: '2026-03-01T12:00:00Z', user: 'a', lines: [{ sku: 'p' }, { sku: 'p' }] })
    const rules = [
      '--map',
      'occurred_at=at',
      '--map',
      'account_id=user',
      '--map',
      'ref_id=lines[].sku',
      '--set',
      'event_type=view',
    ]
    const one = await mapFile('a.jsonl', `${record}\n${record}\n`, rules)
    const separate = await mapFile('a.jsonl', `${record}\n${record}\n`, [...rules, ...SEPARATE])
    expect(one).toMatchObject({ duplicates: 2 })
    expect(separate).toMatchObject({ duplicates: 0 })
    expect(separate.items.slice(0, 2)).toEqual(one.items)
    expect(separate.items.length).toBe(4)
  })

  test('leaves ids that rows have', async () => {
    const id = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
    const withId = `event_id,${HEADER}\n${id},${VIEW}\n${id},${VIEW}\n,${VIEW}\n,${VIEW}`
    const { items, duplicates } = await mapFile('a.csv', withId, SEPARATE)
    expect(duplicates).toBe(1)
    expect(items.map(({ event_id: each }) => each === id)).toEqual([true, false, false])
    const withKey = await mapFile('a.csv', `key,${HEADER}\nk,${VIEW}\nk,${VIEW}`, [
      ...SEPARATE,
      ...['event_key=key', ...HEADER.split(',').map((name) => `${name}=${name}`)].flatMap((rule) => ['--map', rule]),
    ])
    expect(withKey.duplicates).toBe(1)
    expect(withKey.items).toMatchObject([{ event_key: 'k' }])
    expect(withKey.items[0]).not.toHaveProperty('event_id')
  })

  test('is what a dry run shows', async () => {
    const path = join(folder, 'a.csv')
    writeFileSync(path, file)
    const source = await sourceFileOf(path, {})
    const mapping = mappingOf(withDefaults([], HEADER.split(','), INTERACTIONS), {
      kind: INTERACTIONS,
      values: new Map(),
      time: { offsetMinutes: 0 },
    })
    const preview = (identicalRows: IdenticalRows) =>
      previewOf(source, {
        kind: INTERACTIONS,
        mapRecord: createRowMapper(mapping),
        nowMs: Date.parse('2026-03-02T00:00:00Z'),
        reading: { identicalRows, tempFolder: join(folder, 'missing') },
      })
    expect(await preview('one')).toMatchObject({ rows: 4, repeated: 2 })
    expect(await preview('separate')).toMatchObject({ rows: 4, repeated: 0 })
  })

  test('is refused for products', async () => {
    await expect(mapFile('a.csv', 'product_id,name\na,A', ['--products', ...SEPARATE])).rejects.toThrow(
      '--identical-rows separate is for interactions',
    )
  })
})

describe('a file that changes between its two readings', () => {
  const path = () => join(folder, 'a.csv')
  const read = async (change: () => void) => {
    writeFileSync(path(), [HEADER, VIEW, CART, CART, ''].join('\n'))
    const file = await sourceFileOf(path(), {})
    for await (const { rows } of numberedRowsOf(file, { folder, onCounted: change })) expect(rows.length).toBeLessThan(5)
  }

  test.each([
    ['grows', () => appendFileSync(path(), `${VIEW}\n`)],
    ['shrinks', () => writeFileSync(path(), [HEADER, VIEW, CART].join('\n'))],
    ['has another row where an equal one was', () => writeFileSync(path(), [HEADER, VIEW, CART, VIEW, ''].join('\n'))],
  ])('ends the import when it %s', async (_name, change) => {
    await expect(read(change)).rejects.toThrow(`${path()} changed while it was read`)
  })
})

test('an interruption ends the counting', async () => {
  writeFileSync(join(folder, 'a.csv'), [HEADER, VIEW].join('\n'))
  const rows = numberedRowsOf(await sourceFileOf(join(folder, 'a.csv'), {}), { folder, signal: AbortSignal.abort() })
  await expect(rows.next()).rejects.toThrow('aborted')
})

describe('an import', () => {
  const health = createServer((_request, response) => response.end())
  beforeAll(() => new Promise<void>((resolve) => void health.listen(0, '127.0.0.1', resolve)))
  afterAll(() => new Promise((resolve) => void health.close(resolve)))

  /** What an import sends, in the order of the file. */
  async function sent(path: string, batchRows: number): Promise<unknown[]> {
    const batches: Item[][] = []
    const record: ItemKind['record'] = async (_ingress, items) => {
      batches.push(items)
      return { accepted: items.length, duplicates: 0, duplicate_indexes: [], rejected: [] }
    }
    await runImport(
      {
        kind: { ...INTERACTIONS, record },
        paths: [path],
        form: {},
        rules: [],
        values: new Map(),
        time: { offsetMinutes: 0 },
        mayMissColumns: false,
        identicalRows: 'separate',
        tempFolder: folder,
        ingressUrl: `http://127.0.0.1:${(health.address() as AddressInfo).port}`,
        batchRows,
        inFlightMax: 1,
        patienceMs: 1_000,
        rejectedPath: join(folder, 'rejected.jsonl'),
      },
      { report: () => undefined, counting: () => undefined, stalled: () => undefined, stop: () => undefined },
    )
    return batches.flat()
  }

  test('gives every row the same id in batches of every size, and all rows different ids', async () => {
    const row = fc.tuple(fc.constantFrom('view', 'purchase'), fc.constantFrom('a', 'b'), fc.constantFrom('p', 'q'))
    const rows = fc.array(row, { minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }), async (rows, one, other) => {
        const path = join(folder, 'log.csv')
        writeFileSync(path, [HEADER, ...rows.map((cells) => `2026-03-01T12:00:00Z,${cells.join(',')}`)].join('\n'))
        const first = await sent(path, one)
        expect(await sent(path, other)).toEqual(first)
        expect(new Set(first.map((item) => (item as Item)['event_id'])).size).toBe(rows.length)
      }),
      { numRuns: 30 },
    )
  })
})
