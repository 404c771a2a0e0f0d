import { sql } from 'kysely'
import { DecidedError, invalidField, notFound } from '../../contract/decided-error.ts'
import type { RecomputeRun, StartRun } from '../../contract/recompute-run.ts'
import { REPORT_DAYS_MAX } from '../../contract/report.ts'
import { bucketsIn, wholeBuckets } from '../../ranking/bucket.ts'
import { checkedRange, type Day, type Days, daysAfter } from '../../ranking/day.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { firstKeptBucket, firstWholeBucket } from './report-buckets.ts'
import { findRun } from './run-list.ts'
import { auditRun } from './run-machine.ts'

/** Another run of the same buckets is open. */
export class ScopeTakenError extends DecidedError {
  override readonly name = 'ScopeTakenError'

  constructor(runId: string) {
    super('conflict', `the same buckets are being recomputed by run ${runId}`, { details: { run_id: runId } })
  }
}

const SCOPE = ['report_slug', 'window', 'date_from', 'date_to'] as const

/**
 * Requests a run. At most one run of the same buckets is open, which the index recompute_run_open enforces. A repeated request
 * finds its own run. @throws DecidedError: invalid_request, not_found, or conflict.
 */
export async function requestRun(db: Database, runId: string, request: StartRun): Promise<RecomputeRun> {
  const existing = await findRun(db, runId)
  if (existing !== undefined) {
    if (existing.kind === 'requested' && SCOPE.every((field) => existing[field] === request[field])) return existing
    throw new DecidedError('conflict', `run ${runId} recomputes other buckets`, { details: { run_id: runId } })
  }
  const days = await rebuildableRange(db, request)
  for (;;) {
    const run = await insertRun(db, runId, request, days)
    if (run !== undefined) return run
    const openRun = await findOpenRun(db, request, days)
    // Undefined when the run that was in the way has ended since.
    if (openRun !== undefined) throw new ScopeTakenError(openRun)
  }
}

/** @returns the days of a request in whole buckets. @throws DecidedError for days that cannot be rebuilt. */
async function rebuildableRange(db: Queryable, request: Pick<StartRun, (typeof SCOPE)[number]>): Promise<Days> {
  const { report_slug: report, window } = request
  const { rows } = await sql<{ retentionDays: number | null; horizon: Date; today: Day }>`
    select w.retention_days as "retentionDays", l.horizon, (now() at time zone 'UTC')::date::text as today
    from report_definition r left join aggregate_window w on w.report_slug = r.slug and w.bucket_window = ${window}
      cross join log_horizon l
    where r.slug = ${report}`.execute(db)
  const [row] = rows
  if (row === undefined) throw notFound(`there is no report ${report}`)
  const { retentionDays, horizon, today } = row
  if (retentionDays === null) throw invalidField('window', `${report} has no buckets of a ${window}`)
  const { from, to } = checkedRange(
    { from: request.date_from, to: request.date_to, today, daysMax: REPORT_DAYS_MAX },
    { from: 'date_from', to: 'date_to', tooLong: 'date_to' },
  )
  if (to > daysAfter(today, 1)) throw invalidField('date_to', `is in the future: today is ${today}, UTC`)
  const first = firstWholeBucket(window, horizon)
  if (from < first)
    throw invalidField('date_from', `is before ${first}, the first day that can be rebuilt: older events are gone`)
  const kept = firstKeptBucket(window, retentionDays, today)
  if (from < kept) throw invalidField('date_from', `is before ${kept}: older buckets of ${report} by ${window} are not kept`)
  return wholeBuckets(window, { from, to })
}

/** @returns the run of this id; undefined when another open run has the same buckets. */
async function insertRun(db: Database, runId: string, request: StartRun, days: Days): Promise<RecomputeRun | undefined> {
  const { actor, requested_by: requestedBy = null, report_slug: report, window, date_from: from, date_to: to } = request
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      insert into recompute_run (run_id, kind, report_slug, bucket_window, date_from, date_to, bucket_from, bucket_to, actor,
        requested_by, status, total)
      values (${runId}::uuid, 'requested', ${report}, ${window}, ${from}::date, ${to}::date, ${days.from}::date, ${days.to}::date,
        ${actor}, ${requestedBy}, 'pending', ${bucketsIn(window, days)})
      on conflict do nothing returning run_id`.execute(tx)
    if (rows.length > 0) await auditRun(tx, runId, 'run.request', { actor })
    return findRun(tx, runId)
  })
}

/** The id of the open run with exactly these buckets. */
async function findOpenRun(db: Database, request: StartRun, days: Days): Promise<string | undefined> {
  const { rows } = await sql<{ runId: string }>`
    select run_id as "runId" from recompute_run
    where report_slug = ${request.report_slug} and bucket_window = ${request.window}
      and bucket_from = ${days.from}::date and bucket_to = ${days.to}::date and status in ('pending', 'running')`.execute(db)
  return rows[0]?.runId
}
