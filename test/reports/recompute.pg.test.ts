import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { type RawBuilder, sql } from 'kysely'
import { REPORT_SLUGS } from '../../src/contract/report.ts'
import { expect, inject } from 'vitest'
import type { StartRun } from '../../src/contract/recompute-run.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { BUCKET_DAYS, wholeBuckets } from '../../src/ranking/bucket.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { findRun } from '../../src/store/reports/run-list.ts'
import { completeRun } from '../../src/store/reports/run-machine.ts'
import { requestRun } from '../../src/store/reports/run-request.ts'
import { beginRun, rebuildStep, type Step } from '../../src/store/reports/run-step.ts'
import { dirtyRuns, dropOldBuckets, runDue } from '../../src/store/reports/report-refresh.ts'
import { snapshotDrift } from '../../src/store/proof/report-drift.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { clear, createDatabase } from '../harness/servers/database.ts'
import { failingAt } from '../harness/servers/failing-store.ts'
import {
  analyticsEvent,
  bucketByHand,
  builtBuckets,
  day,
  expectedSnapshots,
  insertMarked,
  recordEvents,
  refreshAll,
  SCOPES,
  type Snapshots,
  snapshotsByHand,
  startOf,
  storedSnapshots,
} from '../harness/items/recomputed.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { daysAfter } from '../../src/ranking/day.ts'
import type { NewAnalyticsEvent } from '../../src/admission/analytics-event.ts'

const DAYS = 40

test.beforeAll(async ({ db }) => {
  const months = Array.from({ length: DAYS + 8 }, (_, daysAgo) => monthOf(Date.now() - daysAgo * DAY_MS))
  await makePartitions(db, months)
})

test.beforeEach(({ db }) => clear(db))

type Request = Pick<StartRun, 'report_slug' | 'window' | 'date_from' | 'date_to'>

async function begun(db: Database, request: Request): Promise<string> {
  const runId = randomUUID()
  await requestRun(db, runId, { ...request, actor: 'ada' })
  await beginRun(db, runId)
  return runId
}

/** The days of the run's buckets from `first` on. */
function stepOf({ window, date_from: from, date_to: to }: Request, first: number, buckets: number) {
  const days = wholeBuckets(window, { from, to })
  const start = daysAfter(days.from, first * BUCKET_DAYS[window])
  return { from: start, to: daysAfter(start, buckets * BUCKET_DAYS[window] - 1) }
}

/** Runs a request to its end, in steps of `size` buckets, each step in `attempts` concurrent attempts. */
async function recompute(db: Database, request: Request, { size = 1_000, attempts = 1 } = {}): Promise<string> {
  const runId = await begun(db, request)
  const { total } = (await findRun(db, runId))!.progress
  for (let done = 0; done < total;) {
    const days = stepOf(request, done, Math.min(size, total - done))
    const steps = await Promise.all(Array.from({ length: attempts }, () => rebuildStep(db, runId, days)))
    done = steps[0]!.done!
    expect(steps.map((step) => step.done)).toEqual(steps.map(() => done))
  }
  expect(await completeRun(db, runId)).toBe('completed')
  return runId
}

const marks = async (db: Database) => (await sql<{ n: number }>`select count(*)::int as n from dirty_mark`.execute(db)).rows[0]!.n

const event = fc
  .record({
    daysAgo: fc.integer({ min: 0, max: DAYS }),
    // The first and the last instant of a day, too.
    inDay: fc.oneof(fc.constantFrom(0, 1, DAY_MS - 1), fc.integer({ min: 0, max: DAY_MS - 1 })),
    source: fc.constantFrom('erp', 'shop'),
    entityId: fc.constantFrom('a', 'b', 'c'),
    status: fc.constantFrom('success' as const, 'failed' as const, 'pending' as const),
    processingMs: fc.option(fc.integer({ min: 0, max: 2 ** 31 - 1 })),
    money: fc.option(
      fc.record({ amount: fc.integer({ min: -(10 ** 12), max: 10 ** 12 }), currency: fc.constantFrom('EUR', 'USD') }),
    ),
  })
  .map(({ daysAgo, inDay, money, ...values }) =>
    analyticsEvent({ ...values, amount: null, currency: null, ...money, occurredAtMs: startOf(day(daysAgo)) + inDay }),
  )
