import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { RunReportRequest } from '../../src/contract/report.ts'
import { bucketOf, lastDayOf } from '../../src/ranking/bucket.ts'
import type { Database, Queryable } from '../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { snapshotDrift } from '../../src/store/proof/report-drift.ts'
import { addUpWeeks } from '../../src/store/reports/report-block-sums.ts'
import { dropOldBuckets, runDue } from '../../src/store/reports/report-refresh.ts'
import { runReport } from '../../src/store/reports/report.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { analyticsEvent, day, recordEvents, startOf } from '../harness/items/recomputed.ts'
import { clear } from '../harness/servers/database.ts'

/** Of any 26 weeks, two blocks of 8 are whole. */
const DAYS = 26 * 7
const NOW_MS = startOf(day(0)) + DAY_MS / 2

test.beforeAll(async ({ db }) => {
  await makePartitions(
    db,
    Array.from({ length: DAYS + 8 }, (_, daysAgo) => monthOf(Date.now() - daysAgo * DAY_MS)),
  )
})

test.beforeEach(({ db }) => clear(db))

const eventArbitrary = fc
  .record({
    daysAgo: fc.nat({ max: DAYS - 1 }),
    entityId: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    processingMs: fc.option(fc.nat({ max: 2 ** 31 - 1 })),
    money: fc.option(
      fc.record({ amount: fc.integer({ min: -(10 ** 12), max: 10 ** 12 }), currency: fc.constantFrom('EUR', 'USD') }),
    ),
  })
  .map(({ daysAgo, money, ...values }) =>
    analyticsEvent({ ...values, amount: null, currency: null, ...money, occurredAtMs: startOf(day(daysAgo)) }),
  )

const requestArbitrary = fc
  .record({
    one: fc.nat({ max: DAYS + 7 }),
    other: fc.nat({ max: DAYS + 7 }),
    window: fc.constantFrom('day', 'week'),
    limit: fc.constantFrom(2, 100),
    offset: fc.nat({ max: 2 }),
  })
  .map(({ one, other, ...page }) =>
    RunReportRequest.parse({
      ...{ report_slug: 'top-entities', ...page },
      ...{ date_from: day(Math.max(one, other)), date_to: day(Math.min(one, other)) },
    }),
  )

/** Builds the buckets of a window from a day on. */
async function build(db: Database, window: 'day' | 'week', fromDaysAgo: number): Promise<void> {
  const days = { from: bucketOf(window, day(fromDaysAgo)), to: lastDayOf(window, bucketOf(window, day(0))) }
  await runDue(db, randomUUID(), { kind: 'refresh', report: 'top-entities', window, days })
}

const answerOf = async (db: Queryable, request: RunReportRequest) => {
  const { execution_ms: _, ...answer } = (await runReport(db, request, NOW_MS))!
  return answer
}

class Undone extends Error {}

/** Does something in a transaction that is undone. */
async function undone<T>(db: Database, work: (tx: Queryable) => Promise<T>): Promise<T> {
  let result: T | undefined
  await db
    .transaction()
    .execute(async (tx) => {
      result = await work(tx)
      throw new Undone()
    })
    .catch((error: unknown) => {
      if (!(error instanceof Undone)) throw error
    })
  return result as T
}

const blocksOf = async (db: Queryable) =>
  (await sql<{ bucket: string }>`select bucket::text from report_bucket where bucket_window = 'block' order by 1`.execute(db))
    .rows

/** What the same requests are answered without blocks. */
const withoutBlocks = (db: Database, requests: readonly RunReportRequest[]) =>
  undone(db, async (tx) => {
    await sql`delete from report_bucket where bucket_window = 'block'`.execute(tx)
    return answersOf(tx, requests)
  })

async function answersOf(db: Queryable, requests: readonly RunReportRequest[]) {
  const answers = []
  for (const request of requests) answers.push(await answerOf(db, request))
  return answers
}

test(
  'answers with blocks are those of their weeks, also after late events and other builds',
  { timeout: 120_000 },
  async ({ db }) => {
    const scenario = fc.record({
      events: fc.array(eventArbitrary, { minLength: 20, maxLength: 60 }),
      late: fc.array(eventArbitrary, { minLength: 1, maxLength: 4 }),
      rebuiltDaysAgo: fc.nat({ max: DAYS - 1 }),
      requests: fc.array(requestArbitrary, { minLength: 12, maxLength: 12 }),
    })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ events, late, rebuiltDaysAgo, requests }) => {
        await clear(db)
        const agree = async () => {
          expect(await answersOf(db, requests)).toEqual(await withoutBlocks(db, requests))
          expect((await snapshotDrift(db, new Date(0))).drift).toEqual([])
        }
        await recordEvents(db, events)
        await build(db, 'day', DAYS)
        await build(db, 'week', DAYS)
        expect(await addUpWeeks(db, 60_000)).toBe(0)
        expect(await addUpWeeks(db, 0)).toBeGreaterThanOrEqual(2)
        expect(await addUpWeeks(db, 0)).toBe(0)
        await agree()
        await recordEvents(db, late)
        await build(db, 'day', DAYS)
        await build(db, 'week', rebuiltDaysAgo)
        await agree()
        await addUpWeeks(db, 0)
        await agree()
      }),
      { numRuns: 4, endOnFailure: true },
    )
  },
)

test('a block is in use only for the builds that it was added up from', async ({ db }) => {
  await recordEvents(db, [analyticsEvent({ entityId: 'a', occurredAtMs: startOf(day(100)) })])
  await build(db, 'week', DAYS)
  await addUpWeeks(db, 0)
  const request = RunReportRequest.parse({ report_slug: 'top-entities', window: 'week', date_from: day(DAYS), date_to: day(0) })
  const counted = async (tx: Queryable) => (await answerOf(tx, request)).rows[0]?.event_count
  const ofBlocks = sql`report_slug = 'top-entities' and bucket_window = 'block'`
  const changed = await undone(db, async (tx) => {
    await sql`update metric_snapshot set value = value + 1 where ${ofBlocks} and metric = 'event_count'`.execute(tx)
    return { counted: await counted(tx), drift: (await snapshotDrift(tx, new Date(0))).drift.length }
  })
  expect(changed).toEqual({ counted: 2, drift: 1 })
  const rebuilt = await undone(db, async (tx) => {
    await sql`update metric_snapshot set value = value + 1 where ${ofBlocks} and metric = 'event_count'`.execute(tx)
    // As a release does that knows no blocks.
    await sql`update report_bucket set built_at = clock_timestamp() where bucket_window = 'week'`.execute(tx)
    return { counted: await counted(tx), drift: (await snapshotDrift(tx, new Date(0))).drift }
  })
  expect(rebuilt).toEqual({ counted: 1, drift: [] })
})

test('blocks go with their weeks', async ({ db }) => {
  await recordEvents(db, [analyticsEvent({ entityId: 'a', occurredAtMs: startOf(day(100)) })])
  await build(db, 'week', DAYS)
  await addUpWeeks(db, 0)
  expect((await blocksOf(db)).length).toBeGreaterThanOrEqual(2)
  await build(db, 'week', 0)
  const kept = await blocksOf(db)
  expect(kept.length).toBeGreaterThanOrEqual(2)
  await sql`update aggregate_window set retention_days = 7 where bucket_window = 'week'`.execute(db)
  await dropOldBuckets(db)
  await sql`update aggregate_window set retention_days = 3660 where bucket_window = 'week'`.execute(db)
  expect(await blocksOf(db)).toEqual([])
  const { rows } = await sql`select from metric_snapshot where bucket_window = 'block'`.execute(db)
  expect(rows).toEqual([])
})
