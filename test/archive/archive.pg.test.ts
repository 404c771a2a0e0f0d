import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { archiveMonth } from '../../services/archive/archive-month.ts'
import { archivedMonths, folderOf, readManifest } from '../../services/archive/manifest.ts'
import { type ArchiveFormat, FORMATS } from '../../services/archive/part-format.ts'
import { restoreMonth } from '../../services/archive/restore-month.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { type ArchiveStore } from '../../src/external/archive-store.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { LOG_TABLES, makePartitions, monthOf } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { freshPgTest } from '../harness/fixtures.ts'
import { erase, exported } from '../harness/items/erased.ts'
import { interaction, recordAndCount, recordNewSearches, search } from '../harness/items/events.ts'
import { newCall, payment } from '../harness/items/payments.ts'
import { analyticsEvent, recordEvents } from '../harness/items/recomputed.ts'

const DAYS = 32
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2
const OLD_MS = NOON - 100 * DAY_MS
const MONTH = monthOf(OLD_MS)
const restoredName = (table: string) => `restored.${table}_${MONTH.replace('-', '_')}`
/** More digits than a number of JavaScript has. */
const BIG = '12345678901234567890123'

const test = freshPgTest.extend('store', async ({}, { onCleanup }) => {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-archive-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  return createFolderArchive(folder)
})

test.beforeEach(({ db }) => makePartitions(db, [MONTH, monthOf(NOON - 5 * DAY_MS)]))

/** Events of some shoppers in a month that is dropped, with everything that a row can have, and of today. */
async function populate(db: Database): Promise<void> {
  const rows = [OLD_MS, NOON - 5 * DAY_MS].flatMap((fromMs) =>
    Array.from({ length: 25 }, (_, n) =>
      interaction({
        refId: `p${n % 4}`,
        eventType: ['view', 'purchase', 'rating_high', 'unheard_of'][n % 4]!,
        accountId: n % 10 === 0 ? null : ['lovelace', 'bob', 'ünïcode "quoted" \\ 😀'][n % 3]!,
        sessionId: n % 2 === 0 ? `tab-${n % 6}` : null,
        accountNumber: n % 3 === 0 ? 9007199254740993n : null,
        ipAddress: n % 2 === 0 ? '203.0.113.7' : null,
        userAgent: n % 4 === 0 ? `Browser,"sealed":"x"} of ${n}` : null,
        metadata: n % 4 === 2 ? { rating: 5, note: 'somebody ate,"personal":{}' } : undefined,
        occurredAtMs: fromMs - n * 1_000,
      } as never),
    ),
  )
  await recordAndCount(db, rows)
  const searches = await recordNewSearches(
    db,
    [OLD_MS, NOON].flatMap((ms) => [
      search({ query: ' Red  LAMP ', accountId: 'lovelace', productIds: ['p0', 'p1'], occurredAtMs: ms - 5_000 }),
      search({ query: 'lamp', accountId: null, sessionId: 'tab-2', occurredAtMs: ms - 6_000 }),
      search({ query: 'A "LAMP" of \\ nobody', accountId: null, occurredAtMs: ms - 7_000 }),
    ]),
  )
  await countBatch(db, searches)
  await recordEvents(db, [
    analyticsEvent({ entityId: 'lovelace', occurredAtMs: OLD_MS, amount: 100, currency: 'EUR', payload: { note: 'a "note"' } }),
    analyticsEvent({
      entityId: 'gate 7',
      occurredAtMs: OLD_MS - 1_000,
      processingMs: 12,
      payload: { by: [{ who: 'lovelace' }] },
    }),
    analyticsEvent({
      entityId: 'gate 7',
      occurredAtMs: OLD_MS - 2_000,
      payload: { by: ['bob', 'a "note"', ''], n: [1.5, null] },
    }),
    analyticsEvent({ entityId: 'gate 8', occurredAtMs: OLD_MS - 3_000, payload: { n: 7, long: 'x'.repeat(300) } }),
    analyticsEvent({ entityId: 'gate 8', occurredAtMs: OLD_MS - 4_000, status: 'failed', payload: undefined }),
  ])
  // Its event is about an order, which an erasure leaves as it is.
  await recordPayments(db, newCall(), [payment({ accountId: null, status: 'failed', occurredAtMs: OLD_MS - 5_000 })], [])
  await sql`update interaction set metadata = ${`{"n": ${BIG}, "x": 1.10}`}::jsonb where ref_id = 'p3'`.execute(db)
  await sql`
    update interaction set category = 'lämps', brand = 'b', sent_at = occurred_at + interval '3.004 s'
    where ref_id = 'p2' and occurred_at < now() - interval '60 days'`.execute(db)
  await sql`update search set sent_at = occurred_at - interval '1 s' where query = 'lamp'`.execute(db)
  await sql`
    update analytics_event set payload = ${`{"n": ${BIG}, "x": 1.10, "q": "\\",\\"sealed\\":\\"x\\"}"}`}::jsonb where entity_id = 'gate 8' and payload is not null`.execute(
    db,
  )
}

