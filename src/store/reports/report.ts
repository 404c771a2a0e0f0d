import { invalidField } from '../../contract/decided-error.ts'
import { type RawBuilder, sql } from 'kysely'
import {
  type Breakdown,
  REPORT_DAYS_MAX,
  type ReportAnswer,
  type ReportDefinition,
  type ReportRow,
  type ReportSlug,
  type RunReportRequest,
  type ReportWindow,
} from '../../contract/report.ts'
import { DAY_MS, EARLIEST_MS, instantOf } from '../../contract/time.ts'
import { bucketOf, bucketsIn, type Day, dayOf, daysAfter, lastDayOf } from '../../ranking/bucket.ts'
import type { Queryable } from '../database/connection.ts'
import { reportDefinition } from './report-definition.ts'
import { onlyRow } from '../database/rows.ts'

const RANGE_DAYS_DEFAULT = 30
const RUN_IDS_MAX = 100
const DAY_MIN = dayOf(EARLIEST_MS)
const DAY_MAX = '2100-12-31'
/** Weeks begin like it. Every day of a report is later. */
const MONDAY = '1999-12-27'

/** What the rows of a breakdown are. */
interface Shape {
  /** Which snapshots they are made of; null for those of all events of a bucket. */
  dimension: 'source' | 'status' | 'entity' | null
  /** Whether each bucket has its own rows; totals of the range otherwise. */
  isPerBucket: boolean
  /** The field that tells the value of the dimension. */
  field?: 'source' | 'status' | 'entity_id'
  /** With the most events first. */
  isRanked?: boolean
}

/** The breakdowns of each report, the default first. A report without any has one shape. */
const SHAPES: Record<ReportSlug, Partial<Record<Breakdown | 'none', Shape>>> = {
  'volume-by-period': {
    period: { dimension: null, isPerBucket: true },
    source: { dimension: 'source', isPerBucket: true, field: 'source' },
  },
  'status-counts': {
    status: { dimension: 'status', isPerBucket: false, field: 'status' },
    period: { dimension: 'status', isPerBucket: true, field: 'status' },
  },
  'top-entities': { none: { dimension: 'entity', isPerBucket: false, field: 'entity_id', isRanked: true } },
}

/** A request that was found good, with what it left out. */
export interface ReportQuery extends Shape {
  slug: ReportSlug
  window: ReportWindow
  /** The first days of its first bucket and of its last one. */
  first: Day
  last: Day
  /** How many of its buckets have begun. */
  begun: number
  /** The value of the dimension that it is about alone. */
  value: string | undefined
  limit: number
  offset: number
  nowMs: number
  cacheTtlSeconds: number
}

/** The rows of a page. */
export interface ReportPage {
  rows: ReportRow[]
  rowCount: number
}

/** How far its buckets are built. Two with one version are of the same builds. */
export interface Freshness {
  freshAsOf: string | null
  isComplete: boolean
  runIds: string[]
  version: string
}

/** A page of a report; undefined when there is no such report. @throws DecidedError for what the report does not have. */
export async function runReport(db: Queryable, request: RunReportRequest, nowMs: number): Promise<ReportAnswer | undefined> {
  const startedAt = performance.now()
  const query = reportQuery(await reportDefinition(db, request.report_slug), request, nowMs)
  if (query === undefined) return undefined
  const { page, freshness } = await readReport(db, query)
  return reportOf(query, page, freshness, { startedAt, isCacheHit: false })
}

/** Puts an answer together; `startedAt` is by performance.now(). */
export function reportOf(
  query: ReportQuery,
  { rows, rowCount }: ReportPage,
  { freshAsOf, isComplete, runIds }: Freshness,
  { startedAt, isCacheHit }: { startedAt: number; isCacheHit: boolean },
): ReportAnswer {
  return {
    report_slug: query.slug,
    window: query.window,
    date_from: query.first,
    date_to: lastDayOf(query.window, query.last),
    generated_at: instantOf(query.nowMs),
    rows,
    row_count: rowCount,
    execution_ms: Math.round((performance.now() - startedAt) * 1_000) / 1_000,
    cache_hit: isCacheHit,
    fresh_as_of: freshAsOf,
    complete: isComplete,
    run_ids: runIds,
  }
}

