import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import type { RunStatus } from '../../contract/recompute-run.ts'
import type { SimilarityRun, SimilarityRunKind, SimilarityStage } from '../../contract/similarity-run.ts'
import { audit, type AuditAction, SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { findSimilarityRun } from './run-list.ts'
import { putInForce } from './version.ts'

/** What can be done to a run. */
export const COMMANDS = ['begin', 'advance', 'complete', 'fail', 'cancel', 'abandon'] as const
export type Command = (typeof COMMANDS)[number]

/** The state after each command. In a state that is not named the command changes nothing and writes nothing. */
export const TRANSITIONS = {
  begin: { pending: 'running' },
  advance: { running: 'running' },
  complete: { running: 'completed' },
  fail: { pending: 'failed', running: 'failed' },
  cancel: { pending: 'cancelled', running: 'cancelled' },
  abandon: { running: 'failed' },
} as const satisfies Record<Command, Partial<Record<RunStatus, RunStatus>>>

/** Another run is open. */
export class RunIsOpenError extends DecidedError {
  override readonly name = 'RunIsOpenError'

  constructor(runId: string) {
    super('conflict', `similarity run ${runId} is open`, { details: { run_id: runId } })
  }
}

/** The run has completed or failed, so it can no longer be cancelled. */
export class SimilarityRunEndedError extends DecidedError {
  override readonly name = 'SimilarityRunEndedError'

  constructor(runId: string, status: RunStatus) {
    super('conflict', `similarity run ${runId} has ${status} already`, { details: { run_id: runId } })
  }
}

/** Thrown between two blocks when the run has ended, e.g. because it was cancelled. Its work is of no use. */
export class RunHasEndedError extends Error {}

interface Request {
  kind: SimilarityRunKind
  actor: string
  requested_by?: string | undefined
}

/** Requests a run. At most one is open. A repeated request finds its own run. @throws RunIsOpenError. */
export async function requestSimilarityRun(db: Database, runId: string, request: Request): Promise<SimilarityRun> {
  const { kind, actor, requested_by: requestedBy = null } = request
  for (;;) {
    const existing = await findSimilarityRun(db, runId)
    if (existing !== undefined) return existing
    await db.transaction().execute(async (tx) => {
      const { rows } = await sql`
        insert into similarity_run (run_id, kind, status, actor, requested_by)
        values (${runId}::uuid, ${kind}, 'pending', ${actor}, ${requestedBy})
        on conflict do nothing returning run_id`.execute(tx)
      if (rows.length > 0) await auditRun(tx, runId, 'similarity.request', { actor })
    })
    const { rows } = await sql<{ id: string }>`
      select run_id as id from similarity_run where status in ('pending', 'running')`.execute(db)
    // Undefined when the run that was in the way has ended since.
    if (rows[0] !== undefined && rows[0].id !== runId) throw new RunIsOpenError(rows[0].id)
  }
}

/** Marks a run as running. @returns whether it is. */
export async function beginSimilarityRun(db: Database, runId: string): Promise<boolean> {
  await change(db, runId, 'begin')
  return (await findSimilarityRun(db, runId))?.status === 'running'
}

/** How far a run is. */
export interface RunProgress {
  stage: SimilarityStage
  done: number
  total: number
}

/** Notes how far a run is. @throws RunHasEndedError when it does not run any more. */
export async function advanceSimilarityRun(db: Queryable, runId: string, { stage, done, total }: RunProgress): Promise<void> {
  const { rows } = await sql`
    update similarity_run set stage = ${stage}, done = ${done}, total = ${total}, active_at = clock_timestamp()
    where run_id = ${runId}::uuid and status = any(${statesBefore('advance')}::text[]) returning run_id`.execute(db)
  if (rows.length === 0) throw new RunHasEndedError()
}

/**
 * Completes a run that is running and puts its version in force, in one transaction. Of attempts that overlap, the first one that gets here
 * does it, and the version of the other one is deleted later. @returns the state of the run afterwards.
 */
export async function completeSimilarityRun(db: Database, runId: string, version: number): Promise<RunStatus | undefined> {
  await db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      update similarity_run set status = ${TRANSITIONS.complete.running}, version = ${version}, finished_at = now(), active_at = now(), done = total
      where run_id = ${runId}::uuid and status = any(${statesBefore('complete')}::text[]) returning run_id`.execute(tx)
    if (rows.length === 0) return
    await putInForce(tx, version)
    await auditRun(tx, runId, 'similarity.complete', {})
  })
  return (await findSimilarityRun(db, runId))?.status
}

export async function failSimilarityRun(db: Database, runId: string, message: string): Promise<void> {
  await change(db, runId, 'fail', { message })
}

const ABANDONED = 'nothing works on it any more: its invocation was killed or lost'

/** Fails a run whose invocation has ended without ending the run. */
export async function abandonSimilarityRun(db: Database, runId: string): Promise<void> {
  await change(db, runId, 'abandon', { message: ABANDONED })
}

/** Cancels a run; a cancelled run stays as it is. @returns undefined when the run does not exist. @throws SimilarityRunEndedError. */
export async function cancelSimilarityRun(db: Database, runId: string, cause: Cause): Promise<SimilarityRun | undefined> {
  await change(db, runId, 'cancel', cause)
  const run = await findSimilarityRun(db, runId)
  if (run !== undefined && run.status !== 'cancelled') throw new SimilarityRunEndedError(runId, run.status)
  return run
}

/** Why a run changes. */
interface Cause {
  actor?: string
  requestedBy?: string | undefined
  message?: string
}

const ACTIONS = {
  begin: 'similarity.start',
  fail: 'similarity.fail',
  cancel: 'similarity.cancel',
  abandon: 'similarity.fail',
} as const satisfies Partial<Record<Command, AuditAction>>

/** One transaction: a state change on the condition of the state before, and the audit entry if this call made the change. */
async function change(db: Database, runId: string, command: keyof typeof ACTIONS, cause: Cause = {}): Promise<void> {
  const to = Object.values(TRANSITIONS[command])[0]!
  const times = command === 'begin' ? sql`started_at = now()` : sql`finished_at = now()`
  await db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      update similarity_run set status = ${to}, active_at = now(), error_message = ${cause.message ?? null}, ${times}
      where run_id = ${runId}::uuid and status = any(${statesBefore(command)}::text[]) returning run_id`.execute(tx)
    if (rows.length > 0) await auditRun(tx, runId, ACTIONS[command], cause)
  })
}

function statesBefore(command: Command): string[] {
  return Object.keys(TRANSITIONS[command])
}

/** Writes the audit entry of a change, with the run as it is after the change. */
async function auditRun(tx: Queryable, runId: string, action: AuditAction, cause: Cause): Promise<void> {
  const { id: _id, actor: _actor, progress: _progress, ...run } = (await findSimilarityRun(tx, runId))!
  const metadata = { ...run, ...(cause.requestedBy !== undefined && { requested_by: cause.requestedBy }) }
  await audit(tx, { actor: cause.actor ?? SYSTEM_ACTOR, action, resourceType: 'similarity_run', resourceId: runId, metadata })
}
