import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { expect, inject, onTestFinished } from 'vitest'
import { archiveMonth } from '../../services/archive/archive-month.ts'
import { archivedMonths } from '../../services/archive/manifest.ts'
import { restoreMonth } from '../../services/archive/restore-month.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import { restoredTable } from '../../src/store/archive/restored-month.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { erase } from '../harness/items/erased.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { createDatabase, type TestDatabase } from '../harness/servers/database.ts'

const OLD_MS = Date.now() - 100 * DAY_MS
const MONTH = monthOf(OLD_MS)
const RESTORED = restoredTable('interaction', MONTH)
const EVENTS = 10
const RETENTION_DAYS = 32
const PART_ROWS = 4
const MINUTES_MAX = 20
/** Of so many points one is a death, the first one at random. KILL_STRIDE=1 dies at every point. */
const STRIDES = { archive: 6, restore: 5, erase: 16 }
const stride = (work: keyof typeof STRIDES) => Number(process.env['KILL_STRIDE'] ?? STRIDES[work])
const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 2 ** 31)
console.log(`CRASH_SEED=${seed}`)

async function populate(db: Database): Promise<string[]> {
  await makePartitions(db, [MONTH], ['interaction'])
  const events = Array.from({ length: EVENTS }, (_, n) =>
    interaction({
      accountId: ['lovelace', 'bob', null][n % 3]!,
      sessionId: `tab-${n % 4}`,
      userAgent: `Browser ${n}`,
      metadata: { n },
      occurredAtMs: OLD_MS - n * 1_000,
    }),
  )
  await recordAndCount(db, events)
  return rowsIn(db, 'interaction')
}

async function rowsIn(db: Database, table: string): Promise<string[]> {
  const { rows } = await sql<{ row: string }>`
    select t::text as row from ${sql.table(table)} t where to_char(occurred_at at time zone 'UTC', 'YYYY-MM') = ${MONTH}
    order by occurred_at, event_id`.execute(db)
  return rows.map(({ row }) => row)
}

const archiveAll = (db: Database, folder: string) =>
  dropOldMonths(db, RETENTION_DAYS, (table, month) =>
    archiveMonth({ db, store: createFolderArchive(folder), partRows: PART_ROWS }, table, month),
  )

async function restoreAll(db: Database, folder: string): Promise<void> {
  const store = createFolderArchive(folder)
  for await (const manifest of archivedMonths(store)) await restoreMonth(db, store, manifest)
}

/** The files below the folder, and those that manifests name. */
async function filesIn(folder: string): Promise<{ stored: string[]; named: string[] }> {
  const store = createFolderArchive(folder)
  const stored: string[] = []
  for await (const { name } of store.list('log/')) stored.push(name)
  const named: string[] = []
  for await (const { table, month, parts } of archivedMonths(store))
    named.push(`log/${table}/${month}/manifest.json`, ...parts.map(({ name }) => name))
  return { stored: stored.sort(), named: named.sort() }
}

/** @returns whether the process lived to its end. */
async function isDone(work: string, at: { url: string; folder: string; point: number }): Promise<boolean> {
  const program = join(import.meta.dirname, 'killed-program.ts')
  try {
    await promisify(execFile)(process.execPath, [program, at.url, at.folder, work, String(at.point)])
    return true
  } catch (error) {
    expect(error).toMatchObject({ signal: 'SIGKILL' })
    return false
  }
}

/**
 * Kills the work at points, in copies of a database and of its archive that are as before, and lets `check` finish it.
 * @returns at how many points it died.
 */
