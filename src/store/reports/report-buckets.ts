import { type RawBuilder, sql } from 'kysely'
import type { ReportSlug, ReportWindow } from '../../contract/report.ts'
import { BUCKET_DAYS, bucketOf } from '../../ranking/bucket.ts'
import type { Queryable } from '../database/connection.ts'
import { takeNamedLocks } from '../database/locks.ts'
import { dropBlocks } from './report-blocks.ts'
import { REPORTS } from './report-definition.ts'
import { onlyRow } from '../database/rows.ts'
import { type Day, type Days, dayOf, daysAfter, daysBefore, startOf } from '../../ranking/day.ts'

/** The buckets of a report in a window. They are rebuilt in turn. */
export interface Scope {
  report: ReportSlug
  window: ReportWindow
}

interface Rebuilt {
  /** The first rebuilt day. Later than requested where buckets are frozen. */
  from: Day
  rowsDeleted: number
  rowsInserted: number
}

/** Locks the buckets of the scope until the transaction ends, so that two transactions never change them at once. */
export function takeScopeLock(tx: Queryable, { report, window }: Scope): Promise<void> {
  return takeNamedLocks(tx, [['report', report, window]])
}

/**
 * Rebuilds whole buckets from the current events. The transaction must be READ COMMITTED and hold the scope, so that each statement
 * sees what was committed when it began. Buckets from before the log's horizon stay unchanged, because their events are gone.
 */
export async function rebuildBuckets(tx: Queryable, scope: Scope, days: Days, runId: string): Promise<Rebuilt> {
  const { report, window } = scope
  const firstDay = firstWholeBucket(window, await heldHorizon(tx))
  const from = days.from > firstDay ? days.from : firstDay
  if (from > days.to) return { from, rowsDeleted: 0, rowsInserted: 0 }
  const ofScope = sql`report_slug = ${report} and bucket_window = ${window}`
  const isBucket = sql`bucket between ${from}::date and ${days.to}::date`
  // The statements below see the events of each mark that this one deletes. A later mark stays.
  await sql`delete from dirty_mark where ${ofScope} and day between ${from}::date and ${days.to}::date`.execute(tx)
  const deleted = await sql`delete from metric_snapshot where ${ofScope} and ${isBucket}`.execute(tx)
  if (window === 'week') await dropBlocks(tx, report, { from, to: days.to })
  const builtAt = sql`statement_timestamp()`
  await sql`
    insert into report_bucket (bucket, built_at, run_id, report_slug, bucket_window)
    select bucket, ${builtAt}, ${runId}::uuid, ${report}, ${window}
    from generate_series(${from}::timestamp, ${days.to}::timestamp, ${strideOf(window)}) bucket
    on conflict (report_slug, bucket_window, bucket) do update set built_at = excluded.built_at, run_id = excluded.run_id`.execute(
    tx,
  )
  const inserted = await insertSnapshots(tx, scope, { from, to: days.to }, runId)
  return { from, rowsDeleted: Number(deleted.numAffectedRows ?? 0), rowsInserted: inserted }
}

async function insertSnapshots(tx: Queryable, scope: Scope, days: Days, runId: string): Promise<number> {
  const inserted = await sql`
    insert into metric_snapshot (value, bucket, dimension_key, dimension_value, metric, run_id, report_slug, bucket_window)
    select value, bucket, dimension_key, dimension_value, metric, ${runId}::uuid, ${scope.report}, ${scope.window}
    from (${snapshotsOf(scope, days)}) s`.execute(tx)
  return Number(inserted.numAffectedRows ?? 0)
}

/**
 * The snapshots of whole buckets by the current events. Adds up the events once, per part and currency, and then these few sums to the
 * totals. Materialized, because PostgreSQL would otherwise sort all events for the totals, which takes twice the time.
 */
export function snapshotsOf({ report, window }: Scope, { from, to }: Days): RawBuilder<unknown> {
  const { dimension, column, value } = REPORTS[report]
  const instantOf = (day: Day) => sql`${`${day}T00:00:00Z`}::timestamptz`
  return sql`
    with part as materialized (
      select date_bin(${strideOf(window)}, occurred_at, ${instantOf(bucketOf('week', from))}) as starts, ${column} as part, currency,
        count(*) as events, count(processing_ms) as timed, sum(processing_ms) as ms, max(processing_ms) as longest, sum(amount) as amount
      from analytics_event
      where occurred_at >= ${instantOf(from)} and occurred_at < ${instantOf(daysAfter(to, 1))}
      group by 1, 2, 3
    ), total as (
      select starts, part, currency, grouping(part) = 1 as is_whole, grouping(currency) = 1 as is_of_all,
        sum(events) as events, sum(timed) as timed, sum(ms) as ms, max(longest) as longest, sum(amount) as amount
      from part group by grouping sets ((starts), (starts, currency), (starts, part), (starts, part, currency))
    )
    select m.value::bigint as value, (starts at time zone 'UTC')::date as bucket, case when not is_whole then ${dimension} end as dimension_key,
      case when not is_whole then ${value} end as dimension_value, m.metric
    from total cross join lateral (
      select 'event_count', events where is_of_all
      union all select 'processing_ms_count', timed where is_of_all and timed > 0
      union all select 'processing_ms_sum', ms where is_of_all and timed > 0
      union all select 'processing_ms_max', longest where is_of_all and timed > 0
      union all select 'amount:' || currency, amount where not is_of_all and currency is not null
    ) m (metric, value)`
}

function strideOf(window: ReportWindow) {
  return sql`${`${BUCKET_DAYS[window]} days`}::interval`
}

/** The horizon of the log, locked until the transaction ends, because a month could otherwise be dropped during the rebuild. */
async function heldHorizon(tx: Queryable): Promise<Date> {
  const result = await sql<{ horizon: Date }>`select horizon from log_horizon for share`.execute(tx)
  return onlyRow(result).horizon
}

/** The first bucket with all of its events in the log. Earlier buckets are frozen. */
export function firstWholeBucket(window: ReportWindow, horizon: Date): Day {
  const bucket = bucketOf(window, dayOf(horizon.getTime()))
  return startOf(bucket) < horizon.getTime() ? daysAfter(bucket, BUCKET_DAYS[window]) : bucket
}

/** The first bucket that ended less than so many days ago. */
export function firstKeptBucket(window: ReportWindow, retentionDays: number, today: Day): Day {
  return bucketOf(window, daysBefore(today, retentionDays))
}
