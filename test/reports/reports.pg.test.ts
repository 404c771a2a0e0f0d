import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import {
  type Breakdown,
  REPORT_SLUGS,
  type ReportAnswer,
  type ReportSlug,
  RunReportRequest,
  type ReportWindow,
} from '../../src/contract/report.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { runReport } from '../../src/store/reports/report.ts'
import { reportDefinition, reportDefinitions, REPORTS, shapeOf } from '../../src/store/reports/report-definition.ts'
import { clear } from '../harness/servers/database.ts'
import { buildBuckets, expectedRows, type ReportedEvent, slowBucketOf, timeless } from '../harness/items/reports.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

test.beforeEach(({ db }) => clear(db))

/** A Wednesday. */
const TODAY = '2026-03-04'
const NOW = Date.parse(`${TODAY}T12:00:00Z`)
const BUILT_AT = '2026-03-04T11:00:00.000Z'
const LATER = '2026-03-04T11:00:01.000Z'
const day = (offset: number) => new Date(Date.parse(TODAY) + offset * DAY_MS).toISOString().slice(0, 10)

async function run(db: Database, asked: Partial<RunReportRequest>, nowMs = NOW): Promise<ReportAnswer> {
  return (await runReport(db, RunReportRequest.parse({ report_slug: 'volume-by-period', ...asked }), nowMs))!
}

function event(values: Partial<ReportedEvent> = {}): ReportedEvent {
  return { ...{ day: TODAY, source: 'erp', status: 'success', entity: 'e-1', ms: null, amount: null, currency: null }, ...values }
}

const mark = (db: Database, slug: ReportSlug, window: ReportWindow, at: string) =>
  sql`insert into dirty_mark (report_slug, bucket_window, day) values (${slug}, ${window}, ${at}::date)`.execute(db)

/** Each day of a span, in order. */
const daysFrom = (from: string, to: string) =>
  Array.from({ length: 1 + (Date.parse(to) - Date.parse(from)) / DAY_MS }, (_, n) =>
    new Date(Date.parse(from) + n * DAY_MS).toISOString().slice(0, 10),
  )

const eventArbitrary: fc.Arbitrary<ReportedEvent> = fc
  .record({
    offset: fc.integer({ min: -25, max: 5 }),
    source: fc.constantFrom('erp', 'crm', 'Z'),
    status: fc.constantFrom('success', 'failed', 'pending'),
    entity: fc.constantFrom('e-1', 'E-2', 'é', 'f'),
    ms: fc.option(fc.nat({ max: 100 })),
    money: fc.option(fc.tuple(fc.integer({ min: -50, max: 900 }), fc.constantFrom('EUR', 'JPY'))),
  })
  .map(({ offset, money, ...rest }) => ({ ...rest, day: day(offset), amount: money?.[0] ?? null, currency: money?.[1] ?? null }))

/** Any report with any of its breakdowns, with or without one of its filters. */
const ASKED: fc.Arbitrary<Partial<RunReportRequest>> = fc.oneof(
  ...REPORT_SLUGS.map((slug) => {
    const breakdowns = Object.keys(REPORTS[slug].shapes).filter((name) => name !== 'none') as Breakdown[]
    const filters: Record<string, fc.Arbitrary<Partial<RunReportRequest>>> = {
      source: fc.record({ source: fc.constantFrom(undefined, 'erp', 'nobody') }),
      status: fc.record({ status: fc.constantFrom(undefined, 'failed' as const) }),
    }
    const filter = breakdowns.length === 0 ? fc.constant({}) : filters[REPORTS[slug].dimension]!
    return fc
      .record({ report_slug: fc.constant(slug), breakdown: fc.constantFrom(undefined, ...breakdowns) })
      .chain((asked) => filter.map((filtered) => ({ ...asked, ...filtered })))
  }),
)

