import { sql } from 'kysely'
import type { RunKind } from '../../contract/recompute-run.ts'
import { BUCKET_DAYS, bucketOf, bucketsIn, bucketsOf, lastDayOf } from '../../ranking/bucket.ts'
import type { Queryable, Database } from '../database/connection.ts'
import { firstKeptBucket, firstWholeBucket, takeScopeLock, rebuildBuckets, type Scope } from './report-buckets.ts'
import { dropBlocksBefore } from './report-blocks.ts'
import { audit, SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { type Day, type Days, daysAfter, daysIn } from '../../ranking/day.ts'
/** Most days that one transaction rebuilds. Other runs of the same report and window wait for it. */
const DAYS_MAX = 13 * 7

/** Adjacent buckets to rebuild in one transaction. */
interface DueRun extends Scope {
  kind: Exclude<RunKind, 'requested'>
  days: Days
}

/** A report in a window, with the buckets that it keeps. */
interface Kept extends Scope {
  /** The first bucket that is kept and not frozen, and the current bucket. */
  first: Day
  current: Day
  intervalMinutes: number
}

async function keptBuckets(db: Queryable): Promise<Kept[]> {
  const { rows } = await sql<Scope & { retentionDays: number; intervalMinutes: number; horizon: Date; today: Day }>`
    select report_slug as report, bucket_window as window, retention_days as "retentionDays",
      refresh_interval_minutes as "intervalMinutes", l.horizon, (now() at time zone 'UTC')::date::text as today
    from aggregate_window cross join log_horizon l order by report_slug, bucket_window`.execute(db)
  return rows.map(({ report, window, retentionDays, intervalMinutes, horizon, today }) => {
    const [kept, whole] = [firstKeptBucket(window, retentionDays, today), firstWholeBucket(window, horizon)]
    return { report, window, first: kept > whole ? kept : whole, current: bucketOf(window, today), intervalMinutes }
  })
}

/**
 * Buckets that got events since they were built. Once a mark of a report and window is older than `quietMs`, all its marked buckets are
 * due. So buckets that keep getting events are rebuilt every `quietMs`, and not with each event.
 */
export async function dirtyRuns(db: Queryable, quietMs: number): Promise<DueRun[]> {
  const { rows } = await sql<Scope & { day: Day; ageMs: number }>`
    select report_slug as report, bucket_window as window, day::text,
      (extract(epoch from clock_timestamp() - min(marked_at)) * 1000)::float8 as "ageMs"
    from dirty_mark group by report_slug, bucket_window, day`.execute(db)
  const all = await keptBuckets(db)
  const due = all.flatMap((scope) => {
    const marked = rows.filter(
      ({ report, window, day }) => report === scope.report && window === scope.window && day >= scope.first,
    )
    if (!marked.some(({ ageMs }) => ageMs >= quietMs)) return []
    return runsOf(
      'refresh',
      scope,
      marked.map(({ day }) => bucketOf(scope.window, day)),
    )
  })
  return due.toSorted(daysFirst)
}

/** Buckets that were never built, and current ones older than their interval, except for marked ones, which `dirtyRuns` returns. */
export async function scheduledRuns(db: Queryable): Promise<DueRun[]> {
  const due = []
  for (const scope of await keptBuckets(db)) {
    const { report, window, first, current, intervalMinutes } = scope
    const { rows } = await sql<{ bucket: Day }>`
      select day::date::text as bucket
      from generate_series(${first}::timestamp, ${current}::timestamp, ${BUCKET_DAYS[window]}::int * interval '1 day') day
        left join report_bucket b on b.report_slug = ${report} and b.bucket_window = ${window} and b.bucket = day::date
      where (b.bucket is null
          or (day::date = ${current}::date and b.built_at < now() - ${intervalMinutes}::int * interval '1 minute'))
        and not exists (
          select from dirty_mark m where m.report_slug = ${report} and m.bucket_window = ${window}
            and m.day >= day::date and m.day < day::date + ${BUCKET_DAYS[window]}::int)`.execute(db)
    const buckets = rows.map(({ bucket }) => bucket)
    due.push(...runsOf('scheduled', scope, buckets))
  }
  return due.toSorted(daysFirst)
}

/** Days before weeks, because totals of days are read from weeks that were built after them. */
function daysFirst(one: DueRun, other: DueRun): number {
  if (one.window !== other.window) return one.window === 'day' ? -1 : 1
  return one.days.to > other.days.to ? -1 : one.days.to < other.days.to ? 1 : 0
}

/** The same run split into one run per bucket. */
export function bucketByBucket({ days, ...run }: DueRun): DueRun[] {
  return bucketsOf(run.window, days).map((bucket) => ({ ...run, days: { from: bucket, to: lastDayOf(run.window, bucket) } }))
}

/** The buckets as ranges of adjacent buckets, each of at most 91 days; newest first. */
function runsOf(kind: DueRun['kind'], { report, window }: Scope, buckets: readonly Day[]): DueRun[] {
  const runs: DueRun[] = []
  for (const bucket of [...new Set(buckets)].toSorted().toReversed()) {
    const last = runs.at(-1)
    const to = lastDayOf(window, bucket)
    const isNext =
      last !== undefined && last.days.from === daysAfter(to, 1) && daysIn(last.days) + BUCKET_DAYS[window] <= DAYS_MAX
    if (isNext) last.days.from = bucket
    else runs.push({ kind, report, window, days: { from: bucket, to } })
  }
  return runs
}

/**
 * Runs a due run in one transaction. It is never seen as pending or running, and has one audit entry. A repeated attempt finds the run;
 * an overlapping attempt waits for the first.
 */
export async function runDue(db: Database, runId: string, { kind, report, window, days }: DueRun): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    await takeScopeLock(tx, { report, window })
    const { rows } = await sql`select from recompute_run where run_id = ${runId}::uuid`.execute(tx)
    if (rows.length > 0) return
    const { from, rowsDeleted, rowsInserted } = await rebuildBuckets(tx, { report, window }, days, runId)
    // The horizon has passed all of its days.
    if (from > days.to) return
    const buckets = bucketsIn(window, { ...days, from })
    await sql`
      insert into recompute_run (run_id, kind, report_slug, bucket_window, date_from, date_to, bucket_from, bucket_to, actor, status,
        done, total, started_at, finished_at, rows_deleted, rows_inserted)
      values (${runId}::uuid, ${kind}, ${report}, ${window}, ${from}::date, ${days.to}::date, ${from}::date, ${days.to}::date,
        ${SYSTEM_ACTOR}, 'completed', ${buckets}, ${buckets}, now(), clock_timestamp(), ${rowsDeleted}, ${rowsInserted})`.execute(
      tx,
    )
    await audit(tx, {
      actor: SYSTEM_ACTOR,
      action: 'run.complete',
      resourceType: 'recompute_run',
      resourceId: runId,
      metadata: { kind, report_slug: report, window, date_from: from, date_to: days.to },
    })
  })
}