/** The rows of a table and month, as texts. */
async function rowsOf(db: Database, table: string): Promise<string[]> {
  const { rows } = await sql<{ row: string }>`
    select t::text as row from ${sql.table(table)} t where to_char(occurred_at at time zone 'UTC', 'YYYY-MM') = ${MONTH}
    order by occurred_at, t::text`.execute(db)
  return rows.map(({ row }) => row)
}

async function allRows(db: Database, nameOf: (table: string) => string): Promise<string[][]> {
  const rows: string[][] = []
  for (const table of LOG_TABLES) rows.push(await rowsOf(db, nameOf(table)))
  return rows
}

/** The columns that no row has a value in: equal rows prove nothing about them. */
async function emptyColumns(db: Database, table: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select attname as name from pg_attribute where attrelid = ${table}::regclass and attnum > 0 and not attisdropped
    except select jsonb_object_keys(jsonb_strip_nulls(to_jsonb(t))) from ${sql.table(table)} t
    where to_char(occurred_at at time zone 'UTC', 'YYYY-MM') = ${MONTH}`.execute(db)
  return rows.map(({ name }) => name)
}

const archiving =
  (db: Database, store: ArchiveStore, format: ArchiveFormat = 'jsonl.gz') =>
  (table: (typeof LOG_TABLES)[number], month: string) =>
    archiveMonth({ db, store, format, partRows: 10 }, table, month)

async function restoreAll(db: Database, store: ArchiveStore): Promise<void> {
  for await (const manifest of archivedMonths(store)) await restoreMonth(db, store, manifest)
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

    await restoreAll(db, store)
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

test('the archive names no shopper, and nothing of them can be read in it', async ({ db, store }) => {
  await populate(db)
  await dropOldMonths(db, DAYS, archiving(db, store))
  const texts = await textsOf(store)
  expect(texts.length).toBeGreaterThan(5)
  for (const secret of ['lovelace', 'bob', 'ünï', 'tab-', '9007199254740993', BIG, 'Browser', '203.0.113.7"', 'Red  LAMP']) {
    // Rows of no shopper stay as they are, as an erasure leaves them.
    const isFound = texts
      .flatMap((text) => text.split('\n'))
      .filter((line) => line.includes(secret) && !line.includes('"personal":'))
    expect([secret, isFound]).toEqual([secret, []])
  }
})

for (const order of ['archived', 'restored'] as const) {
  test(`a person who is erased when a month is ${order} is nowhere in it, and the numbers stay`, async ({ db, store }) => {
    await populate(db)
    await dropOldMonths(db, DAYS, archiving(db, store))
    if (order === 'restored') await restoreAll(db, store)
    const { certificate } = await erase(db, 'account:lovelace')
    expect(certificate!.tables).toMatchObject({ archive_shopper: 3 })
    if (order === 'archived') await restoreAll(db, store)
    else expect(certificate!.tables).toMatchObject({ restored: 11 })
    for (const table of LOG_TABLES) {
      const rows = await rowsOf(db, restoredName(table))
      expect(rows.filter((row) => /lovelace/.test(row))).toEqual([])
      expect(rows.filter((row) => /erased-[0-9a-f]{32}/.test(row)).length).toBeGreaterThan(0)
    }
    const { rows } = await sql<{ account: string; about: number; sessions: number }>`
      select case when account_id ~ '^erased-' then 'erased' else account_id end as account,
        count(coalesce(account_number::text, ip_address::text, user_agent))::int as about, count(session_id)::int as sessions
      from ${sql.table(restoredName('interaction'))} where account_id is not null group by 1 order by 1`.execute(db)
    expect(rows.find(({ account }) => account === 'erased')).toMatchObject({ about: 0, sessions: 0 })
    expect(rows.find(({ account }) => account === 'bob')!.about).toBeGreaterThan(0)
    // What numbers are made of stays.
    const stars = await sql`select metadata::text as kept from ${sql.table(restoredName('interaction'))}
      where account_id ~ '^erased-' and metadata is not null group by 1`.execute(db)
    expect(stars.rows).toEqual([{ kept: '{"rating": 5}' }])
    // A payload goes when the person is its entity or a text in it.
    const events = await sql`
      select regexp_replace(entity_id, '^erased-.*', 'erased') as entity, payload is not null as "hasPayload"
      from ${sql.table(restoredName('analytics_event'))} order by occurred_at desc`.execute(db)
    expect(events.rows.map((row) => Object.values(row as object))).toEqual([
      ...[
        ['erased', false],
        ['gate 7', false],
        ['gate 7', true],
      ],
      ...[
        ['gate 8', true],
        ['gate 8', false],
        ['order-1', true],
      ],
    ])
    const { rows: keys } =
      await sql`select from archive_shopper where shopper_id in ('account:lovelace', 'entity:lovelace')`.execute(db)
    expect(keys).toEqual([])
    expect(await exported(db, 'account:lovelace')).toEqual([])
    expect(await verify(db)).toMatchObject({ drift: [], restored_months: 2 })
  })
}

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

async function textsOf(store: ArchiveStore): Promise<string[]> {
  const texts: string[] = []
  for await (const { name } of store.list('')) {
    const bytes = await readFile(join(store.place, name))
    texts.push(name.endsWith('.gz') ? gunzipSync(bytes).toString() : bytes.toString())
  }
  return texts
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