const request = fc
  .record({
    scope: fc.constantFrom(...SCOPES),
    one: fc.integer({ min: 0, max: DAYS }),
    other: fc.integer({ min: 0, max: DAYS }),
    size: fc.integer({ min: 1, max: 12 }),
    attempts: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ scope: [report, window], one, other, ...how }) => ({
    request: { report_slug: report, window, date_from: day(Math.max(one, other)), date_to: day(Math.min(one, other)) },
    ...how,
  }))

test('every bucket equals its events at its last rebuild, whatever else is rebuilt', { timeout: 120_000 }, async ({ db }) => {
  const action = fc.oneof(
    fc.array(event, { minLength: 1, maxLength: 6 }).map((events) => ({ events })),
    request.map((asked) => ({ asked })),
    fc.constant({ refresh: true }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 3, maxLength: 8 }), async (actions) => {
      await clear(db)
      const events: NewAnalyticsEvent[] = []
      const expected: Snapshots = {}
      const rebuiltAs = (prefixes: readonly string[], now: Snapshots) => {
        const isOne = (key: string) => prefixes.some((prefix) => key.startsWith(prefix))
        for (const key of Object.keys(expected)) if (isOne(key)) delete expected[key]
        Object.assign(expected, now)
      }
      for (const one of actions) {
        if ('events' in one) {
          events.push(...one.events)
          await recordEvents(db, one.events)
        } else if ('asked' in one) {
          const { request: asked, ...how } = one.asked
          const { report_slug: report, window, date_from: from, date_to: to } = asked
          await recompute(db, asked, how)
          const buckets = new Set<string>()
          for (let at = from; at <= to; at = daysAfter(at, 1)) buckets.add(bucketByHand(window, at))
          rebuiltAs(
            [...buckets].map((bucket) => `${report} ${window} ${bucket} `),
            snapshotsByHand([report, window], events, buckets),
          )
        } else {
          await refreshAll(db)
          expect(await marks(db)).toBe(0)
          const now = await expectedSnapshots(db, events)
          rebuiltAs([''], now)
        }
        expect(await storedSnapshots(db)).toEqual(expected)
      }
    }),
    { numRuns: 15 },
  )
})

test(
  'overlapping runs, late events and concurrent refreshes leave every bucket correct',
  { timeout: 120_000 },
  async ({ db, proofs }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 2, maxLength: 4 }),
        fc.array(fc.array(event, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 6 }),
        async (asked, batches) => {
          await clear(db)
          await Promise.all([
            ...asked.map(({ request: one, ...how }) => recompute(db, one, how).catch(ignoreTaken)),
            ...batches.map((events) => recordEvents(db, events)),
            refreshAll(db),
          ])
          await refreshAll(db)
          expect(await marks(db)).toBe(0)
          expect(await storedSnapshots(db)).toEqual(await expectedSnapshots(db, batches.flat()))
          expect((await verify(proofs)).drift).toEqual([])
        },
      ),
      { numRuns: 10 },
    )
  },
)

function ignoreTaken(error: Error): void {
  if (!error.message.includes('the same buckets')) throw error
}