/** What a request asks of a report; undefined when there is none. @throws DecidedError for what the report does not have. */
export function reportQuery(
  definition: ReportDefinition | undefined,
  request: RunReportRequest,
  nowMs: number,
): ReportQuery | undefined {
  if (definition === undefined || !Object.hasOwn(SHAPES, definition.slug)) return undefined
  const slug = definition.slug as ReportSlug
  const window = windowOf(definition, request)
  const shape = shapeOf(slug, request)
  const filter = filterOf(definition, request)
  const { from, to } = rangeOf(request, dayOf(nowMs))
  const [first, last, current] = [from, to, dayOf(nowMs)].map((day) => bucketOf(window, day)) as [Day, Day, Day]
  const lastBegun = last < current ? last : current
  return {
    ...shape,
    // Of one value alone the snapshots of all events say nothing.
    dimension: shape.dimension ?? filter?.dimension ?? null,
    slug,
    window,
    first,
    last,
    begun: lastBegun < first ? 0 : bucketsIn(window, { from: first, to: lastDayOf(window, lastBegun) }),
    value: filter?.value,
    limit: request.limit,
    offset: request.offset,
    nowMs,
    cacheTtlSeconds: definition.cache_ttl_seconds,
  }
}

function windowOf({ slug, default_window, allowed_windows }: ReportDefinition, request: RunReportRequest): ReportWindow {
  const { window = default_window } = request
  const allowed = allowed_windows.map((one) => one.window)
  if (allowed.includes(window)) return window
  throw invalidField('window', `of ${slug} must be ${allowed.join(' or ')}`)
}

function shapeOf(slug: ReportSlug, { breakdown }: RunReportRequest): Shape {
  const shapes = SHAPES[slug]
  const names = Object.keys(shapes)
  if (breakdown === undefined) return shapes[names[0] as Breakdown]!
  const shape = shapes[breakdown]
  if (shape !== undefined) return shape
  throw invalidField('breakdown', 'none' in shapes ? `is not for ${slug}` : `of ${slug} must be ${names.join(' or ')}`)
}

function filterOf({ slug, supported_filters }: ReportDefinition, request: RunReportRequest) {
  for (const dimension of ['source', 'status'] as const) {
    const value = request[dimension]
    if (value === undefined) continue
    if (!supported_filters.includes(dimension)) throw invalidField(dimension, `is no filter of ${slug}`)
    return { dimension, value }
  }
  return undefined
}

function rangeOf({ date_from, date_to }: RunReportRequest, today: string): { from: string; to: string } {
  for (const [field, day] of Object.entries({ date_from, date_to })) {
    if (day !== undefined && (day < DAY_MIN || day > DAY_MAX)) throw invalidField(field, `must be from ${DAY_MIN} to ${DAY_MAX}`)
  }
  const to = date_to ?? today
  const from = date_from ?? daysAfter(to, 1 - RANGE_DAYS_DEFAULT)
  if (from > to) throw invalidField('date_from', `must not be after the last day, which is ${to}`)
  const days = 1 + (Date.parse(to) - Date.parse(from)) / DAY_MS
  if (days > REPORT_DAYS_MAX)
    throw invalidField('date_from', `would make it ${days} days, and a report has at most ${REPORT_DAYS_MAX}`)
  return { from, to }
}

interface FreshnessRow {
  freshAsOf: Date | null
  begun: number
  runIds: string[] | null
  isDirty: boolean
  version: string
}

interface ReadRow extends FreshnessRow {
  lines: Line[] | null
  rowCount: number
}

/** A row of a page, with its number of each metric. */
type Line = [bucket: string | null, name: string | null, numbers: Record<string, number>]

/** The page of a query and how fresh it is, of one snapshot. Costs what was built of its buckets, and not the events behind them. */
export async function readReport(db: Queryable, query: ReportQuery): Promise<{ page: ReportPage; freshness: Freshness }> {
  const result = await sql<ReadRow>`
    select * from (with ${usedBy(query)}, ${query.isPerBucket ? linesPerBucket(query) : linesOfTotals(query)}
      select ${freshnessOf(query)}, "rowCount",
        (select json_agg(json_build_array(bucket, name, numbers) order by place) from line) as lines
      from counted) report`.execute(db)
  const row = onlyRow(result)
  return { page: pageOf(query, row), freshness: freshnessIn(query, row) }
}

