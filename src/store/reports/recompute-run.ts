import { DecidedError, invalidField, notFound } from '../../contract/decided-error.ts'
import { sql } from 'kysely'
import type { RecomputeRun, RunsRequest, RunStatus, StartRun } from '../../contract/recompute-run.ts'
import { REPORT_DAYS_MAX, type ReportSlug, type ReportWindow } from '../../contract/report.ts'
import { bucketOf, BUCKET_DAYS, bucketsIn, type Day, type Days, daysAfter, daysIn, wholeBuckets } from '../../ranking/bucket.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { firstWholeBucket, takeScopeLock, rebuildBuckets, type Scope } from './report-buckets.ts'
import { audit, SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import { isDataError } from '../database/sql-state.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { onlyRow } from '../database/rows.ts'

/** What is done to a run that is there. */
export const COMMANDS = ['begin', 'step', 'complete', 'fail', 'cancel', 'abandon'] as const
export type Command = (typeof COMMANDS)[number]

/** What each command makes of a run. In a state that is not named it changes nothing and writes nothing. */
export const TRANSITIONS = {
  begin: { pending: 'running' },
  step: { running: 'running' },
  complete: { running: 'completed' },
  fail: { pending: 'failed', running: 'failed' },
  cancel: { pending: 'cancelled', running: 'cancelled' },
  abandon: { running: 'failed' },
} as const satisfies Record<Command, Partial<Record<RunStatus, RunStatus>>>

/** Another run of the same buckets is open. */
export class ScopeTakenError extends DecidedError {
  override readonly name = 'ScopeTakenError'

  constructor(runId: string) {
    super('conflict', `the same buckets are being recomputed by run ${runId}`, { details: { run_id: runId } })
  }
}

/** The run has completed or failed, so there is nothing left to cancel. */
export class RunEndedError extends DecidedError {
  override readonly name = 'RunEndedError'

  constructor(runId: string, status: RunStatus) {
    super('conflict', `run ${runId} has ${status} already`, { details: { run_id: runId } })
  }
}

const SCOPE = ['report_slug', 'window', 'date_from', 'date_to'] as const

/** What a run is about to do. */
export interface RunPlan extends Scope {
  /** Whole buckets. */
  days: Days
  /** Buckets. */
  done: number
  total: number
}

/** Refuses what cannot be rebuilt. @returns what was asked for, in whole buckets. @throws DecidedError. */
async function rebuildableRange(
  db: Queryable,
  request: Pick<StartRun, 'report_slug' | 'window' | 'date_from' | 'date_to'>,
): Promise<Days> {
  const { report_slug: report, window, date_from: from, date_to: to } = request
  const { rows } = await sql<{ retentionDays: number | null; horizon: Date; today: Day }>`
    select w.retention_days as "retentionDays", l.horizon, (now() at time zone 'UTC')::date::text as today
    from report_definition r left join aggregate_window w on w.report_slug = r.slug and w.bucket_window = ${window}
      cross join log_horizon l
    where r.slug = ${report}`.execute(db)
  const row = rows[0]
  if (row === undefined) throw notFound(`there is no report ${report}`)
  const { retentionDays, horizon, today } = row
  if (retentionDays === null) throw invalidField('window', `${report} has no buckets of a ${window}`)
  if (from > to) throw invalidField('date_from', 'is after date_to')
  if (to > daysAfter(today, 1)) throw invalidField('date_to', `is in the future: today is ${today}, UTC`)
  if (daysIn({ from, to }) > REPORT_DAYS_MAX)
    throw invalidField('date_to', `is more than ${REPORT_DAYS_MAX} days from date_from: ask for them in parts`)
  const first = firstWholeBucket(window, horizon)
  if (from < first)
    throw invalidField('date_from', `is before ${first}, the first day that can be rebuilt: older events are gone`)
  const kept = firstKeptBucket(window, retentionDays, today)
  if (from < kept) throw invalidField('date_from', `is before ${kept}: older buckets of ${report} by ${window} are not kept`)
  return wholeBuckets(window, { from, to })
}

/** The first bucket that ended less than so many days ago. */
export function firstKeptBucket(window: ReportWindow, retentionDays: number, today: Day): Day {
  return bucketOf(window, daysAfter(today, -retentionDays))
}

/**
 * Asks for a run. Of the same buckets one can be open, which the index recompute_run_open decides; asking again for the same run
 * finds it. @throws DecidedError: invalid_request, not_found, or conflict.
 */
export async function requestRun(db: Database, runId: string, request: StartRun): Promise<RecomputeRun> {
  const known = await findRun(db, runId)
  if (known !== undefined) {
    if (known.kind === 'requested' && SCOPE.every((field) => known[field] === request[field])) return known
    throw new DecidedError('conflict', `run ${runId} recomputes other buckets`, { details: { run_id: runId } })
  }
  const days = await rebuildableRange(db, request)
  for (;;) {
    const run = await insertRun(db, runId, request, days)
    if (run !== undefined) return run
    const { rows } = await sql<{ runId: string }>`
      select run_id as "runId" from recompute_run
      where report_slug = ${request.report_slug} and bucket_window = ${request.window}
        and bucket_from = ${days.from}::date and bucket_to = ${days.to}::date and status in ('pending', 'running')`.execute(db)
    // One that ended since is in nobody's way.
    if (rows[0] !== undefined) throw new ScopeTakenError(rows[0].runId)
  }
}

/** @returns the run of this id; undefined when another one of the same buckets is in its way. */
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

/** What is left to do of a run, and how large it is. */
export interface BegunRun extends RunPlan {
  /** About as many events as a bucket has at most; null when nobody knows yet. */
  bucketEvents: number | null
}

/** Lets a run begin, or go on after its process died. @returns undefined when it may not. */
export async function beginRun(db: Database, runId: string): Promise<BegunRun | undefined> {
  await change(db, runId, 'begin')
  const plan = await planOf(db, runId)
  return plan?.status === 'running' ? { ...plan, bucketEvents: await bucketEvents(db, plan) } : undefined
}

/** By PostgreSQL's own statistics of the months: reading the log to know how much of it to read would be no gain. */
async function bucketEvents(db: Queryable, { window, days: { from, to } }: RunPlan): Promise<number | null> {
  const result = await sql<{ events: number | null }>`
    select (max(c.reltuples) / 30 * ${BUCKET_DAYS[window]})::float8 as events
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'analytics_event'::regclass and c.reltuples > 0
      and right(c.relname, 7) between to_char(${from}::date, 'YYYY_MM') and to_char(${to}::date, 'YYYY_MM')`.execute(db)
  return onlyRow(result).events
}

/** @returns how the run stands after it. */
export async function completeRun(db: Database, runId: string): Promise<RunStatus | undefined> {
  await change(db, runId, 'complete')
  return (await planOf(db, runId))?.status
}

export async function failRun(db: Database, runId: string, message: string): Promise<void> {
  await change(db, runId, 'fail', { message })
}

const KILLED = 'nobody works on it any more: it was killed, or lost'

/** Fails a run whose work has ended, and not the run. */
export async function abandonRun(db: Database, runId: string): Promise<void> {
  await change(db, runId, 'abandon', { message: KILLED })
}

/** @returns undefined when there is none. Cancelling twice is cancelling. @throws RunEndedError. */
export async function cancelRun(
  db: Database,
  runId: string,
  by: { actor: string; requestedBy?: string | undefined },
): Promise<RecomputeRun | undefined> {
  await change(db, runId, 'cancel', by)
  const run = await findRun(db, runId)
  if (run !== undefined && run.status !== 'cancelled') throw new RunEndedError(runId, run.status)
  return run
}

interface By {
  actor?: string
  requestedBy?: string | undefined
  message?: string
}

const ACTIONS = {
  begin: 'run.start',
  complete: 'run.complete',
  fail: 'run.fail',
  cancel: 'run.cancel',
  abandon: 'run.fail',
} as const

/** Both in one transaction: the state by a condition on the one before, and the entry only of who changed it. */
async function change(db: Database, runId: string, command: keyof typeof ACTIONS, by: By = {}): Promise<void> {
  const targets: Partial<Record<RunStatus, RunStatus>> = TRANSITIONS[command]
  const from = Object.keys(targets)
  const to = Object.values(targets)[0]!
  const isDone = command === 'complete' ? sql`and done = total` : sql``
  await db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      update recompute_run set status = ${to}, active_at = now(), error_message = ${by.message ?? null},
        started_at = ${command === 'begin' ? sql`now()` : sql`started_at`},
        finished_at = ${command === 'begin' ? sql`null` : sql`now()`}
      where run_id = ${runId}::uuid and status = any(${from}::text[]) ${isDone}
      returning run_id`.execute(tx)
    if (rows.length > 0) await auditRun(tx, runId, ACTIONS[command], by)
  })
}

async function auditRun(
  tx: Queryable,
  runId: string,
  action: `run.${string}` & Parameters<typeof audit>[1]['action'],
  by: By,
): Promise<void> {
  const { id: _id, actor: _actor, progress, ...run } = (await findRun(tx, runId))!
  const metadata = { ...run, ...progress, ...(by.requestedBy !== undefined && { requested_by: by.requestedBy }) }
  await audit(tx, { actor: by.actor ?? SYSTEM_ACTOR, action, resourceType: 'recompute_run', resourceId: runId, metadata })
}

/** What became of a step. */
export interface Step {
  /** Buckets of the run that are done; undefined when it runs no more, and nothing was changed. */
  done: number | undefined
  tookMs: number
}

/** The run ended while a step of it was under way: the step is undone. */
class RunEndedMeanwhileError extends Error {}

/**
 * Rebuilds the next buckets of a run in one transaction, once: a repeated attempt finds that they are done, and one that overlaps waits
 * for the first. Nothing is done for a run that runs no more, also when it ends meanwhile.
 * @throws DecidedError for buckets that cannot be rebuilt: a sum that no column holds, or events that are gone.
 */
export async function rebuildStep(db: Database, runId: string, days: Days): Promise<Step> {
  const startedAt = performance.now()
  const done = await db
    .transaction()
    .execute((tx) => stepIn(tx, runId, days))
    .catch((error: unknown) => {
      if (error instanceof RunEndedMeanwhileError) return undefined
      if (isDataError(error)) throw cannotRebuild(error as Error)
      throw error
    })
  return { done, tookMs: performance.now() - startedAt }
}

function cannotRebuild(cause: Error): DecidedError {
  return new DecidedError('invalid_request', `the buckets cannot be rebuilt: ${cause.message}`, { cause })
}

async function stepIn(tx: Queryable, runId: string, days: Days): Promise<number | undefined> {
  await allowLongStatements(tx)
  const scope = await planOf(tx, runId)
  if (scope === undefined) return undefined
  await takeScopeLock(tx, scope)
  const { status, window, days: all, done } = (await planOf(tx, runId))!
  if (status !== 'running') return undefined
  const before = days.from === all.from ? 0 : bucketsIn(window, { from: all.from, to: daysAfter(days.from, -1) })
  const after = before + bucketsIn(window, days)
  if (done >= after) return done
  const { rowsDeleted, rowsInserted, from } = await rebuildBuckets(tx, scope, days, runId)
  if (from > days.from)
    throw new DecidedError('conflict', `${scope.report} of ${days.from} cannot be rebuilt any more: its events are gone`)
  const { rows } = await sql`
    update recompute_run set done = ${after}, active_at = clock_timestamp(), rows_deleted = rows_deleted + ${rowsDeleted},
      rows_inserted = rows_inserted + ${rowsInserted}
    where run_id = ${runId}::uuid and status = any(${Object.keys(TRANSITIONS.step)}::text[]) and done = ${before}
    returning run_id`.execute(tx)
  if (rows.length === 0) throw new RunEndedMeanwhileError()
  return after
}

async function planOf(db: Queryable, runId: string): Promise<(RunPlan & { status: RunStatus }) | undefined> {
  const { rows } = await sql<Omit<RunPlan, 'days'> & Days & { status: RunStatus }>`
    select report_slug as report, bucket_window as window, bucket_from::text as from, bucket_to::text as to, done, total, status
    from recompute_run where run_id = ${runId}::uuid`.execute(db)
  const row = rows[0]
  if (row === undefined) return undefined
  const { from, to, ...rest } = row
  return { ...rest, days: { from, to } }
}

interface StoredRun {
  id: string
  kind: RecomputeRun['kind']
  report: ReportSlug
  window: ReportWindow
  from: Day
  to: Day
  actor: string
  requestedBy: string | null
  status: RunStatus
  done: number
  total: number
  requestedAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  errorMessage: string | null
  rowsDeleted: string
  rowsInserted: string
}

const COLUMNS = sql`run_id as id, kind, report_slug as report, bucket_window as window, date_from::text as from, date_to::text as to, actor,
  requested_by as "requestedBy", status, done, total, requested_at as "requestedAt", started_at as "startedAt",
  finished_at as "finishedAt", error_message as "errorMessage", rows_deleted as "rowsDeleted", rows_inserted as "rowsInserted"`

/** Undefined when there is none. */
export async function findRun(db: Queryable, runId: string): Promise<RecomputeRun | undefined> {
  const { rows } = await sql<StoredRun>`select ${COLUMNS} from recompute_run where run_id = ${runId}::uuid`.execute(db)
  return rows[0] && runOf(rows[0])
}

export interface RunsPage {
  runs: RecomputeRun[]
  total: number
}

/** Newest first. */
export async function listRuns(db: Queryable, { status, kind, limit, offset }: RunsRequest): Promise<RunsPage> {
  const isWanted = sql`${status === undefined ? sql`true` : sql`status = ${status}`} and ${kind === undefined ? sql`true` : sql`kind = ${kind}`}`
  const { rows } = await sql<StoredRun>`
    select ${COLUMNS} from recompute_run where ${isWanted}
    order by requested_at desc, run_id limit ${limit} offset ${offset}`.execute(db)
  const counted = await sql<{ total: string }>`select count(*) as total from recompute_run where ${isWanted}`.execute(db)
  return { runs: rows.map(runOf), total: Number(onlyRow(counted).total) }
}

function runOf(row: StoredRun): RecomputeRun {
  const { startedAt, finishedAt, errorMessage, done, total } = row
  return {
    id: row.id,
    kind: row.kind,
    report_slug: row.report,
    window: row.window,
    date_from: row.from,
    date_to: row.to,
    requested_by: row.requestedBy,
    actor: row.actor,
    status: row.status,
    progress: { done, total },
    requested_at: row.requestedAt.toISOString(),
    ...(startedAt !== null && { started_at: startedAt.toISOString() }),
    ...(finishedAt !== null && { finished_at: finishedAt.toISOString() }),
    ...(errorMessage !== null && { error_message: errorMessage }),
    ...(finishedAt !== null && {
      summary: { rows_deleted: Number(row.rowsDeleted), rows_inserted: Number(row.rowsInserted), bucket_count: done },
    }),
  }
}

/** Runs that are open and did nothing for so long. */
export async function silentRuns(db: Queryable, milliseconds: number): Promise<{ id: string; isPending: boolean }[]> {
  const { rows } = await sql<{ id: string; isPending: boolean }>`
    select run_id as id, status = 'pending' as "isPending" from recompute_run
    where status in ('pending', 'running') and active_at < clock_timestamp() - ${milliseconds}::float8 * interval '1 millisecond'
    order by requested_at`.execute(db)
  return rows
}
