import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { ReportAnswer, ReportRow, ReportSlug, RunReportRequest, ReportWindow } from '../../../src/contract/report.ts'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import { REPORTS, shapeOf } from '../../../src/store/reports/report-definition.ts'
import type { Queryable } from '../../../src/store/database/connection.ts'

/** The fields of an event that reports read. */
export interface ReportedEvent {
  day: string
  source: string
  status: string
  entity: string
  ms: number | null
  amount: number | null
  currency: string | null
}

/** The first day of a bucket: slow, a day back at a time. */
export function slowBucketOf(day: string, window: ReportWindow): string {
  let date = new Date(day)
  while (window === 'week' && date.getUTCDay() !== 1) date = new Date(date.getTime() - DAY_MS)
  return date.toISOString().slice(0, 10)
}

/** Every number of some events, by metric. */
function numbersOf(events: readonly ReportedEvent[]): Record<string, number> {
  const times = events.flatMap(({ ms }) => ms ?? [])
  const numbers: Record<string, number> = { event_count: events.length }
  if (times.length > 0) {
    numbers['processing_ms_count'] = times.length
    numbers['processing_ms_sum'] = times.reduce((sum, ms) => sum + ms, 0)
    numbers['processing_ms_max'] = Math.max(...times)
  }
  for (const { amount, currency } of events) {
    if (amount !== null) numbers[`amount:${currency}`] = (numbers[`amount:${currency}`] ?? 0) + amount
  }
  return numbers
}

/** Builds buckets of a report from nothing but these events. */
export async function buildBuckets(
  db: Queryable,
  events: readonly ReportedEvent[],
  scope: { slug: ReportSlug; window: ReportWindow; buckets: readonly string[]; builtAt: string; runId?: string },
): Promise<void> {
  const { slug, window, buckets, builtAt, runId = randomUUID() } = scope
  const cells: [string, string | null, string | null, string, number][] = buckets.flatMap((bucket) =>
    [null, REPORTS[slug].dimension].flatMap((key) => {
      const own = events.filter(({ day }) => slowBucketOf(day, window) === bucket)
      const values = key === null ? [null] : [...new Set(own.map((event) => event[key]))]
      return values.flatMap((value) => {
        const some = own.filter((event) => key === null || event[key] === value)
        const numbers = some.length === 0 ? [] : Object.entries(numbersOf(some))
        return numbers.map(([metric, number]): (typeof cells)[number] => [bucket, key, value, metric, number])
      })
    }),
  )
  await sql`
    insert into metric_snapshot (report_slug, bucket_window, run_id, bucket, dimension_key, dimension_value, metric, value)
    select ${slug}, ${window}, ${runId}::uuid, * from unnest(${cells.map((cell) => cell[0])}::date[],
      ${cells.map((cell) => cell[1])}::text[], ${cells.map((cell) => cell[2])}::text[], ${cells.map((cell) => cell[3])}::text[],
      ${cells.map((cell) => cell[4])}::bigint[])`.execute(db)
  await sql`
    insert into report_bucket (report_slug, bucket_window, run_id, built_at, bucket)
    select ${slug}, ${window}, ${runId}::uuid, ${builtAt}::timestamptz, unnest(${[...buckets]}::date[])`.execute(db)
}

/** The expected rows of all pages of a report over these events. The range is in days. */
export function expectedRows(
  events: readonly ReportedEvent[],
  request: RunReportRequest & { window: ReportWindow },
): ReportRow[] {
  const { report_slug: slug, window, source, status } = request
  const { isPerBucket, field: shown, isRanked } = shapeOf(slug as ReportSlug, request.breakdown)!
  const field = shown === 'entity_id' ? 'entity' : shown
  const groups = new Map<string, ReportedEvent[]>()
  for (const event of events) {
    if ((source !== undefined && event.source !== source) || (status !== undefined && event.status !== status)) continue
    const key = JSON.stringify([isPerBucket && slowBucketOf(event.day, window), field !== undefined && event[field]])
    groups.set(key, [...(groups.get(key) ?? []), event])
  }
  const rows = [...groups].map(([key, some]): ReportRow => {
    const [bucket, name] = JSON.parse(key) as [string | false, string | false]
    const numbers = numbersOf(some)
    const count = numbers['processing_ms_count']
    return {
      ...(bucket && { bucket_date: bucket }),
      ...(name && { [field === 'entity' ? 'entity_id' : (field as string)]: name }),
      event_count: some.length,
      amounts: ['EUR', 'JPY'].flatMap((currency) => {
        const amount = numbers[`amount:${currency}`]
        return amount === undefined ? [] : { currency, amount }
      }),
      processing_ms_avg: count === undefined ? null : numbers['processing_ms_sum']! / count,
      processing_ms_max: numbers['processing_ms_max'] ?? null,
    }
  })
  const nameOf = (row: ReportRow) => row.source ?? row.status ?? row.entity_id ?? ''
  const compare = (one: string, other: string) => (one === other ? 0 : one < other ? -1 : 1)
  return rows.toSorted(
    (one, other) =>
      (isRanked ? other.event_count - one.event_count : compare(one.bucket_date ?? '', other.bucket_date ?? '')) ||
      compare(nameOf(one), nameOf(other)),
  )
}

/** The part of an answer that does not depend on the time of the request. */
export function timeless({
  execution_ms: _ms,
  generated_at: _at,
  ...rest
}: ReportAnswer): Omit<ReportAnswer, 'execution_ms' | 'generated_at'> {
  return rest
}
