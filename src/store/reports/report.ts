import { type RawBuilder, sql } from 'kysely'
import { invalidField } from '../../contract/decided-error.ts'
import type { ReportAnswer, ReportRow, RunReportRequest } from '../../contract/report.ts'
import { instantOf } from '../../contract/fields/time.ts'
import { lastDayOf, MONDAY } from '../../ranking/bucket.ts'
import { dayOf } from '../../ranking/day.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { blockOf, blocksInUse } from './report-blocks.ts'
import { reportDefinition } from './report-definition.ts'
import { type ReportQuery, reportQuery } from './report-query.ts'

const RUN_IDS_MAX = 100

/** The rows of a page. */
export interface ReportPage {
  rows: ReportRow[]
  rowCount: number
}

/** How current the buckets of a query are. */
interface Freshness {
  freshAsOf: string | null
  isComplete: boolean
  runIds: string[]
  /** Equal for equal builds of the same buckets. */
  version: string
}

/** A page of a report; undefined when the report does not exist. @throws DecidedError when it cannot do what is asked. */
export async function runReport(db: Queryable, request: RunReportRequest, nowMs: number): Promise<ReportAnswer | undefined> {
  const startedAt = performance.now()
  const query = reportQuery(await reportDefinition(db, request.report_slug), request, nowMs)
  if (query === undefined) return undefined
  const { page, freshness } = await readReport(db, query)
  return reportOf(query, page, freshness, { startedAt, isCacheHit: false })
}

/** Composes an answer. `startedAt` is a value of performance.now(). */
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

interface FreshnessRow {
  freshAsOf: Date | null
  /** How many begun buckets are built. */
  begun: number
  runIds: string[] | null
  isDirty: boolean
  version: string
}

interface ReadRow extends FreshnessRow {
  lines: Line[] | null
  rowCount: number
}

/** A row of a page, with its value of each metric. */
type Line = [bucket: string | null, name: string | null, numbers: Record<string, number>]

/** The page of a query and its freshness, in one snapshot. Reads the snapshots of its buckets, and no events. */
export async function readReport(db: Queryable, query: ReportQuery): Promise<{ page: ReportPage; freshness: Freshness }> {
  const result = await sql<ReadRow>`
    select * from (with ${usedBy(query)}, ${query.isPerBucket ? linesPerBucket(query) : linesOfTotals(query)}
      select ${freshnessOf(query)}, "rowCount",
        (select json_agg(json_build_array(bucket, name, numbers) order by place) from line) as lines
      from counted) report`.execute(db)
  const row = onlyRow(result)
  return { page: pageOf(query, row), freshness: freshnessIn(query, row) }
}

/** How fresh the answer to a query would be. Reads one row per bucket. */
export async function readFreshness(db: Queryable, query: ReportQuery): Promise<Freshness> {
  const result = await sql<FreshnessRow>`
    select * from (with ${usedBy(query)} select ${freshnessOf(query)}) freshness`.execute(db)
  return freshnessIn(query, onlyRow(result))
}

/**
 * An index on the event count alone finds the page. The other metrics are read for the buckets of the page, between its first row and its last one.
 * To join them with the rows of the page takes longer than to read them, because a plan for any page compares each row with each.
 */
function linesPerBucket(query: ReportQuery): RawBuilder<unknown> {
  const { dimension, limit, offset } = query
  const isOfRange = sql`${isOf(query)} and ${isOfValue(query)}`
  const hasEvents = sql`${isOfRange} and metric = 'event_count' and value > 0`
  const edge = (order: 'asc' | 'desc') =>
    sql`(select bucket, name from page order by bucket ${sql.raw(order)}, name ${sql.raw(order)} limit 1)`
  // A bucket may have very many values that are not on the page.
  const isOfPage =
    dimension === null
      ? sql`true`
      : sql`dimension_value = any(array(select distinct name from page))
        and (bucket, dimension_value) >= ${edge('asc')} and (bucket, dimension_value) <= ${edge('desc')}`
  return sql`
    counted as (select count(*)::int as "rowCount" from metric_snapshot where ${hasEvents}),
    page as materialized (
      select bucket, dimension_value as name from metric_snapshot where ${hasEvents}
      order by bucket, dimension_value limit ${limit} offset ${offset}
    ),
    line as (
      select bucket, dimension_value as name, row_number() over (order by bucket, dimension_value) as place,
        json_object_agg(metric, value) as numbers
      from metric_snapshot
      where ${isOfRange} and bucket between (select min(bucket) from page) and (select max(bucket) from page) and ${isOfPage}
      group by bucket, dimension_value having bool_or(metric = 'event_count' and value > 0)
    )`
}

/** Adds up all values to find the page. A ranking may have very many values, so it reads their other metrics for the page alone. */
function linesOfTotals(query: ReportQuery): RawBuilder<unknown> {
  const { slug, isRanked, limit, offset } = query
  const order = isRanked ? sql`events desc, name` : sql`name`
  const windows = isRanked ? (['day', 'week', 'block'] as const) : (['day', 'week'] as const)
  const partsOf = (condition: RawBuilder<unknown>) =>
    sql.join(
      windows.map(
        (window) => sql`
          select dimension_value as name, metric, value from metric_snapshot
          where report_slug = ${slug} and bucket_window = ${sql.lit(window)} and ${isOfValue(query)} and ${condition}
            and bucket = any(array(select bucket from summand where bucket_window = ${sql.lit(window)}))`,
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
  return sql`${summandsOf(query)}, ${steps},
    line as (
      select null as bucket, name, place, json_object_agg(metric, value) as numbers from page join number using (name)
      group by name, place
    )`
}

/** The buckets whose numbers are added up: those that are used, and blocks in place of their weeks. */
function summandsOf({ slug, isRanked }: ReportQuery): RawBuilder<unknown> {
  if (!isRanked) return sql`summand as (select bucket, bucket_window from used)`
  return sql`
    block as materialized (${blocksInUse(slug, sql`select bucket, built_at from used where bucket_window = 'week'`)}),
    summand as materialized (
      select bucket, 'block' as bucket_window from block
      union all
      select bucket, bucket_window from used where bucket_window = 'day' or ${blockOf(sql`bucket`)} not in (select bucket from block)
    )`
}

function isOf({ slug, window, first, last }: ReportQuery): RawBuilder<unknown> {
  return sql`report_slug = ${slug} and bucket_window = ${window} and bucket between ${first}::date and ${last}::date`
}

function isOfValue({ dimension, value }: ReportQuery): RawBuilder<unknown> {
  if (dimension === null) return sql`dimension_key is null`
  // A literal, because PostgreSQL must see that the index by entity fits.
  const isOfKey = sql`dimension_key = ${sql.lit(dimension)}`
  return value === undefined ? isOfKey : sql`${isOfKey} and dimension_value = ${value}`
}

/**
 * `used` are the builds to read, and `run` sums them up per run. Totals of days read a week instead of its days where all seven days
 * are built and the week was built after each of them: it has every event of its days, in a seventh of the rows.
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

function freshnessIn({ bucketsBegun }: ReportQuery, row: FreshnessRow): Freshness {
  return {
    freshAsOf: row.freshAsOf === null ? null : row.freshAsOf.toISOString(),
    isComplete: row.begun === bucketsBegun && !row.isDirty,
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

/** A sum that a JSON number holds exactly. */
function exactly(sum: number): number {
  if (Number.isSafeInteger(sum)) return sum
  throw invalidField('date_from', 'would make an amount more than 2^53 - 1, which JSON does not hold exactly: ask for fewer days')
}