test('any page of any report equals the events of the built buckets and names missing buckets', async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(eventArbitrary, { maxLength: 40 }),
      ASKED,
      fc.constantFrom<ReportWindow>('day', 'week'),
      fc.tuple(fc.integer({ min: -30, max: 8 }), fc.nat({ max: 30 })),
      fc.record({ limit: fc.integer({ min: 1, max: 8 }), offset: fc.nat({ max: 9 }) }),
      fc.record({ lacking: fc.nat({ max: 60 }), dirty: fc.integer({ min: -60, max: 10 }), hasWeeks: fc.boolean() }),
      async (events, asked, window, [start, length], page, { lacking, dirty, hasWeeks }) => {
        await clear(db)
        const slug = (asked.report_slug ?? 'volume-by-period') as ReportSlug
        const all = [...new Set(daysFrom(day(-60), day(20)).map((one) => slowBucketOf(one, window)))]
        const built = all.filter((bucket, index) => index !== lacking && bucket <= TODAY)
        await buildBuckets(db, events, { slug, window, buckets: built, builtAt: BUILT_AT })
        // The other window must not show, except in totals of days: they come from whole weeks that were built later.
        const weeks = hasWeeks && window === 'day' ? [...new Set(all.map((one) => slowBucketOf(one, 'week')))] : []
        await buildBuckets(db, events, { slug, window: 'week', buckets: weeks, builtAt: LATER })
        if (weeks.length === 0) {
          const other = { slug, window: window === 'day' ? ('week' as const) : ('day' as const) }
          const older = { ...other, buckets: [slowBucketOf(TODAY, 'week')], builtAt: '2026-01-01T00:00:00.000Z' }
          await buildBuckets(db, [event(), event()], older)
        }
        await mark(db, slug, window, day(dirty))
        const to = day(start + length)
        const request = RunReportRequest.parse({ ...asked, window, ...page, date_from: day(start), date_to: to })

        const report = await run(db, request)
        const buckets = [...new Set(daysFrom(day(start), to).map((one) => slowBucketOf(one, window)))]
        const last = new Date(Date.parse(buckets.at(-1)!) + (window === 'week' ? 6 : 0) * DAY_MS).toISOString().slice(0, 10)
        const seen = buckets.filter((bucket) => built.includes(bucket))
        const expected = expectedRows(
          events.filter((one) => seen.includes(slowBucketOf(one.day, window))),
          { ...request, window },
        )
        const isTotal = !shapeOf(slug, request.breakdown)!.isPerBucket
        const daysOf = (monday: string) => seen.filter((one) => slowBucketOf(one, 'week') === monday)
        const used = isTotal ? weeks.filter((monday) => daysOf(monday).length === 7) : []
        const others = seen.filter((one) => !used.includes(slowBucketOf(one, 'week')))
        const isDirty = day(dirty) >= buckets[0]! && day(dirty) <= last
        expect(timeless(report)).toEqual({
          report_slug: slug,
          window,
          date_from: buckets[0],
          date_to: last,
          rows: expected.slice(page.offset, page.offset + page.limit),
          row_count: expected.length,
          cache_hit: false,
          fresh_as_of: others.length > 0 ? BUILT_AT : used.length > 0 ? LATER : null,
          complete: !isDirty && buckets.every((bucket) => bucket > TODAY || seen.includes(bucket)),
          run_ids: [...(used.length > 0 ? [expect.any(String)] : []), ...(others.length > 0 ? [expect.any(String)] : [])],
        })
      },
    ),
    { numRuns: 150 },
  )
})

test('an answer is as old as its oldest bucket, and names its runs, newest first', async ({ db }) => {
  const [old, young] = [randomUUID(), randomUUID()]
  const scope = { slug: 'volume-by-period', window: 'day' } as const
  await buildBuckets(db, [], { ...scope, buckets: [day(-2)], builtAt: '2026-03-03T00:00:00.000Z', runId: old })
  await buildBuckets(db, [], { ...scope, buckets: [day(-1), TODAY], builtAt: BUILT_AT, runId: young })
  const report = await run(db, { date_from: day(-2), date_to: TODAY })
  expect(report).toMatchObject({ fresh_as_of: '2026-03-03T00:00:00.000Z', complete: true, run_ids: [young, old] })
})