test('verify finds every manual change of a bucket, and a bucket that waits is no drift', async ({ db }) => {
  const money = { amount: 100, currency: 'EUR', processingMs: 7 }
  await recordEvents(
    db,
    [1, 2].map((daysAgo) => analyticsEvent({ ...money, occurredAtMs: startOf(day(daysAgo)) })),
  )
  await refreshAll(db)
  await recordEvents(db, [analyticsEvent({ occurredAtMs: startOf(day(2)) })])
  const { drift: none, analytics_events: events } = await verify(db)
  expect([none, events]).toEqual([[], 3])
  const ofDay = sql`report_slug = 'volume-by-period' and bucket_window = 'day' and bucket = ${day(1)}::date`
  const changes: [RawBuilder<unknown>, number][] = [
    [sql`update metric_snapshot set value = value + 1 where ${ofDay} and metric = 'event_count'`, 2],
    [sql`delete from metric_snapshot where ${ofDay} and metric = 'amount:EUR'`, 2],
    [sql`update metric_snapshot set metric = 'amount:USD' where ${ofDay} and metric = 'amount:EUR'`, 4],
    [sql`update metric_snapshot set bucket = bucket - 30 where ${ofDay}`, 20],
    [sql`delete from report_bucket where ${ofDay}`, 10],
    [sql`delete from analytics_event where occurred_at >= ${day(1)}::date`, 30],
  ]
  for (const [change, cells] of changes) {
    await db
      .transaction()
      .execute(async (tx) => {
        await change.execute(tx)
        const { drift } = await snapshotDrift(tx, new Date(0))
        expect([change.compile(db).sql, drift.length >= cells, drift[0]?.aggregate]).toEqual([
          ...[change.compile(db).sql, true, 'metric_snapshot'],
        ])
        throw new Undone()
      })
      .catch(ignoreUndone)
  }
})

class Undone extends Error {}

function ignoreUndone(error: unknown): void {
  if (!(error instanceof Undone)) throw error
}

test('the rebuild of a day changes no other day, even by a millisecond', async ({ db }) => {
  const [before, today, after] = [day(11), day(10), day(9)]
  const at = [startOf(today) - 1, startOf(today), startOf(after) - 1, startOf(after)]
  await recordEvents(
    db,
    at.map((occurredAtMs) => analyticsEvent({ occurredAtMs })),
  )
  const scope = { report_slug: 'volume-by-period', window: 'day' } as const
  await recompute(db, { ...scope, date_from: before, date_to: after })
  // Events that are deleted from the log show whether a bucket was rebuilt.
  await sql`delete from analytics_event`.execute(db)
  await recompute(db, { ...scope, date_from: today, date_to: today })
  const counts = Object.entries(await storedSnapshots(db)).filter(([key]) => key.includes('all event_count'))
  expect(Object.fromEntries(counts)).toEqual({
    [`volume-by-period day ${before} all event_count`]: 1,
    [`volume-by-period day ${after} all event_count`]: 1,
  })
  expect(await builtBuckets(db, ['volume-by-period', 'day'])).toEqual(new Set([before, today, after]))
})

test('a range within a week rebuilds the whole week', async ({ db }) => {
  const monday = bucketByHand('week', day(20))
  const week = Array.from({ length: 7 }, (_, n) => analyticsEvent({ occurredAtMs: startOf(monday) + n * DAY_MS }))
  await recordEvents(db, week)
  const runId = await recompute(db, {
    ...{ report_slug: 'status-counts', window: 'week' },
    ...{ date_from: daysAfter(monday, 2), date_to: daysAfter(monday, 3) },
  })
  expect(await storedSnapshots(db)).toEqual({
    [`status-counts week ${monday} all event_count`]: 7,
    [`status-counts week ${monday} status success event_count`]: 7,
  })
  expect(await findRun(db, runId)).toMatchObject({
    date_from: daysAfter(monday, 2),
    progress: { done: 1, total: 1 },
    summary: { rows_deleted: 0, rows_inserted: 2, bucket_count: 1 },
  })
})

test('an event that commits during a rebuild keeps its mark, and the next refresh includes it', async ({ db, database }) => {
  const occurredAtMs = startOf(day(5))
  const asked = { report_slug: 'top-entities', window: 'day', date_from: day(5), date_to: day(5) } as const
  await recordEvents(db, [analyticsEvent({ occurredAtMs })])
  const other = connect({ url: database.url, name: 'test', connectionsMax: 1 })
  const inserted = Promise.withResolvers<void>()
  const commit = Promise.withResolvers<void>()
  const late = other.transaction().execute(async (tx) => {
    await insertMarked(tx, [analyticsEvent({ occurredAtMs })])
    inserted.resolve()
    await commit.promise
  })
  await inserted.promise
  await recompute(db, asked)
  commit.resolve()
  await late
  await other.destroy()
  const count = async () => (await storedSnapshots(db))[`top-entities day ${day(5)} all event_count`]
  expect(await count()).toBe(1)
  await refreshAll(db)
  expect([await count(), await marks(db)]).toEqual([2, 0])
})

