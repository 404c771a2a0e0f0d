import { sql } from 'kysely'
import { REPORT_SLUGS, type ReportSlug, WINDOWS } from '../../contract/report.ts'
import { BUCKET_DAYS, lastDayOf } from '../../ranking/bucket.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { type Aggregate, compare, exact, type Finding, joined } from './drift.ts'
import { blocksInUse, builtWeeks, REPORTS_IN_BLOCKS, sumsOfWeeks } from '../reports/report-blocks.ts'
import { firstWholeBucket, type Scope, snapshotsOf } from '../reports/report-buckets.ts'
import type { Day } from '../../ranking/day.ts'

const KEY = ['report_slug', 'bucket_window', 'bucket', 'dimension_key', 'dimension_value', 'metric']

/** Snapshots of reports. Costs a pass over the analytics events for each report and window. */
export const METRIC_SNAPSHOT: Aggregate = {
  table: 'metric_snapshot',
  key: KEY,
  cells: ['value'],
  prove: (tx, { horizon }) => snapshotDrift(tx, horizon),
}

/**
 * Adds up the events of every built bucket again, and compares them with the snapshots. It leaves out buckets that are not complete,
 * because events came since they were built, and buckets from before the horizon, because their events are gone.
 */
export async function snapshotDrift(tx: Queryable, horizon: Date): Promise<Finding> {
  const findings: Finding[] = []
  for (const report of REPORT_SLUGS) {
    for (const window of WINDOWS) findings.push(await scopeDrift(tx, { report, window }, firstWholeBucket(window, horizon)))
  }
  for (const report of REPORTS_IN_BLOCKS) findings.push(await blockDrift(tx, report))
  return joined(findings)
}

/** Compares the blocks in use with the sums of the weeks that they stand for, which are proved themselves. */
function blockDrift(tx: Queryable, report: ReportSlug): Promise<Finding> {
  const columns = sql`${report} as report_slug, 'block' as bucket_window, bucket, dimension_key, dimension_value, metric, value`
  const isInUse = sql`bucket in (${blocksInUse(report, builtWeeks(report))})`
  return compare(tx, {
    table: 'metric_snapshot',
    key: KEY,
    stored: sql`select ${columns} from metric_snapshot where report_slug = ${report} and bucket_window = 'block' and ${isInUse}`,
    expected: sql`select ${columns} from (${sumsOfWeeks(report, sql`true`)}) week where ${isInUse}`,
    cells: [exact('value')],
  })
}

async function scopeDrift(tx: Queryable, scope: Scope, first: Day): Promise<Finding> {
  const { report, window } = scope
  const ofScope = sql`report_slug = ${report} and bucket_window = ${window}`
  const built = await sql<{ from: Day | null; to: Day | null }>`
    select min(bucket)::text as from, max(bucket)::text as to from report_bucket where ${ofScope} and bucket >= ${first}::date`.execute(
    tx,
  )
  // Every snapshot of a report without buckets is one too many.
  const bounds = onlyRow(built)
  const [from, to] = [bounds.from ?? first, bounds.to ?? first]
  const isProved = sql`bucket >= ${first}::date and not exists (
    select from dirty_mark m where m.report_slug = ${report} and m.bucket_window = ${window} and m.day >= s.bucket and m.day < s.bucket + ${BUCKET_DAYS[window]}::int)`
  const columns = sql`${report} as report_slug, ${window} as bucket_window, bucket, coalesce(dimension_key, '') as dimension_key,
    coalesce(dimension_value, '') as dimension_value, metric, value`
  return compare(tx, {
    table: 'metric_snapshot',
    key: KEY,
    stored: sql`select ${columns} from metric_snapshot s where ${ofScope} and ${isProved}`,
    expected: sql`
      select ${columns} from (${snapshotsOf(scope, { from, to: lastDayOf(window, to) })}) s
      where ${isProved} and exists (select from report_bucket b where b.report_slug = ${report} and b.bucket_window = ${window} and b.bucket = s.bucket)`,
    cells: [exact('value')],
  })
}
