import { sql } from 'kysely'
import type { RunStatus } from '../../contract/recompute-run.ts'
import type { SimilarityRun, SimilarityRunKind, SimilarityRunsRequest, SimilarityStage } from '../../contract/similarity-run.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

interface StoredRun {
  id: string
  kind: SimilarityRunKind
  actor: string
  requestedBy: string | null
  status: RunStatus
  stage: SimilarityStage | null
  done: number
  total: number
  version: string | null
  requestedAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  errorMessage: string | null
}

const COLUMNS = sql`run_id as id, kind, actor, requested_by as "requestedBy", status, stage, done, total, version,
  requested_at as "requestedAt", started_at as "startedAt", finished_at as "finishedAt", error_message as "errorMessage"`

/** One run; undefined when it does not exist. */
export async function findSimilarityRun(db: Queryable, runId: string): Promise<SimilarityRun | undefined> {
  const { rows } = await sql<StoredRun>`select ${COLUMNS} from similarity_run where run_id = ${runId}::uuid`.execute(db)
  return rows[0] && runOf(rows[0])
}

/** A page of the runs, the newest first. */
export async function listSimilarityRuns(
  db: Queryable,
  { status, limit, offset }: SimilarityRunsRequest,
): Promise<{ runs: SimilarityRun[]; total: number }> {
  const isWanted = status === undefined ? sql`true` : sql`status = ${status}`
  const { rows } = await sql<StoredRun>`
    select ${COLUMNS} from similarity_run where ${isWanted}
    order by requested_at desc, run_id limit ${limit} offset ${offset}`.execute(db)
  const counted = await sql<{ total: string }>`select count(*) as total from similarity_run where ${isWanted}`.execute(db)
  return { runs: rows.map(runOf), total: Number(onlyRow(counted).total) }
}

function runOf({ status, stage, done, total, version, startedAt, finishedAt, errorMessage, ...row }: StoredRun): SimilarityRun {
  return {
    id: row.id,
    kind: row.kind,
    requested_by: row.requestedBy,
    actor: row.actor,
    status,
    ...(status === 'running' && stage !== null && { stage }),
    progress: { done, total },
    requested_at: row.requestedAt.toISOString(),
    ...(startedAt !== null && { started_at: startedAt.toISOString() }),
    ...(finishedAt !== null && { finished_at: finishedAt.toISOString() }),
    ...(errorMessage !== null && { error_message: errorMessage }),
    ...(version !== null && { version: Number(version) }),
  }
}
