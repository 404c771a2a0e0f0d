import { sql } from 'kysely'
import type { RecomputeRun, RunsRequest, RunStatus } from '../../contract/recompute-run.ts'
import type { ReportSlug, ReportWindow } from '../../contract/report.ts'
import type { Day, Days } from '../../ranking/day.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { type SilentRun, silentRunsOf } from '../runs/run-machine.ts'
import type { Scope } from './report-buckets.ts'

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

/** One run; undefined when it does not exist. */
export async function findRun(db: Queryable, runId: string): Promise<RecomputeRun | undefined> {
  const { rows } = await sql<StoredRun>`select ${COLUMNS} from recompute_run where run_id = ${runId}::uuid`.execute(db)
  return rows[0] && runOf(rows[0])
}

interface RunsPage {
  runs: RecomputeRun[]
  total: number
}

/** A page of the runs, the newest first. */
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

/** Which buckets a run rebuilds, and how far it is. */
export interface RunPlan extends Scope {
  /** Whole buckets. */
  days: Days
  /** Buckets that are done, and all buckets. */
  done: number
  total: number
}

/** The plan of a run; undefined when the run does not exist. */
export async function findPlan(db: Queryable, runId: string): Promise<(RunPlan & { status: RunStatus }) | undefined> {
  const { rows } = await sql<Omit<RunPlan, 'days'> & Days & { status: RunStatus }>`
    select report_slug as report, bucket_window as window, bucket_from::text as from, bucket_to::text as to, done, total, status
    from recompute_run where run_id = ${runId}::uuid`.execute(db)
  const [row] = rows
  if (row === undefined) return undefined
  const { from, to, ...rest } = row
  return { ...rest, days: { from, to } }
}

/** Open runs that have done nothing for so long. */
export function silentRuns(db: Queryable, silentMs: number): Promise<SilentRun[]> {
  return silentRunsOf(db, 'recompute_run', silentMs)
}
