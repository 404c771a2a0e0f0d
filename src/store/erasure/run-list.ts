import { sql } from 'kysely'
import type { ErasureRun, ErasureStatus, ErasureStep, ErasuresRequest, ErasuresResponse } from '../../contract/erasure.ts'
import type { Queryable } from '../database/connection.ts'
import { newestRuns } from '../runs/run-page.ts'
import { type Certified, certificateFrom, CERTIFIED_COLUMNS } from './certificate.ts'

interface StoredRun extends Certified {
  id: string
  status: ErasureStatus
  step: ErasureStep
  actor: string
  requestedBy: string | null
  requestedAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  errorMessage: string | null
}

const COLUMNS = sql`run_id as id, status, step, actor, requested_by as "requestedBy", requested_at as "requestedAt",
  started_at as "startedAt", finished_at as "finishedAt", error_message as "errorMessage", ${CERTIFIED_COLUMNS}`

/** A run; undefined when it does not exist. */
export async function findErasure(db: Queryable, runId: string): Promise<ErasureRun | undefined> {
  const { rows } = await sql<StoredRun>`select ${COLUMNS} from erasure_run where run_id = ${runId}::uuid`.execute(db)
  return rows[0] && runOf(rows[0])
}

const RUNS = { table: 'erasure_run', list: 'erasures', columns: COLUMNS } as const

/** A page of the runs, the newest first. Undefined for a cursor of another list. */
export async function listErasures(db: Queryable, request: ErasuresRequest): Promise<ErasuresResponse | undefined> {
  const page = await newestRuns<StoredRun>(db, RUNS, request)
  return page && { data: page.rows.map(runOf), meta: { next_cursor: page.nextCursor } }
}

function runOf(run: StoredRun): ErasureRun {
  return {
    id: run.id,
    status: run.status,
    step: run.step,
    actor: run.actor,
    requested_by: run.requestedBy,
    requested_at: run.requestedAt.toISOString(),
    ...(run.startedAt !== null && { started_at: run.startedAt.toISOString() }),
    ...(run.finishedAt !== null && { finished_at: run.finishedAt.toISOString() }),
    ...(run.errorMessage !== null && { error_message: run.errorMessage }),
    ...(run.status === 'completed' && { certificate: certificateFrom(run) }),
  }
}
