import { sql } from 'kysely'
import type { RunStatus } from '../../contract/recompute-run.ts'
import type {
  LatestVerification,
  VerificationRun,
  VerificationsRequest,
  VerificationsResponse,
} from '../../contract/verification-run.ts'
import type { VerifyResponse } from '../../contract/verify.ts'
import type { Queryable } from '../database/connection.ts'
import { newestRuns } from '../runs/run-page.ts'

interface StoredRun {
  id: string
  actor: string
  requestedBy: string | null
  status: RunStatus
  step: string | null
  done: number
  total: number
  requestedAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  errorMessage: string | null
  result: VerifyResponse | null
}

const COLUMNS = sql`run_id as id, actor, requested_by as "requestedBy", status, step, done, total, requested_at as "requestedAt",
  started_at as "startedAt", finished_at as "finishedAt", error_message as "errorMessage", result`

/** One run; undefined when it does not exist. */
export async function findVerification(db: Queryable, runId: string): Promise<VerificationRun | undefined> {
  const { rows } = await sql<StoredRun>`select ${COLUMNS} from verification_run where run_id = ${runId}::uuid`.execute(db)
  return rows[0] && runOf(rows[0])
}

const RUNS = { table: 'verification_run', list: 'verifications', columns: COLUMNS } as const

/** A page of the runs, the newest first. Undefined for a cursor of another list. */
export async function listVerifications(
  db: Queryable,
  request: VerificationsRequest,
): Promise<VerificationsResponse | undefined> {
  const page = await newestRuns<StoredRun>(db, RUNS, request)
  return page && { data: page.rows.map(runOf), meta: { next_cursor: page.nextCursor } }
}

/** What the last completed run found; undefined before the first one. */
export async function latestVerification(db: Queryable): Promise<LatestVerification | undefined> {
  const { rows } = await sql<StoredRun & { result: VerifyResponse; finishedAt: Date }>`
    select ${COLUMNS} from verification_run where status = 'completed'
    order by requested_at desc, run_id desc limit 1`.execute(db)
  const [run] = rows
  if (run === undefined) return undefined
  const { events, analytics_events, cells, drift_count } = run.result
  return { id: run.id, finished_at: run.finishedAt.toISOString(), events, analytics_events, cells, drift_count }
}

function runOf(row: StoredRun): VerificationRun {
  const { id, actor, status, step, done, total, startedAt, finishedAt, errorMessage, result } = row
  return {
    id,
    requested_by: row.requestedBy,
    actor,
    status,
    progress: { done, total, ...(status === 'running' && step !== null && { step }) },
    requested_at: row.requestedAt.toISOString(),
    ...(startedAt !== null && { started_at: startedAt.toISOString() }),
    ...(finishedAt !== null && { finished_at: finishedAt.toISOString() }),
    ...(errorMessage !== null && { error_message: errorMessage }),
    ...(result !== null && { result }),
  }
}
