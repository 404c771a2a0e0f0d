import { appendFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { archiveMonth } from '../../services/archive/archive-month.ts'
import { folderOf, readManifest } from '../../services/archive/manifest.ts'
import { FORMATS } from '../../services/archive/part-format.ts'
import { restoreMonth } from '../../services/archive/restore-month.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import { listArchives } from '../../src/store/archive/archived-month.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { LOG_TABLES } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { verify } from '../../src/store/proof/verification.ts'
import {
  allRows,
  archiveTest as test,
  archiving,
  BIG,
  DAYS,
  MONTH,
  populate,
  restoreAll,
  restoredName,
  rowsOf,
} from './old-month.ts'

/** The columns that no row has a value in: equal rows prove nothing about them. */
async function emptyColumns(db: Database, table: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select attname as name from pg_attribute where attrelid = ${table}::regclass and attnum > 0 and not attisdropped
    except select jsonb_object_keys(jsonb_strip_nulls(to_jsonb(t))) from ${sql.table(table)} t
    where to_char(occurred_at at time zone 'UTC', 'YYYY-MM') = ${MONTH}`.execute(db)
  return rows.map(({ name }) => name)
}

for (const format of FORMATS)
  test(`months are archived as ${format}, then dropped, and come back equal in tables of their own, with no drift`, async ({
    db,
    store,
  }) => {
    await populate(db)
    const before = await allRows(db, (table) => table)
    expect(before.map((rows) => rows.length)).toEqual([6, 25, 3])
    for (const table of LOG_TABLES) expect(await emptyColumns(db, table)).toEqual([])
    const { dropped, waiting } = await dropOldMonths(db, DAYS, archiving(db, store, format))
    expect([dropped.length, waiting]).toEqual([3, []])
    expect(await rowsOf(db, 'interaction')).toEqual([])
    const manifest = (await readManifest(store, 'interaction', MONTH))!
    expect(manifest).toMatchObject({ rows: 25, counts: { view: 7, purchase: 6, rating_high: 6, unheard_of: 6 } })
    expect(manifest.parts.map(({ rows }) => rows)).toEqual([10, 10, 5])
    expect((await verify(db)).drift).toEqual([])
    const archived = { month: MONTH, place: store.place, restored_at: null, parts: 3 }
    const first = await listArchives(db, { limit: 1 })
    expect(first).toMatchObject({ data: [{ ...archived, table: 'search', rows: 3, parts: 1 }], meta: {} })
    const rest = await listArchives(db, { limit: 2, cursor: first!.meta.next_cursor! })
    expect(rest).toMatchObject({
      data: [{ ...archived, table: 'interaction', rows: 25 }, { rows: 6 }],
      meta: { next_cursor: null },
    })
    expect(rest!.data[0]!.bytes).toBe(manifest.parts.reduce((sum, part) => sum + part.bytes, 0))

    await restoreAll(db, store)
    const isRestored = async () => (await listArchives(db, { limit: 9 }))!.data.map((month) => month.restored_at !== null)
    expect(await isRestored()).toEqual([true, true, true])
    expect(await allRows(db, restoredName)).toEqual(before)
    const { rows } = await sql<{ text: string; number: string }>`
    select max(metadata::text) as text, max(account_number)::text as number from ${sql.table(restoredName('interaction'))}
    where metadata ? 'n'`.execute(db)
    expect(rows).toEqual([{ text: `{"n": ${BIG}, "x": 1.10}`, number: '9007199254740993' }])
    expect(await verify(db)).toMatchObject({ drift: [], restored_months: 2, events: 28 })
    // A second restore and a second run of retention change nothing.
    await restoreAll(db, store)
    expect(await dropOldMonths(db, DAYS, archiving(db, store, format))).toEqual({ dropped: [], waiting: [] })
    expect(await allRows(db, restoredName)).toEqual(before)
    await sql`drop table ${sql.table(restoredName('search'))}`.execute(db)
    expect(await isRestored()).toEqual([false, true, true])
  })

test('a month that was begun in another archive is begun again', async ({ db, store }) => {
  await populate(db)
  const begun = { db, store, partRows: 10, stepMs: 0 }
  expect(await archiveMonth(begun, 'interaction', MONTH)).toBe(false)
  const other = createFolderArchive(join(store.place, 'other'))
  expect(await archiveMonth({ db, store: other }, 'interaction', MONTH)).toBe(true)
  expect((await readManifest(other, 'interaction', MONTH))?.rows).toBe(25)
  expect(await archiveMonth(begun, 'interaction', MONTH)).toBe(false)
})

test('verify replays restored months, and finds an hour that was changed', async ({ db, store }) => {
  await populate(db)
  await dropOldMonths(db, DAYS, archiving(db, store))
  await restoreAll(db, store)
  await sql`update ${sql.table(restoredName('search'))} set product_ids = '{p0}'`.execute(db)
  const found = (await verify(db)).drift.filter(({ aggregate }) => aggregate === 'product_hour')
  expect(found.map(({ key, column }) => [key['product_id'], key['event_type'], column])).toEqual([
    ['p', 'search_impression', '*'],
    ['p0', 'search_impression', 'events'],
    ['p1', 'search_impression', '*'],
  ])
  // A table that an operator dropped is not replayed, and can be restored again.
  await sql`drop table ${sql.table(restoredName('search'))}`.execute(db)
  expect(await verify(db)).toMatchObject({ drift: [], restored_months: 1 })
  await restoreAll(db, store)
  expect(await verify(db)).toMatchObject({ drift: [], restored_months: 2 })
})

test('a part that was changed, cut or lost is found, and its month is not dropped', async ({ db, store }) => {
  await populate(db)
  await archiveMonth({ db, store }, 'interaction', MONTH)
  const [part] = (await readManifest(store, 'interaction', MONTH))!.parts
  const path = join(store.place, part!.name)
  const good = await readFile(path)
  await appendFile(path, 'x')
  await expect(dropOldMonths(db, DAYS, archiving(db, store))).rejects.toThrow(/was changed|cannot be read/)
  await rm(path)
  await expect(dropOldMonths(db, DAYS, archiving(db, store))).rejects.toThrow('is missing')
  await store.put(part!.name, chunksOf(good.subarray(0, -20)))
  await expect(dropOldMonths(db, DAYS, archiving(db, store))).rejects.toThrow('cannot be read')
  const manifest = (await readManifest(store, 'interaction', MONTH))!
  await expect(restoreMonth(db, store, manifest)).rejects.toThrow('cannot be read')
  expect((await sql`select from ${sql.table(restoredName('interaction'))}`.execute(db)).rows).toHaveLength(0)
  expect(await rowsOf(db, 'interaction')).toHaveLength(25)
  await store.put(part!.name, chunksOf(good))
  expect((await dropOldMonths(db, DAYS, archiving(db, store))).dropped).toContain(`interaction_${MONTH.replace('-', '_')}`)
})

test('a month with other rows than its manifest is not dropped', async ({ db, store }) => {
  await populate(db)
  await archiveMonth({ db, store }, 'search', MONTH)
  await sql`delete from search where query = 'lamp' and occurred_at < now() - interval '60 days'`.execute(db)
  await expect(dropOldMonths(db, DAYS, archiving(db, store))).rejects.toThrow('the month is not dropped')
})

test('an archive that is stopped goes on after its last part, and removes what a killed attempt left', async ({ db, store }) => {
  await populate(db)
  const slow = (table: (typeof LOG_TABLES)[number], month: string) =>
    archiveMonth({ db, store, partRows: 10, stepMs: 0 }, table, month)
  const left = `${folderOf('interaction', MONTH)}part-00000-deadbeef.jsonl.gz`
  await store.put(left, chunksOf(Buffer.from('of a killed attempt')))
  let steps = 0
  for (let isArchiving: boolean | undefined = true; isArchiving; steps++) ({ isArchiving } = await dropOldMonths(db, DAYS, slow))
  expect(steps).toBe(6)
  expect(await readManifest(store, 'interaction', MONTH)).toMatchObject({ rows: 25 })
  expect(await store.read(left)).toBeUndefined()
  expect((await sql`select from archive_part`.execute(db)).rows).toEqual([])
})

test('a month that was archived after the instant to which the database was restored is not dropped, until it is archived again', async ({
  db,
  store,
}) => {
  await populate(db)
  await archiveMonth({ db, store }, 'interaction', MONTH)
  // As before the archive.
  for (const table of ['archived_month', 'archive_part', 'archive_shopper'])
    await sql`delete from ${sql.table(table)}`.execute(db)
  const again = () => archiveMonth({ db, store }, 'interaction', MONTH)
  await expect(again()).rejects.toThrow(/by a later state of this database.* move .* aside/)
  await rm(join(store.place, folderOf('interaction', MONTH)), { recursive: true })
  expect(await again()).toBe(true)
  const before = await rowsOf(db, 'interaction')
  await dropOldMonths(db, DAYS, archiving(db, store))
  await restoreAll(db, store)
  expect(await rowsOf(db, restoredName('interaction'))).toEqual(before)
})

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
