import { sql } from 'kysely'
import type { RecomputeRun, RunStatus } from '../../contract/recompute-run.ts'
import { audit, type AuditAction, SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { RunEndedError } from '../runs/run-machine.ts'
import { findPlan, findRun } from './run-list.ts'

/** What can be done to a run. */
export const COMMANDS = ['begin', 'step', 'complete', 'fail', 'cancel', 'abandon'] as const
export type Command = (typeof COMMANDS)[number]

/** The state after each command. In a state that is not named the command changes nothing and writes nothing. */
export const TRANSITIONS = {
  begin: { pending: 'running' },
  step: { running: 'running' },
  complete: { running: 'completed' },
  fail: { pending: 'failed', running: 'failed' },
  cancel: { pending: 'cancelled', running: 'cancelled' },
  abandon: { running: 'failed' },
} as const satisfies Record<Command, Partial<Record<RunStatus, RunStatus>>>

/** Marks a run as running. It changes nothing when the run is running already, e.g. after its process died. */
export function markBegun(db: Database, runId: string): Promise<void> {
  return change(db, runId, 'begin')
}

/** @returns the state of the run afterwards. */
export async function completeRun(db: Database, runId: string): Promise<RunStatus | undefined> {
  await change(db, runId, 'complete')
  return (await findPlan(db, runId))?.status
}

export async function failRun(db: Database, runId: string, message: string): Promise<void> {
  await change(db, runId, 'fail', { message })
}

const ABANDONED = 'nothing works on it any more: its invocation was killed or lost'

/** Fails a run whose invocation has ended without ending the run. */
export async function abandonRun(db: Database, runId: string): Promise<void> {
  await change(db, runId, 'abandon', { message: ABANDONED })
}

/** Cancels a run; a cancelled run stays as it is. @returns undefined when the run does not exist. @throws RunEndedError. */
export async function cancelRun(
  db: Database,
  runId: string,
  cause: { actor: string; requestedBy?: string | undefined },
): Promise<RecomputeRun | undefined> {
  await change(db, runId, 'cancel', cause)
  const run = await findRun(db, runId)
  if (run !== undefined && run.status !== 'cancelled') throw new RunEndedError('run', runId, run.status)
  return run
}

/** Why a run changes. */
interface Cause {
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
} as const satisfies Partial<Record<Command, AuditAction>>

/** One transaction: a state change on the condition of the state before, and the audit entry if this call made the change. */
async function change(db: Database, runId: string, command: keyof typeof ACTIONS, cause: Cause = {}): Promise<void> {
  const targets: Partial<Record<RunStatus, RunStatus>> = TRANSITIONS[command]
  const from = Object.keys(targets)
  const to = Object.values(targets)[0]!
  const isDone = command === 'complete' ? sql`and done = total` : sql``
  await db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      update recompute_run set status = ${to}, active_at = now(), error_message = ${cause.message ?? null},
        started_at = ${command === 'begin' ? sql`now()` : sql`started_at`},
        finished_at = ${command === 'begin' ? sql`null` : sql`now()`}
      where run_id = ${runId}::uuid and status = any(${from}::text[]) ${isDone}
      returning run_id`.execute(tx)
    if (rows.length > 0) await auditRun(tx, runId, ACTIONS[command], cause)
  })
}

/** Writes the audit entry of a change, with the run as it is after the change. */
export async function auditRun(tx: Queryable, runId: string, action: AuditAction, cause: Cause): Promise<void> {
  const { id: _id, actor: _actor, progress, ...run } = (await findRun(tx, runId))!
  const metadata = { ...run, ...progress, ...(cause.requestedBy !== undefined && { requested_by: cause.requestedBy }) }
  await audit(tx, { actor: cause.actor ?? SYSTEM_ACTOR, action, resourceType: 'recompute_run', resourceId: runId, metadata })
}
