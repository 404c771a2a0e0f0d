import { type RawBuilder, sql } from 'kysely'
import {
  type Breakdown,
  REPORT_DAYS_MAX,
  type Report,
  type ReportDefinition,
  type ReportRow,
  type ReportSlug,
  type RunReportRequest,
  type Window,
} from '../contract/report.ts'
import { DAY_MS, EARLIEST_MS, instantOf } from '../contract/time.ts'
import { BUCKET_DAYS, bucketOf, bucketsOf, dayOf, daysAfter } from '../ranking/bucket.ts'
import type { Database } from './database.ts'
import { reportDefinition } from './report-definition.ts'
import { WrongField } from './wrong-field.ts'

const RANGE_DAYS_DEFAULT = 30
const RUN_IDS_MAX = 100
const DAY_MIN = dayOf(EARLIEST_MS)
const DAY_MAX = '2100-12-31'

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
  window: Window
  /** The first days of its buckets, in order. */
  buckets: string[]
  /** Of the buckets, how many have begun. */
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

/** A page of a report; undefined when there is no such report. @throws WrongField for what the report does not have. */
export async function runReport(db: Database, request: RunReportRequest, nowMs: number): Promise<Report | undefined> {
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
): Report {
  return {
    report_slug: query.slug,
    window: query.window,
    date_from: query.buckets[0]!,
    date_to: daysAfter(query.buckets.at(-1)!, BUCKET_DAYS[query.window] - 1),
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

/** What a request asks of a report; undefined when there is none. @throws WrongField for what the report does not have. */
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
  const buckets = bucketsOf(window, { from, to })
  const current = bucketOf(window, dayOf(nowMs))
  return {
    ...shape,
    // Of one value alone the snapshots of all events say nothing.
    dimension: shape.dimension ?? filter?.dimension ?? null,
    slug,
    window,
    buckets,
    begun: buckets.filter((bucket) => bucket <= current).length,
    value: filter?.value,
    limit: request.limit,
    offset: request.offset,
    nowMs,
    cacheTtlSeconds: definition.cache_ttl_seconds,
  }
}

function windowOf({ slug, default_window, allowed_windows }: ReportDefinition, request: RunReportRequest): Window {
  const { window = default_window } = request
  const allowed = allowed_windows.map((one) => one.window)
  if (allowed.includes(window)) return window
  throw new WrongField('window', `of ${slug} must be ${allowed.join(' or ')}`)
}

function shapeOf(slug: ReportSlug, { breakdown }: RunReportRequest): Shape {
  const shapes = SHAPES[slug]
  const names = Object.keys(shapes)
  if (breakdown === undefined) return shapes[names[0] as Breakdown]!
  const shape = shapes[breakdown]
  if (shape !== undefined) return shape
  throw new WrongField('breakdown', 'none' in shapes ? `is not for ${slug}` : `of ${slug} must be ${names.join(' or ')}`)
}

function filterOf({ slug, supported_filters }: ReportDefinition, request: RunReportRequest) {
  for (const dimension of ['source', 'status'] as const) {
    const value = request[dimension]
    if (value === undefined) continue
    if (!supported_filters.includes(dimension)) throw new WrongField(dimension, `is no filter of ${slug}`)
    return { dimension, value }
  }
  return undefined
}

function rangeOf({ date_from, date_to }: RunReportRequest, today: string): { from: string; to: string } {
  for (const [field, day] of Object.entries({ date_from, date_to })) {
    if (day !== undefined && (day < DAY_MIN || day > DAY_MAX))
      throw new WrongField(field, `must be from ${DAY_MIN} to ${DAY_MAX}`)
  }
  const to = date_to ?? today
  const from = date_from ?? daysAfter(to, 1 - RANGE_DAYS_DEFAULT)
  if (from > to) throw new WrongField('date_from', `must not be after the last day, which is ${to}`)
  const days = 1 + (Date.parse(to) - Date.parse(from)) / DAY_MS
  if (days > REPORT_DAYS_MAX)
    throw new WrongField('date_from', `would make it ${days} days, and a report has at most ${REPORT_DAYS_MAX}`)
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
  lines: [...key: RowKey, events: number][] | null
  numbers: [...key: RowKey, metric: string, value: number][] | null
  rowCount: number
}

type RowKey = [bucket: string | null, name: string | null]

/**
 * The page of a query and how fresh it is, of one snapshot. Costs what was built of its buckets, and not the events behind them: one
 * number per bucket and value of the dimension to find the page, and all numbers of the page's buckets; of totals, all numbers of
 * the range, of a ranking those of the page's alone.
 */
export async function readReport(db: Database, query: ReportQuery): Promise<{ page: ReportPage; freshness: Freshness }> {
  const { isPerBucket, isRanked, limit, offset } = query
  const order = isRanked ? sql`events desc, name` : sql`bucket, name`
  const isOfRows = sql`${isOf(query)} and ${isOfValue(query)}`
  // What is added up was numbers of a bucket, each there once.
  const [line, number] = isPerBucket
    ? [
        sql`select bucket, dimension_value as name, value as events from metric_snapshot
          where ${isOfRows} and metric = 'event_count' and value > 0`,
        sql`select bucket, dimension_value as name, metric, value from metric_snapshot
          where ${isOfRows} and bucket between (select min(bucket) from page) and (select max(bucket) from page)`,
      ]
    : [
        sql`select null::date as bucket, dimension_value as name, sum(value) as events from metric_snapshot
          where ${isOfRows} and metric = 'event_count' and value > 0 group by dimension_value`,
        sql`select null::date as bucket, dimension_value as name, metric,
            case metric when 'processing_ms_max' then max(value) else sum(value) end as value from metric_snapshot
          where ${isOfRows} ${isRanked ? sql`and dimension_value = any(array(select name from page))` : sql``}
          group by dimension_value, metric`,
      ]
  const { rows } = await sql<ReadRow>`
    select * from (
      with line as materialized (${line}), page as materialized (
        select bucket, name, events from line order by ${order} limit ${limit} offset ${offset}
      ), number as (${number}), built as (${builtOf(query)})
      select
        (select json_agg(json_build_array(bucket, name, events) order by ${order}) from page) as lines,
        (select json_agg(json_build_array(bucket, name, metric, value)) from number) as numbers,
        (select count(*)::int from line) as "rowCount",
        ${freshnessOf(query)}
      from built
    ) report`.execute(db)
  const row = rows[0]!
  return { page: pageOf(query, row), freshness: freshnessIn(query, row) }
}

/** How fresh the answer to a query would be. Costs a look at its buckets. */
export async function readFreshness(db: Database, query: ReportQuery): Promise<Freshness> {
  const { rows } = await sql<FreshnessRow>`
    select * from (with built as (${builtOf(query)}) select ${freshnessOf(query)} from built) freshness`.execute(db)
  return freshnessIn(query, rows[0]!)
}

function isOf({ slug, window, buckets }: ReportQuery): RawBuilder<unknown> {
  return sql`report_slug = ${slug} and bucket_window = ${window} and bucket between ${buckets[0]}::date and ${buckets.at(-1)}::date`
}

function isOfValue({ dimension, value }: ReportQuery): RawBuilder<unknown> {
  if (dimension === null) return sql`dimension_key is null`
  // A literal: PostgreSQL must see that it is that of the index by entity.
  const isOfKey = sql`dimension_key = ${sql.lit(dimension)}`
  return value === undefined ? isOfKey : sql`${isOfKey} and dimension_value = ${value}`
}

function builtOf(query: ReportQuery): RawBuilder<unknown> {
  return sql`select bucket, built_at, run_id from report_bucket where ${isOf(query)}`
}

function freshnessOf({ slug, window, buckets, nowMs }: ReportQuery): RawBuilder<unknown> {
  const last = daysAfter(buckets.at(-1)!, BUCKET_DAYS[window] - 1)
  return sql`
    min(built_at) as "freshAsOf",
    count(*) filter (where bucket <= ${dayOf(nowMs)}::date)::int as begun,
    (select json_agg(run_id) from (
      select run_id from built group by run_id order by max(built_at) desc, run_id limit ${sql.lit(RUN_IDS_MAX)}) run) as "runIds",
    exists (select from dirty_mark where report_slug = ${slug} and bucket_window = ${window}
      and day between ${buckets[0]}::date and ${last}::date) as "isDirty",
    coalesce(bit_xor(hash_record_extended(built, 0)), 0)::text as version`
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

function pageOf({ isPerBucket, field }: ReportQuery, { lines, numbers, rowCount }: ReadRow): ReportPage {
  const byRow = new Map<string, Map<string, number>>()
  for (const [bucket, name, metric, value] of numbers ?? []) {
    const key = `${bucket} ${name}`
    if (!byRow.has(key)) byRow.set(key, new Map())
    byRow.get(key)!.set(metric, value)
  }
  const rows = (lines ?? []).map(([bucket, name, events]) => ({
    ...(isPerBucket && { bucket_date: bucket! }),
    ...(field && { [field]: name! }),
    event_count: events,
    ...numbersIn(byRow.get(`${bucket} ${name}`)!),
  }))
  return { rows, rowCount }
}

function numbersIn(numbers: ReadonlyMap<string, number>): Omit<ReportRow, 'event_count'> {
  const currencies = [...numbers.keys()].filter((metric) => metric.startsWith(AMOUNT)).toSorted()
  const count = numbers.get('processing_ms_count')
  return {
    amounts: currencies.map((metric) => ({ currency: metric.slice(AMOUNT.length), amount: numbers.get(metric)! })),
    processing_ms_avg: count ? numbers.get('processing_ms_sum')! / count : null,
    processing_ms_max: numbers.get('processing_ms_max') ?? null,
  }
}
