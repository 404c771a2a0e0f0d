import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { ArchiveStore } from '../../src/external/archive-store.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { LOG_TABLES } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { erase, exported } from '../harness/items/erased.ts'
import { archiveTest as test, archiving, BIG, DAYS, populate, restoreAll, restoredName, rowsOf } from './old-month.ts'

test('the archive names no shopper, and nothing of them can be read in it', async ({ db, store }) => {
  await populate(db)
  await dropOldMonths(db, DAYS, archiving(db, store))
  const texts = await textsOf(store)
  expect(texts.length).toBeGreaterThan(5)
  // A short name is looked for as a word, because sealed bytes have three letters by chance.
  for (const secret of ['lovelace', /\bbob\b/, 'ünï', 'tab-', '9007199254740993', BIG, 'Browser', '203.0.113.7"', 'Red  LAMP']) {
    // Rows of no shopper stay as they are, as an erasure leaves them.
    const isFound = texts
      .flatMap((text) => text.split('\n'))
      .filter((line) => (typeof secret === 'string' ? line.includes(secret) : secret.test(line)) && !line.includes('"personal":'))
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

/** A store whose use waits: `reached` resolves at its beginning, and it goes on after `open`. */
function gated(store: ArchiveStore, use: 'put' | 'read'): { store: ArchiveStore; reached: Promise<void>; open: () => void } {
  const reached = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<void>()
  const wait = async () => {
    reached.resolve()
    await opened.promise
  }
  const waiting: ArchiveStore = {
    ...store,
    put: async (name, chunks) => {
      if (use === 'put') await wait()
      await store.put(name, chunks)
    },
    read: async (name) => {
      if (use === 'read' && name.includes('part-')) await wait()
      return store.read(name)
    },
  }
  return { store: waiting, reached: reached.promise, open: opened.resolve }
}

async function isNowhere(db: Database): Promise<void> {
  for (const table of LOG_TABLES)
    expect((await rowsOf(db, restoredName(table))).filter((row) => /lovelace/.test(row))).toEqual([])
  expect((await sql`select from archive_shopper where shopper_id ~ 'lovelace'`.execute(db)).rows).toEqual([])
  expect(await verify(db)).toMatchObject({ drift: [], restored_months: 2 })
}

test('an erasure waits for the part that a restore has begun, and finds its rows', async ({ db, store }) => {
  await populate(db)
  await dropOldMonths(db, DAYS, archiving(db, store))
  const { store: slow, reached, open } = gated(store, 'read')
  const restoring = restoreAll(db, slow)
  await reached
  let isErased = false
  const erasing = erase(db, 'account:lovelace').then(() => (isErased = true))
  await untilWaiting(db)
  expect(isErased).toBe(false)
  open()
  await Promise.all([restoring, erasing])
  await isNowhere(db)
})

test('an erasure during an archive leaves no row of the person in it', async ({ db, store }) => {
  await populate(db)
  const { store: slow, reached, open } = gated(store, 'put')
  const dropping = dropOldMonths(db, DAYS, archiving(db, slow))
  await reached
  await erase(db, 'account:lovelace')
  open()
  await dropping
  await restoreAll(db, store)
  await isNowhere(db)
})

/** Until a statement waits for the keys. */
async function untilWaiting(db: Database): Promise<void> {
  const isWaiting = async () =>
    (await sql`select from pg_locks where relation = 'archive_shopper'::regclass and not granted`.execute(db)).rows.length > 0
  expect(await until(isWaiting, 20_000)).toBe(true)
}

async function textsOf(store: ArchiveStore): Promise<string[]> {
  const texts: string[] = []
  for await (const { name } of store.list('')) {
    const bytes = await readFile(join(store.place, name))
    texts.push(name.endsWith('.gz') ? gunzipSync(bytes).toString() : bytes.toString())
  }
  return texts
}
