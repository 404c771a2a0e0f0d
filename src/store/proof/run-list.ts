import { sql } from 'kysely'
import type { RunStatus } from '../../contract/recompute-run.ts'
import type {
  LatestVerification,
  VerificationRun,
  VerificationsRequest,
  VerificationsResponse,
} from '../../contract/verification-run.ts'
import type { VerifyResponse } from '../../contract/verify.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import type { Queryable } from '../database/connection.ts'

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

const VERIFICATIONS = 'verifications'
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** A page of the runs, the newest first. Undefined for a cursor of another list. */
export async function listVerifications(
  db: Queryable,
  { status, limit, cursor }: VerificationsRequest,
): Promise<VerificationsResponse | undefined> {
  const [after = ''] = (cursor === undefined ? undefined : decodeCursor(VERIFICATIONS, cursor)) ?? []
  if (cursor !== undefined && !UUID.test(after)) return undefined
  const isWanted = status === undefined ? sql`true` : sql`status = ${status}`
  const isBeyond =
    cursor === undefined
      ? sql`true`
      : sql`(requested_at, run_id) < (select requested_at, run_id from verification_run where run_id = ${after}::uuid)`
  const { rows } = await sql<StoredRun>`
    select ${COLUMNS} from verification_run where ${isWanted} and ${isBeyond}
    order by requested_at desc, run_id desc limit ${limit + 1}`.execute(db)
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return { data: shown.map(runOf), meta: { next_cursor: last ? encodeCursor(VERIFICATIONS, [last.id]) : null } }
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
