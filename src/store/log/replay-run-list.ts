import { sql } from 'kysely'
import type { RunStatus } from '../../contract/recompute-run.ts'
import type { ReplayRun, ReplayRunsRequest, ReplayRunsResponse } from '../../contract/replay-run.ts'
import type { Correction } from '../../contract/rejected.ts'
import type { Queryable } from '../database/connection.ts'
import { type SilentRun, silentRunsOf } from '../runs/run-machine.ts'
import { newestRuns } from '../runs/run-page.ts'

interface StoredRun {
  id: string
  code: string
  correction: string | null
  actor: string
  requestedBy: string | null
  status: RunStatus
  total: number
  accepted: number
  duplicates: number
  rejected: number
  skipped: number
  requestedAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  errorMessage: string | null
}

const COLUMNS = sql`run_id as id, code, correction, actor, requested_by as "requestedBy", status, total, accepted, duplicates, rejected,
  skipped, requested_at as "requestedAt", started_at as "startedAt", finished_at as "finishedAt",
  error_message as "errorMessage"`

/** One run; undefined when it does not exist. */
export async function findReplayRun(db: Queryable, runId: string): Promise<ReplayRun | undefined> {
  const { rows } = await sql<StoredRun>`select ${COLUMNS} from replay_run where run_id = ${runId}::uuid`.execute(db)
  return rows[0] && runOf(rows[0])
}

const RUNS = { table: 'replay_run', list: 'replay runs', columns: COLUMNS } as const

/** A page of the runs, the newest first. Undefined for a cursor of another list. */
export async function listReplayRuns(db: Queryable, request: ReplayRunsRequest): Promise<ReplayRunsResponse | undefined> {
  const page = await newestRuns<StoredRun>(db, RUNS, request)
  return page && { data: page.rows.map(runOf), meta: { next_cursor: page.nextCursor } }
}

function runOf({ correction, status, total, startedAt, finishedAt, errorMessage, ...row }: StoredRun): ReplayRun {
  const { accepted, duplicates, rejected, skipped } = row
  return {
    id: row.id,
    code: row.code,
    ...(correction !== null && { set: JSON.parse(correction) as Correction }),
    requested_by: row.requestedBy,
    actor: row.actor,
    status,
    progress: { done: accepted + duplicates + rejected + skipped, total },
    ...{ accepted, duplicates, rejected, skipped },
    requested_at: row.requestedAt.toISOString(),
    ...(startedAt !== null && { started_at: startedAt.toISOString() }),
    ...(finishedAt !== null && { finished_at: finishedAt.toISOString() }),
    ...(errorMessage !== null && { error_message: errorMessage }),
  }
}

/** Open runs that did nothing for so long. */
export function silentReplayRuns(db: Queryable, silentMs: number): Promise<SilentRun[]> {
  return silentRunsOf(db, 'replay_run', silentMs)
}