async function killEverywhere(
  work: 'archive' | 'restore' | 'erase',
  { database, folder }: { database: TestDatabase; folder: string },
  check: (db: Database, folder: string) => Promise<void>,
): Promise<number> {
  const step = stride(work)
  for (let point = 1 + (seed % step), deaths = 0; ; point += step, deaths++) {
    const copy = await createDatabase(inject('postgresUrl'), database)
    const copied = `${folder}-${point}`
    try {
      await cp(folder, copied, { recursive: true })
      const isOver = await isDone(work, { url: copy.url, folder: copied, point })
      await check(copy.db, copied)
      if (isOver) return deaths
    } catch (cause) {
      throw new Error(`after a kill at point ${point} of ${work}`, { cause })
    } finally {
      await copy.drop()
      await rm(copied, { recursive: true, force: true })
    }
  }
}

async function newFolder(): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'footfall-archive-'))
  onTestFinished(() => rm(base, { recursive: true, force: true }))
  return join(base, 'archive')
}

/** A database can only be copied without connections, so it gets a copy of its own to prepare. */
async function prepared(prepare: (db: Database) => Promise<void>): Promise<TestDatabase> {
  const made = await createDatabase(inject('postgresUrl'))
  await prepare(made.db)
  await made.db.destroy()
  onTestFinished(made.drop)
  return made
}

test(
  'wherever an archive is killed, the month is archived once and comes back equal',
  { timeout: MINUTES_MAX * 60_000 },
  async () => {
    const folder = await newFolder()
    let before: string[] = []
    const database = await prepared(async (db) => void (before = await populate(db)))
    await createFolderArchive(folder).create('log/empty', Buffer.from(''))
    const deaths = await killEverywhere('archive', { database, folder }, async (db, copied) => {
      expect(await archiveAll(db, copied)).toMatchObject({ waiting: [] })
      const { stored, named } = await filesIn(copied)
      expect(stored.filter((name) => name !== 'log/empty')).toEqual(named)
      expect(await rowsIn(db, 'interaction')).toEqual([])
      await restoreAll(db, copied)
      expect(await rowsIn(db, RESTORED)).toEqual(before)
      expect(await verify(db)).toMatchObject({ drift: [], restored_months: 1 })
      expect((await sql`select from archive_part`.execute(db)).rows).toEqual([])
    })
    expect(deaths).toBeGreaterThan(40 / stride('archive'))
  },
)

test('wherever a restore is killed, no row is lost or doubled', { timeout: MINUTES_MAX * 60_000 }, async () => {
  const folder = await newFolder()
  let before: string[] = []
  const database = await prepared(async (db) => {
    before = await populate(db)
    await archiveAll(db, folder)
  })
  const deaths = await killEverywhere('restore', { database, folder }, async (db, copied) => {
    expect((await verify(db)).drift).toEqual([])
    await restoreAll(db, copied)
    expect(await rowsIn(db, RESTORED)).toEqual(before)
    expect(await verify(db)).toMatchObject({ drift: [], restored_months: 1 })
  })
  expect(deaths).toBeGreaterThan(20 / stride('restore'))
})

for (const state of ['archived', 'restored'] as const)
  test(
    `wherever an erasure is killed, a month that is ${state} does not bring the person back`,
    {
      timeout: MINUTES_MAX * 60_000,
    },
    async () => {
      const folder = await newFolder()
      const database = await prepared(async (db) => {
        await populate(db)
        await archiveAll(db, folder)
        if (state === 'restored') await restoreAll(db, folder)
      })
      const deaths = await killEverywhere('erase', { database, folder }, async (db, copied) => {
        await erase(db, 'account:lovelace')
        await restoreAll(db, copied)
        const rows = await rowsIn(db, RESTORED)
        expect(rows).toHaveLength(EVENTS)
        expect(rows.filter((row) => row.includes('lovelace'))).toEqual([])
        expect(rows.filter((row) => /erased-[0-9a-f]{32}.*Browser|Browser.*erased-/.test(row))).toEqual([])
        expect((await sql`select from archive_shopper where shopper_id ~ 'lovelace'`.execute(db)).rows).toEqual([])
        expect(await verify(db)).toMatchObject({ drift: [], restored_months: 1 })
      })
      expect(deaths).toBeGreaterThan(50 / stride('erase'))
    },
  )