/** How long runs that no caller requested are kept. A run that built a current bucket is kept for longer. */
const RUN_DAYS = 7

/**
 * Drops the buckets that ended longer ago than their report keeps them, also frozen ones, with their snapshots and marks. Marks of a
 * frozen bucket are kept until then, because it is not rebuilt; one per day is enough to show that the bucket lacks events.
 */
export async function dropOldBuckets(db: Database): Promise<void> {
  const { rows } = await sql<Scope & { retentionDays: number; today: Day }>`
    select report_slug as report, bucket_window as window, retention_days as "retentionDays",
      (now() at time zone 'UTC')::date::text as today
    from aggregate_window order by report_slug, bucket_window`.execute(db)
  for (const { report, window, retentionDays, today } of rows) {
    const first = firstKeptBucket(window, retentionDays, today)
    await db.transaction().execute(async (tx) => {
      await allowLongStatements(tx)
      await takeScopeLock(tx, { report, window })
      const ofScope = sql`report_slug = ${report} and bucket_window = ${window}`
      await sql`delete from dirty_mark where ${ofScope} and day < ${first}::date`.execute(tx)
      await sql`delete from metric_snapshot where ${ofScope} and bucket < ${first}::date`.execute(tx)
      await sql`delete from report_bucket where ${ofScope} and bucket < ${first}::date`.execute(tx)
      if (window === 'week') await dropBlocksBefore(tx, report, first)
      await sql`
        delete from dirty_mark m where ${ofScope} and exists (
          select from dirty_mark o where o.report_slug = m.report_slug and o.bucket_window = m.bucket_window and o.day = m.day
            and o.mark_id < m.mark_id)
          and date_trunc(${window}, day::timestamp) at time zone 'UTC' < (select horizon from log_horizon)`.execute(tx)
    })
  }
  await sql`
    delete from recompute_run r where kind <> 'requested' and requested_at < now() - ${RUN_DAYS}::int * interval '1 day'
      and not exists (select from report_bucket b where b.run_id = r.run_id)`.execute(db)
}
