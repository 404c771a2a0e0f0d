import { sql } from 'kysely'
import { REPORT_SLUGS, WINDOWS } from '../../contract/report.ts'
import type { Drift } from '../../contract/verify.ts'
import { BUCKET_DAYS, lastDayOf } from '../../ranking/bucket.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { compare, exact } from './drift.ts'
import { firstWholeBucket, type Scope, snapshotsOf } from '../reports/report-buckets.ts'
import type { Day } from '../../ranking/day.ts'

/**
 * Adds the events up again for every bucket that was built, and lists the snapshots that differ. Left out are those that nobody calls
 * complete, because events came since, and those from before the horizon, whose events are gone. Costs a pass over the analytics
 * events for each report and window.
 */
export async function snapshotDrift(tx: Queryable, horizon: Date): Promise<Drift[]> {
  const drift: Drift[] = []
  for (const report of REPORT_SLUGS) {
    for (const window of WINDOWS) drift.push(...(await scopeDrift(tx, { report, window }, firstWholeBucket(window, horizon))))
  }
  return drift
}

async function scopeDrift(tx: Queryable, scope: Scope, first: Day): Promise<Drift[]> {
  const { report, window } = scope
  const ofScope = sql`report_slug = ${report} and bucket_window = ${window}`
  const built = await sql<{ from: Day | null; to: Day | null }>`
    select min(bucket)::text as from, max(bucket)::text as to from report_bucket where ${ofScope} and bucket >= ${first}::date`.execute(
    tx,
  )
  // Of a report without a bucket every snapshot is one too many.
  const bounds = onlyRow(built)
  const [from, to] = [bounds.from ?? first, bounds.to ?? first]
  const isProved = sql`bucket >= ${first}::date and not exists (
    select from dirty_mark m where m.report_slug = ${report} and m.bucket_window = ${window} and m.day >= s.bucket and m.day < s.bucket + ${BUCKET_DAYS[window]}::int)`
  const columns = sql`${report} as report_slug, ${window} as bucket_window, bucket, coalesce(dimension_key, '') as dimension_key,
    coalesce(dimension_value, '') as dimension_value, metric, value`
  return compare(tx, {
    aggregate: 'metric_snapshot',
    key: ['report_slug', 'bucket_window', 'bucket', 'dimension_key', 'dimension_value', 'metric'],
    stored: sql`select ${columns} from metric_snapshot s where ${ofScope} and ${isProved}`,
    expected: sql`
      select ${columns} from (${snapshotsOf(scope, { from, to: lastDayOf(window, to) })}) s
      where ${isProved} and exists (select from report_bucket b where b.report_slug = ${report} and b.bucket_window = ${window} and b.bucket = s.bucket)`,
    cells: [exact('value')],
  })
}