test('the totals of days come from a week that was built later, and name its run', async ({ db }) => {
  const scope = { slug: 'status-counts' } as const
  const [monday, days, weeks] = [slowBucketOf(day(-7), 'week'), randomUUID(), randomUUID()]
  const week = daysFrom(monday, new Date(Date.parse(monday) + 6 * DAY_MS).toISOString().slice(0, 10))
  const asked = { report_slug: 'status-counts', date_from: week[0]!, date_to: week[6]! } as const
  await buildBuckets(db, [event({ day: week[3]! })], {
    ...scope,
    window: 'day',
    buckets: week,
    builtAt: BUILT_AT,
    runId: days,
  })
  const two = [event({ day: week[3]! }), event({ day: week[4]! })]
  await buildBuckets(db, two, { ...scope, window: 'week', buckets: [monday], builtAt: LATER, runId: weeks })
  const seen = async (more: Partial<RunReportRequest> = {}) => {
    const { rows, run_ids: runIds } = await run(db, { ...asked, ...more })
    return [rows.reduce((sum, row) => sum + row.event_count, 0), runIds]
  }
  expect(await seen()).toEqual([2, [weeks]])
  expect(await seen({ breakdown: 'period' })).toEqual([1, [days]])
  expect(await seen({ date_from: week[1]! })).toEqual([1, [days]])
  expect(await seen({ date_from: day(-20) })).toEqual([2, [weeks]])
  await sql`update report_bucket set built_at = ${LATER} where bucket_window = 'day' and bucket = ${week[6]}::date`.execute(db)
  expect(await seen()).toEqual([1, [days]])
})

test('a sum that a number cannot hold exactly is an error, and is not rounded', async ({ db }) => {
  const most = Number.MAX_SAFE_INTEGER
  const scope = { slug: 'volume-by-period', window: 'day', buckets: [TODAY], builtAt: BUILT_AT } as const
  await buildBuckets(db, [event({ amount: most, currency: 'EUR' })], scope)
  expect((await run(db, {})).rows[0]!.amounts).toEqual([{ currency: 'EUR', amount: most }])
  await sql`update metric_snapshot set value = value + 2 where metric = 'amount:EUR'`.execute(db)
  await expect(run(db, {})).rejects.toMatchObject({ field: 'date_from', problem: /not told exactly: ask for fewer days/ })
})

test('the defaults are the last 30 days by day, the first breakdown and a page of 50', async ({ db }) => {
  const buckets = daysFrom(day(-29), TODAY)
  await buildBuckets(db, [event()], { slug: 'volume-by-period', window: 'day', buckets, builtAt: BUILT_AT })
  expect(await run(db, {})).toMatchObject({
    ...{ window: 'day', date_from: day(-29), date_to: TODAY, complete: true, row_count: 1 },
    rows: [{ bucket_date: TODAY, event_count: 1, amounts: [], processing_ms_avg: null, processing_ms_max: null }],
  })
  // A new day begins at midnight, and it is not built.
  expect(await run(db, {}, Date.parse(`${day(1)}T00:00:00Z`))).toMatchObject({ date_to: day(1), complete: false })
})

test('marks of another report, window or range do not make this report stale', async ({ db }) => {
  const buckets = daysFrom(day(-29), TODAY)
  await buildBuckets(db, [], { slug: 'volume-by-period', window: 'day', buckets, builtAt: BUILT_AT })
  await mark(db, 'status-counts', 'day', TODAY)
  await mark(db, 'volume-by-period', 'week', TODAY)
  await mark(db, 'volume-by-period', 'day', day(-30))
  expect(await run(db, {})).toMatchObject({ complete: true })
})