/** How fresh the answer to a query would be. Costs a look at its buckets. */
export async function readFreshness(db: Queryable, query: ReportQuery): Promise<Freshness> {
  const result = await sql<FreshnessRow>`
    select * from (with ${usedBy(query)} select ${freshnessOf(query)}) freshness`.execute(db)
  return freshnessIn(query, onlyRow(result))
}

/** The page is found in an index by the count of events alone; the numbers are those of the page's buckets. */
function linesPerBucket(query: ReportQuery): RawBuilder<unknown> {
  const { dimension, limit, offset } = query
  const isOfRows = sql`${isOf(query)} and ${isOfValue(query)}`
  const isThere = sql`${isOfRows} and metric = 'event_count' and value > 0`
  // A bucket may have very many values that are not of the page.
  const isOfNames = dimension === null ? sql`` : sql`and dimension_value = any(array(select distinct name from page))`
  return sql`
    counted as (select count(*)::int as "rowCount" from metric_snapshot where ${isThere}),
    page as materialized (
      select bucket, dimension_value as name, row_number() over (order by bucket, dimension_value) as place
      from metric_snapshot where ${isThere} order by bucket, dimension_value limit ${limit} offset ${offset}
    ),
    number as materialized (
      select bucket, dimension_value as name, json_object_agg(metric, value) as numbers from metric_snapshot
      where ${isOfRows} and bucket between (select min(bucket) from page) and (select max(bucket) from page) ${isOfNames}
      group by bucket, dimension_value
    ),
    line as (
      select bucket, page.name, place, numbers from page join number using (bucket ${dimension === null ? sql`` : sql`, name`})
    )`
}

/** All values are added up to find the page; of a ranking, which may have very many, their other numbers are for the page alone. */
function linesOfTotals(query: ReportQuery): RawBuilder<unknown> {
  const { slug, isRanked, limit, offset } = query
  const order = isRanked ? sql`events desc, name` : sql`name`
  const partsOf = (condition: RawBuilder<unknown>) =>
    sql.join(
      (['day', 'week'] as const).map(
        (window) => sql`
          select dimension_value as name, metric, value from metric_snapshot
          where report_slug = ${slug} and bucket_window = ${sql.lit(window)} and ${isOfValue(query)} and ${condition}
            and bucket = any(array(select bucket from used where bucket_window = ${sql.lit(window)}))`,
      ),
      sql` union all `,
    )
  const numbersOf = (condition: RawBuilder<unknown>) => sql`
    number as materialized (
      select name, metric, case metric when 'processing_ms_max' then max(value) else sum(value) end as value
      from (${partsOf(condition)}) part group by name, metric
    )`
  const page = sql`
    counted as (select count(*)::int as "rowCount" from total),
    page as materialized (
      select name, row_number() over (order by ${order}) as place from total order by ${order} limit ${limit} offset ${offset}
    )`
  const steps = isRanked
    ? sql`
      total as materialized (
        select name, sum(value) as events from (${partsOf(sql`metric = 'event_count'`)}) part group by name having sum(value) > 0
      ), ${page}, ${numbersOf(sql`dimension_value = any(array(select name from page))`)}`
    : sql`${numbersOf(sql`true`)}, total as (select name from number where metric = 'event_count' and value > 0), ${page}`
  return sql`${steps},
    line as (
      select null as bucket, name, place, json_object_agg(metric, value) as numbers from page join number using (name)
      group by name, place
    )`
}

function isOf({ slug, window, first, last }: ReportQuery): RawBuilder<unknown> {
  return sql`report_slug = ${slug} and bucket_window = ${window} and bucket between ${first}::date and ${last}::date`
}