test('a reader sees a bucket before or after a rebuild, never without rows', async ({ db }) => {
  const occurredAtMs = startOf(day(3))
  await recordEvents(db, [analyticsEvent({ occurredAtMs })])
  await refreshAll(db)
  const seen = new Set<unknown>()
  let isOver = false
  const reading = (async () => {
    while (!isOver) seen.add((await storedSnapshots(db))[`volume-by-period day ${day(3)} all event_count`])
  })()
  for (let n = 0; n < 10; n++) {
    await recordEvents(db, [analyticsEvent({ occurredAtMs })])
    await refreshAll(db)
  }
  isOver = true
  await reading
  expect(seen).not.toContain(undefined)
  expect((await storedSnapshots(db))[`volume-by-period day ${day(3)} all event_count`]).toBe(11)
})

test('a step that dies at any statement and is repeated takes effect once', async ({ db }) => {
  const asked = { report_slug: 'volume-by-period', window: 'day', date_from: day(6), date_to: day(4) } as const
  const events = [4, 5, 6, 6].map((daysAgo) => analyticsEvent({ occurredAtMs: startOf(day(daysAgo)) }))
  await recordEvents(db, events)
  const runId = await begun(db, asked)
  const [first, all] = [stepOf(asked, 0, 1), stepOf(asked, 0, 3)]
  const died: Step[] = []
  for (let statement = 1; died.length === 0; statement++) {
    await rebuildStep(failingAt(db, statement), runId, first).then(
      (step) => died.push(step),
      () => undefined,
    )
  }
  const { summary: _none, ...after } = (await findRun(db, runId))!
  expect(after.progress).toEqual({ done: 1, total: 3 })
  expect(await rebuildStep(db, runId, first)).toMatchObject({ done: 1 })
  expect(await findRun(db, runId)).toEqual(after)
  // A step that begins elsewhere than the run contradicts it, and changes nothing.
  expect(await rebuildStep(db, runId, all)).toMatchObject({ done: undefined })
  expect((await findRun(db, runId))!.progress.done).toBe(1)
})

test('buckets before the horizon are neither deleted nor rebuilt, and a request for them fails', async () => {
  const own = await createDatabase(inject('postgresUrl'))
  try {
    const monday = bucketByHand('week', day(20))
    const horizon = daysAfter(monday, 3)
    await recordEvents(
      own.db,
      [0, 3, 7].map((n) => analyticsEvent({ occurredAtMs: startOf(monday) + n * DAY_MS })),
    )
    await refreshAll(own.db)
    const [begunBefore, frozenDays] = [randomUUID(), { date_from: monday, date_to: daysAfter(monday, 6) }]
    await requestRun(own.db, begunBefore, { report_slug: 'volume-by-period', window: 'day', ...frozenDays, actor: 'ada' })
    await beginRun(own.db, begunBefore)
    const before = await storedSnapshots(own.db)
    await sql`update log_horizon set horizon = ${`${horizon}T00:00:00Z`}::timestamptz`.execute(own.db)
    await sql`delete from analytics_event where occurred_at < ${`${horizon}T00:00:00Z`}::timestamptz`.execute(own.db)
    const ask = (window: 'day' | 'week', from: string) =>
      requestRun(own.db, randomUUID(), {
        ...{ report_slug: 'volume-by-period', window, date_from: from, date_to: day(0), actor: 'ada' },
      })
    await expect(rebuildStep(own.db, begunBefore, { from: monday, to: daysAfter(monday, 6) })).rejects.toThrow(
      `volume-by-period of ${monday} cannot be rebuilt any more`,
    )
    expect(await findRun(own.db, begunBefore)).toMatchObject({ status: 'running', progress: { done: 0 } })
    await expect(ask('day', daysAfter(horizon, -1))).rejects.toThrow(`is before ${horizon}, the first day that can be rebuilt`)
    await expect(ask('week', horizon)).rejects.toThrow(`is before ${daysAfter(monday, 7)}`)
    expect(await ask('day', horizon)).toMatchObject({ status: 'pending' })
    // A late event of a frozen week is recorded. Its week does not change, and keeps the mark.
    await recordEvents(own.db, [analyticsEvent({ occurredAtMs: startOf(daysAfter(monday, 4)) })])
    await recordEvents(own.db, [analyticsEvent({ occurredAtMs: startOf(daysAfter(monday, 4)) })])
    await refreshAll(own.db)
    // A run that began before the horizon moved.
    const frozen = {
      kind: 'refresh',
      report: 'volume-by-period',
      window: 'week',
      days: { from: monday, to: daysAfter(monday, 6) },
    } as const
    await runDue(own.db, randomUUID(), frozen)
    const after = await storedSnapshots(own.db)
    const week = `volume-by-period week ${monday} all event_count`
    expect([before[week], after[week]]).toEqual([2, 2])
    expect(after[`volume-by-period day ${monday} all event_count`]).toBe(1)
    expect(after[`volume-by-period day ${daysAfter(monday, 4)} all event_count`]).toBe(2)
    await dropOldBuckets(own.db)
    const { rows } = await sql`select bucket_window, day::text, count(*)::int as marks from dirty_mark group by 1, 2`.execute(
      own.db,
    )
    expect(rows).toEqual([{ bucket_window: 'week', day: daysAfter(monday, 4), marks: REPORT_SLUGS.length }])
  } finally {
    await own.drop()
  }
})