const BAD: [name: string, asked: object, field: string, message: string][] = [
  [
    'from after to',
    { date_from: '2026-03-02', date_to: '2026-03-01' },
    'date_from',
    'must not be after the last day, which is 2026-03-01',
  ],
  ['from after today', { date_from: day(1) }, 'date_from', `must not be after the last day, which is ${TODAY}`],
  ['367 days', { date_from: day(-366) }, 'date_from', 'makes a range of 367 days, and at most 366 are possible'],
  ['a day of 1999', { date_to: '1999-12-31' }, 'date_to', 'must be from 2000-01-01 to 2100-12-31'],
  ['a breakdown by status', { breakdown: 'status' }, 'breakdown', 'of volume-by-period must be period or source'],
  ['a breakdown', { report_slug: 'top-entities', breakdown: 'period' }, 'breakdown', 'is not for top-entities'],
  ['a filter by status', { status: 'failed' }, 'status', 'is not a filter of volume-by-period'],
  ['a filter by source', { report_slug: 'status-counts', source: 'erp' }, 'source', 'is not a filter of status-counts'],
]

test.for(BAD)('%s is refused by its field, with a sentence', async ([_name, asked, field, message], { db }) => {
  await expect(run(db, asked)).rejects.toMatchObject({ field, problem: message })
})

test('a window that a report does not keep is refused', async ({ db }) => {
  await sql`delete from aggregate_window where report_slug = 'top-entities' and bucket_window = 'week'`.execute(db)
  await expect(run(db, { report_slug: 'top-entities', window: 'week' })).rejects.toMatchObject({
    ...{ field: 'window', problem: 'of top-entities must be day' },
  })
  await sql`insert into aggregate_window values ('top-entities', 'week', 3660, 360)`.execute(db)
})

test('a report may have 366 days, and an unknown report is not found', async ({ db }) => {
  expect(await run(db, { date_from: day(-365) })).toMatchObject({ row_count: 0, complete: false, fresh_as_of: null, run_ids: [] })
  for (const report_slug of ['nothing', 'toString']) expect(await run(db, { report_slug })).toBeUndefined()
})

test('a year by day and source can be read to its last page', async ({ db }) => {
  const buckets = daysFrom(day(-365), TODAY)
  const events = buckets.flatMap((one) => [event({ day: one }), event({ day: one, source: 'crm', status: 'failed' })])
  await buildBuckets(db, events, { slug: 'volume-by-period', window: 'day', buckets, builtAt: BUILT_AT })
  const report = await run(db, { date_from: day(-365), limit: 100, breakdown: 'source', offset: 700 })
  expect(report).toMatchObject({ row_count: 732, complete: true })
  expect(report.rows.map(({ bucket_date: date, source }) => [date, source]).at(-1)).toEqual([TODAY, 'erp'])
})

test('reports are found by their texts, sorted and paged', async ({ db }) => {
  const first = { sort: 'slug', order: 'asc', limit: 50, offset: 0 } as const
  const all = REPORT_SLUGS.length
  const slugsOf = async (asked: object) => {
    const { data, total } = await reportDefinitions(db, { ...first, ...asked })
    return [data.map(({ slug }) => slug), total]
  }
  expect(await slugsOf({})).toEqual([REPORT_SLUGS.toSorted(), all])
  expect(await slugsOf({ sort: 'name', order: 'desc', limit: 1, offset: 1 })).toEqual([[expect.any(String)], all])
  expect(await slugsOf({ search: 'PENDING' })).toEqual([['status-counts'], 1])
  expect(await slugsOf({ search: '%' })).toEqual([[], 0])
  expect(await slugsOf({ offset: all })).toEqual([[], all])
  const [definition] = (await reportDefinitions(db, first)).data
  expect(definition).toEqual(await reportDefinition(db, 'status-counts'))
  expect(definition).toEqual({
    ...{ slug: 'status-counts', name: 'Status counts', description: 'How many events succeeded, failed, and are pending.' },
    ...{ cache_ttl_seconds: 60, default_window: 'day', supported_filters: ['status'] },
    allowed_windows: [
      { window: 'day', retention_days: 1_100, refresh_interval_minutes: 60 },
      { window: 'week', retention_days: 3_660, refresh_interval_minutes: 360 },
    ],
  })
})