function isOfValue({ dimension, value }: ReportQuery): RawBuilder<unknown> {
  if (dimension === null) return sql`dimension_key is null`
  // A literal: PostgreSQL must see that it is that of the index by entity.
  const isOfKey = sql`dimension_key = ${sql.lit(dimension)}`
  return value === undefined ? isOfKey : sql`${isOfKey} and dimension_value = ${value}`
}

/**
 * `used`: the builds that the numbers are of, and `run`: how they were made. For totals of days they are those of a whole week where it
 * was built after each of its days, of which none is missing: it has every event that they have, in a seventh of the rows.
 */
function usedBy(query: ReportQuery): RawBuilder<unknown> {
  const { slug, window, isPerBucket, nowMs } = query
  const built = sql`select bucket, built_at, run_id, ${window}::text as bucket_window, 1 as stands_for from report_bucket where ${isOf(query)}`
  const used =
    isPerBucket || window === 'week'
      ? sql`used as (${built})`
      : sql`
        built as materialized (select *, bucket - (bucket - ${MONDAY}::date) % 7 as monday from (${built}) day),
        week as materialized (
          select monday as bucket, w.built_at, w.run_id, w.bucket_window, 7 as stands_for
          from (select monday, max(built_at) as built_at from built group by monday having count(*) = 7) day
            join report_bucket w on w.report_slug = ${slug} and w.bucket_window = 'week' and w.bucket = monday and w.built_at > day.built_at
        ),
        used as materialized (
          select * from week
          union all
          select bucket, built_at, run_id, bucket_window, stands_for from built where monday not in (select bucket from week)
        )`
  return sql`${used},
    run as materialized (
      select run_id, min(built_at) as oldest, max(built_at) as newest, count(*) as builds,
        sum(built_at - timestamptz '2000-01-01') as built_at_sum,
        sum(greatest(0, least(stands_for, ${dayOf(nowMs)}::date - bucket + 1))) as begun
      from used group by run_id
    )`
}

function freshnessOf({ slug, window, first, last }: ReportQuery): RawBuilder<unknown> {
  return sql`
    (select min(oldest) from run) as "freshAsOf",
    (select coalesce(sum(begun), 0)::int from run) as begun,
    (select json_agg(run_id order by newest desc, run_id)
      from (select run_id, newest from run order by newest desc, run_id limit ${sql.lit(RUN_IDS_MAX)}) latest) as "runIds",
    exists (select from dirty_mark where report_slug = ${slug} and bucket_window = ${window}
      and day between ${first}::date and ${lastDayOf(window, last)}::date) as "isDirty",
    (select sum(builds) || ' ' || sum(built_at_sum) from run) as version`
}

function freshnessIn({ begun }: ReportQuery, row: FreshnessRow): Freshness {
  return {
    freshAsOf: row.freshAsOf === null ? null : row.freshAsOf.toISOString(),
    isComplete: row.begun === begun && !row.isDirty,
    runIds: row.runIds ?? [],
    version: row.version,
  }
}

const AMOUNT = 'amount:'

function pageOf({ isPerBucket, field }: ReportQuery, { lines, rowCount }: ReadRow): ReportPage {
  const rows = (lines ?? []).map(([bucket, name, numbers]) => ({
    ...(isPerBucket && { bucket_date: bucket! }),
    ...(field && { [field]: name! }),
    ...numbersIn(numbers),
  }))
  return { rows, rowCount }
}

function numbersIn(numbers: Readonly<Record<string, number>>): ReportRow {
  const currencies = Object.keys(numbers)
    .filter((metric) => metric.startsWith(AMOUNT))
    .toSorted()
  const count = numbers['processing_ms_count']
  return {
    event_count: numbers['event_count']!,
    amounts: currencies.map((metric) => ({ currency: metric.slice(AMOUNT.length), amount: exactly(numbers[metric]!) })),
    processing_ms_avg: count ? numbers['processing_ms_sum']! / count : null,
    processing_ms_max: numbers['processing_ms_max'] ?? null,
  }
}

/** A sum that JSON's numbers can say. */
function exactly(sum: number): number {
  if (Number.isSafeInteger(sum)) return sum
  throw invalidField('date_from', 'would make an amount more than 2^53 - 1, which is not told exactly: ask for fewer days')
}