test('the clock builds missing buckets, and the current bucket again after the interval', async () => {
  const own = await createDatabase(inject('postgresUrl'))
  try {
    await sql`update aggregate_window set retention_days = 40`.execute(own.db)
    await recordEvents(own.db, [analyticsEvent({ occurredAtMs: startOf(day(3)) })])
    await sql`delete from dirty_mark`.execute(own.db)
    await refreshAll(own.db, true)
    // The oldest bucket ended a little more than 39 days ago.
    const days = Array.from({ length: 41 }, (_, n) => day(n)).toReversed()
    expect([...(await builtBuckets(own.db, ['status-counts', 'day']))].toSorted()).toEqual(days)
    expect((await storedSnapshots(own.db))[`status-counts day ${day(3)} all event_count`]).toBe(1)
    expect(await refreshAll(own.db, true)).toBe(0)
    await sql`update report_bucket set built_at = built_at - interval '61 minutes'`.execute(own.db)
    expect(await refreshAll(own.db, true)).toBe(REPORT_SLUGS.length)
    // The retention is shorter now: the oldest buckets are dropped, with the rows of their runs.
    await sql`update aggregate_window set retention_days = 2`.execute(own.db)
    await sql`update recompute_run set requested_at = requested_at - interval '8 days'`.execute(own.db)
    await dropOldBuckets(own.db)
    expect([...(await builtBuckets(own.db, ['status-counts', 'day']))].toSorted()).toEqual([day(2), day(1), day(0)])
    expect(await storedSnapshots(own.db)).not.toHaveProperty([`status-counts day ${day(3)} all event_count`])
    const { rows } = await sql`
      select from recompute_run r where not exists (select from report_bucket b where b.run_id = r.run_id)`.execute(own.db)
    expect(rows).toEqual([])
  } finally {
    await own.drop()
  }
})

test('the marks of a report wait until one is old enough, and are then handled together', async ({ db }) => {
  await recordEvents(db, [analyticsEvent({ occurredAtMs: startOf(day(2)) })])
  await sql`update dirty_mark set marked_at = marked_at - interval '1 minute' where report_slug = 'top-entities'`.execute(db)
  await recordEvents(db, [analyticsEvent({ occurredAtMs: startOf(day(1)) })])
  const due = await dirtyRuns(db, 30_000)
  expect(new Set(due.map(({ report }) => report))).toEqual(new Set(['top-entities']))
  expect(due.map(({ window }) => window)).toEqual(due.map((_, place) => (place === 0 ? 'day' : 'week')))
  expect(due[0]!.days).toEqual({ from: day(2), to: day(1) })
})
