import { sql } from 'kysely'
import type { RunStatus } from '../../contract/recompute-run.ts'
import type { ReplayRun, ReplayRunsResponse } from '../../contract/replay-run.ts'
import type { Correction } from '../../contract/rejected.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import type { Queryable } from '../database/connection.ts'
import { type SilentRun, silentRunsOf } from '../runs/run-machine.ts'

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
  /** With microseconds. */
  position: string
  startedAt: Date | null
  finishedAt: Date | null
  errorMessage: string | null
}

const COLUMNS = sql`run_id as id, code, correction, actor, requested_by as "requestedBy", status, total, accepted, duplicates, rejected,
  skipped, requested_at as "requestedAt", requested_at::text as position, started_at as "startedAt", finished_at as "finishedAt",
  error_message as "errorMessage"`

/** One run; undefined when it does not exist. */
export async function findReplayRun(db: Queryable, runId: string): Promise<ReplayRun | undefined> {
  const { rows } = await sql<StoredRun>`select ${COLUMNS} from replay_run where run_id = ${runId}::uuid`.execute(db)
  return rows[0] && runOf(rows[0])
}

/** The position of a run in the list. */
interface RunPosition {
  requestedAt: string
  id: string
}

interface RunPage {
  status: RunStatus | undefined
  limit: number
  after: RunPosition | undefined
}

/** A page of the runs, the newest first. */
export async function listReplayRuns(db: Queryable, { status, limit, after }: RunPage): Promise<ReplayRunsResponse> {
  const isWanted = status === undefined ? sql`true` : sql`status = ${status}`
  const isBeyond =
    after === undefined ? sql`true` : sql`(requested_at, run_id) < (${after.requestedAt}::timestamptz, ${after.id}::uuid)`
  const { rows } = await sql<StoredRun>`
    select ${COLUMNS} from replay_run where ${isWanted} and ${isBeyond}
    order by requested_at desc, run_id desc limit ${limit + 1}`.execute(db)
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return { data: shown.map(runOf), meta: { next_cursor: last ? encodeCursor(RUNS, [last.position, last.id]) : null } }
}

const RUNS = 'replay runs'
const INSTANT = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The position of a cursor; undefined for a text that is no cursor of this list. */
export function replayRunPositionOf(cursor: string): RunPosition | undefined {
  const [requestedAt = '', id = ''] = decodeCursor(RUNS, cursor) ?? []
  return INSTANT.test(requestedAt) && UUID.test(id) ? { requestedAt, id } : undefined
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
