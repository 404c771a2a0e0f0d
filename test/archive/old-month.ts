import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { archiveMonth } from '../../services/archive/archive-month.ts'
import { archivedMonths } from '../../services/archive/manifest.ts'
import type { ArchiveFormat } from '../../services/archive/part-format.ts'
import { restoreMonth } from '../../services/archive/restore-month.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import type { ArchiveStore } from '../../src/external/archive-store.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { LOG_TABLES, makePartitions, monthOf } from '../../src/store/log/month.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { freshPgTest } from '../harness/fixtures.ts'
import { interaction, recordAndCount, recordNewSearches, search } from '../harness/items/events.ts'
import { newCall, payment } from '../harness/items/payments.ts'
import { analyticsEvent, recordEvents } from '../harness/items/recomputed.ts'

export const DAYS = 32
export const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2
export const OLD_MS = NOON - 100 * DAY_MS
export const MONTH = monthOf(OLD_MS)
export const restoredName = (table: string) => `restored.${table}_${MONTH.replace('-', '_')}`
/** More digits than a number of JavaScript has. */
export const BIG = '12345678901234567890123'

/** Events of some shoppers in a month that is dropped, with everything that a row can have, and of today. */
export async function populate(db: Database): Promise<void> {
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
export async function rowsOf(db: Database, table: string): Promise<string[]> {
  const { rows } = await sql<{ row: string }>`
    select t::text as row from ${sql.table(table)} t where to_char(occurred_at at time zone 'UTC', 'YYYY-MM') = ${MONTH}
    order by occurred_at, t::text`.execute(db)
  return rows.map(({ row }) => row)
}

export async function allRows(db: Database, nameOf: (table: string) => string): Promise<string[][]> {
  const rows: string[][] = []
  for (const table of LOG_TABLES) rows.push(await rowsOf(db, nameOf(table)))
  return rows
}

export const archiving =
  (db: Database, store: ArchiveStore, format: ArchiveFormat = 'jsonl.gz') =>
  (table: (typeof LOG_TABLES)[number], month: string) =>
    archiveMonth({ db, store, format, partRows: 10 }, table, month)

export async function restoreAll(db: Database, store: ArchiveStore): Promise<void> {
  for await (const manifest of archivedMonths(store)) await restoreMonth(db, store, manifest)
}

/** A fresh database with the months, and an archive in a folder. */
export const archiveTest = freshPgTest.extend('store', async ({}, { onCleanup }) => {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-archive-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  return createFolderArchive(folder)
})

archiveTest.beforeEach(({ db }) => makePartitions(db, [MONTH, monthOf(NOON - 5 * DAY_MS)]))
