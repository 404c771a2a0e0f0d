import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { type ReportSlug, REPORT_SLUGS, type ReportWindow, WINDOWS } from '../../../src/contract/report.ts'
import { DAY_MS, instantOf } from '../../../src/contract/fields/time.ts'
import { insertPaymentEvents } from '../../../src/store/reports/analytics-event.ts'
import type { Queryable, Database } from '../../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../../src/store/log/month.ts'
import { REPORTS } from '../../../src/store/reports/report-definition.ts'
import { dirtyRuns, runDue, scheduledRuns } from '../../../src/store/reports/report-refresh.ts'
import type { NewAnalyticsEvent } from '../../../src/admission/analytics-event.ts'

const NOW_MS = Date.now()

/** The UTC day `daysAgo` days ago. */
export const day = (daysAgo: number) => instantOf(NOW_MS - daysAgo * DAY_MS).slice(0, 10)
export const startOf = (text: string) => Date.parse(`${text}T00:00:00Z`)

export function analyticsEvent(values: Partial<NewAnalyticsEvent> = {}): NewAnalyticsEvent {
  return {
    source: 'erp',
    externalRef: randomUUID(),
    entityId: 'order-1',
    status: 'success',
    processingMs: null,
    amount: null,
    currency: null,
    occurredAtMs: Date.now(),
    payload: null,
    ...values,
  }
}

/** Events with their marks, in the caller's transaction. */
export const insertMarked = insertPaymentEvents

export async function recordEvents(db: Database, events: readonly NewAnalyticsEvent[]): Promise<void> {
  await makePartitions(
    db,
    events.map(({ occurredAtMs }) => monthOf(occurredAtMs)),
  )
  await db.transaction().execute((tx) => insertMarked(tx, events))
}

/** Numbers by `report window bucket dimension value metric`. */
export type Snapshots = Record<string, number>

/** The Monday of a day, or the day, by counting back one at a time. */
export function bucketByHand(window: ReportWindow, text: string): string {
  let ms = startOf(text)
  while (window === 'week' && new Date(ms).getUTCDay() !== 1) ms -= DAY_MS
  return instantOf(ms).slice(0, 10)
}

/** The expected snapshots of a report and window, event by event. `buckets` are the built ones. */
export function snapshotsByHand(
  [report, window]: readonly [ReportSlug, ReportWindow],
  events: readonly NewAnalyticsEvent[],
  buckets: ReadonlySet<string>,
): Snapshots {
  const sums: Snapshots = {}
  for (const event of events) {
    const bucket = bucketByHand(window, instantOf(event.occurredAtMs).slice(0, 10))
    if (!buckets.has(bucket)) continue
    const { dimension } = REPORTS[report]
    const part = `${dimension} ${{ source: event.source, status: event.status, entity: event.entityId }[dimension]}`
    for (const whose of ['all', part]) {
      const key = (metric: string) => `${report} ${window} ${bucket} ${whose} ${metric}`
      const add = (metric: string, value: number) => void (sums[key(metric)] = (sums[key(metric)] ?? 0) + value)
      add('event_count', 1)
      if (event.currency !== null) add(`amount:${event.currency}`, event.amount!)
      if (event.processingMs === null) continue
      add('processing_ms_count', 1)
      add('processing_ms_sum', event.processingMs)
      sums[key('processing_ms_max')] = Math.max(sums[key('processing_ms_max')] ?? 0, event.processingMs)
    }
  }
  return sums
}

export async function storedSnapshots(db: Queryable): Promise<Snapshots> {
  const { rows } = await sql<{ key: string; value: string }>`
    select concat_ws(' ', report_slug, bucket_window, bucket::text, coalesce(dimension_key || ' ' || dimension_value, 'all'), metric) as key,
      value
    from metric_snapshot`.execute(db)
  return Object.fromEntries(rows.map(({ key, value }) => [key, Number(value)]))
}

/** The buckets that are built, of each report and window. */
export async function builtBuckets(db: Queryable, [report, window]: readonly [ReportSlug, ReportWindow]): Promise<Set<string>> {
  const { rows } = await sql<{ bucket: string }>`
    select bucket::text from report_bucket where report_slug = ${report} and bucket_window = ${window}`.execute(db)
  return new Set(rows.map(({ bucket }) => bucket))
}

export const SCOPES = REPORT_SLUGS.flatMap((report) => WINDOWS.map((window) => [report, window] as const))

/** The expected snapshots when no mark is left. */
export async function expectedSnapshots(db: Queryable, events: readonly NewAnalyticsEvent[]): Promise<Snapshots> {
  const all = await Promise.all(
    SCOPES.map(async (scope) => {
      const built = await builtBuckets(db, scope)
      const missing = events.find(({ occurredAtMs }) => !built.has(bucketByHand(scope[1], instantOf(occurredAtMs).slice(0, 10))))
      if (missing !== undefined)
        throw new Error(`no bucket of ${scope.join('/')} was built for ${instantOf(missing.occurredAtMs)}`)
      return snapshotsByHand(scope, events, built)
    }),
  )
  return Object.assign({}, ...all) as Snapshots
}

/** Runs the task refresh-reports to its end. */
export async function refreshAll(db: Database, isScheduled = false): Promise<number> {
  const due = [...(await dirtyRuns(db, 0)), ...(isScheduled ? await scheduledRuns(db) : [])]
  for (const run of due) await runDue(db, randomUUID(), run)
  return due.length
}
