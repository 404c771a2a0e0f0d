import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import {
  ERASURE_STEPS,
  type ErasureRun,
  type ErasureStatus,
  type ErasureStep,
  type StartErasure,
} from '../../contract/erasure.ts'
import { audit, type AuditAction, SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { certificateOf } from './certificate.ts'
import { findErasure } from './run-list.ts'

/** The state after each command. In a state that is not named the command changes nothing and writes nothing. */
export const TRANSITIONS = {
  begin: { pending: 'running' },
  advance: { running: 'running' },
  complete: { running: 'completed' },
  fail: { pending: 'failed', running: 'failed' },
} as const satisfies Record<string, Partial<Record<ErasureStatus, ErasureStatus>>>

/**
 * Requests the erasure of a shopper. At most one run of a person is open: every other request, also one by a merged session, is answered
 * with it. A repeated request finds its own run.
 */
export async function requestErasure(db: Database, runId: string, request: StartErasure): Promise<ErasureRun> {
  const { actor, requested_by: requestedBy = null } = request
  for (;;) {
    const existing = await findErasure(db, runId)
    if (existing !== undefined) return existing
    const shopperId = await accountOrSession(db, request.shopper_id)
    await db.transaction().execute(async (tx) => {
      const { rows } = await sql`
        insert into erasure_run (run_id, status, step, actor, requested_by, shopper_id)
        values (${runId}::uuid, 'pending', ${ERASURE_STEPS[0]}, ${actor}, ${requestedBy}, ${shopperId})
        on conflict do nothing returning run_id`.execute(tx)
      if (rows.length > 0) await auditErasure(tx, runId, 'erasure.request', actor, { requested_by: requestedBy })
    })
    const { rows } = await sql<{ id: string }>`
      select run_id as id from erasure_run where shopper_id = ${shopperId} and status in ('pending', 'running')`.execute(db)
    const open = rows[0] && (await findErasure(db, rows[0].id))
    // Undefined when the run that was in the way has ended since.
    if (open !== undefined) return open
  }
}

/** A merged session as its account; every other shopper as it is. */
async function accountOrSession(db: Queryable, shopperId: string): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    select 'account:' || account_id as id from shopper_redirect
    where ${shopperId} like 'session:%' and session_id = substr(${shopperId}, ${'session:'.length + 1})`.execute(db)
  return rows[0]?.id ?? shopperId
}

/** A running run and where it is. */
export interface ErasureAt {
  runId: string
  shopperId: string
  step: ErasureStep
  /** Where the step goes on; null at its beginning. */
  place: string | null
}

/** Marks a run as running. @returns where it goes on; undefined when it has ended or does not exist. */
export async function beginErasure(db: Database, runId: string): Promise<ErasureAt | undefined> {
  await db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      update erasure_run set status = 'running', started_at = now(), active_at = now()
      where run_id = ${runId}::uuid and status = any(${Object.keys(TRANSITIONS.begin)}::text[]) returning run_id`.execute(tx)
    if (rows.length > 0) await auditErasure(tx, runId, 'erasure.start')
  })
  return erasureAt(db, runId)
}

export async function erasureAt(db: Queryable, runId: string): Promise<ErasureAt | undefined> {
  const { rows } = await sql<ErasureAt>`
    select run_id as "runId", shopper_id as "shopperId", step, place from erasure_run
    where run_id = ${runId}::uuid and status = 'running'`.execute(db)
  return rows[0]
}

/** Another attempt has done this part of the work, or the run has ended: the transaction is rolled back. */
export class PartIsDoneError extends Error {}

/** Moves a run on in the transaction of a part, so that each part counts once. The next step follows when `place` is null. */
export async function advance(tx: Queryable, { runId, step, place }: ErasureAt, next: string | null): Promise<void> {
  // Of a step that is not in the list, the first one.
  const following = next === null ? ERASURE_STEPS[(ERASURE_STEPS as readonly string[]).indexOf(step) + 1]! : step
  const { rows } = await sql`
    update erasure_run set step = ${following}, place = ${next}, active_at = statement_timestamp()
    where run_id = ${runId}::uuid and status = any(${Object.keys(TRANSITIONS.advance)}::text[]) and step = ${step}
      and place is not distinct from ${place}
    returning run_id`.execute(tx)
  if (rows.length === 0) throw new PartIsDoneError()
}

/** Adds to the number of rows that a run has erased in a table. */
export async function addErased(tx: Queryable, runId: string, table: string, rows: number | bigint | string): Promise<void> {
  await sql`
    insert into erasure_count as c (run_id, table_name, erased) values (${runId}::uuid, ${table}, ${String(rows)}::bigint)
    on conflict (run_id, table_name) do update set erased = c.erased + excluded.erased`.execute(tx)
}

/** Ends a run with its certificate, and forgets the shopper and the pseudonyms. */
export async function completeErasure(db: Database, runId: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    if (!(await end(tx, runId, 'complete', null))) return
    const certificate = await certificateOf(tx, runId)
    await auditErasure(tx, runId, 'erasure.complete', SYSTEM_ACTOR, { ...certificate })
  })
}

/** Ends a run without a certificate. What it has erased stays erased, and the next run of the shopper erases the rest. */
export async function failErasure(db: Database, runId: string, message: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    if (await end(tx, runId, 'fail', message))
      await auditErasure(tx, runId, 'erasure.fail', SYSTEM_ACTOR, { error_message: message })
  })
}

async function end(tx: Queryable, runId: string, command: 'complete' | 'fail', message: string | null): Promise<boolean> {
  const targets: Partial<Record<ErasureStatus, ErasureStatus>> = TRANSITIONS[command]
  const isDone = command === 'complete' ? sql`and step = ${ERASURE_STEPS.at(-1)}` : sql``
  const { rows } = await sql`
    update erasure_run set status = ${Object.values(targets)[0]!}, finished_at = now(), active_at = now(), error_message = ${message}, shopper_id = null
    where run_id = ${runId}::uuid and status = any(${Object.keys(targets)}::text[]) ${isDone} returning run_id`.execute(tx)
  if (rows.length === 0) return false
  await sql`delete from erasure_shopper where run_id = ${runId}::uuid`.execute(tx)
  await sql`delete from erasure_event where run_id = ${runId}::uuid`.execute(tx)
  return true
}

async function auditErasure(
  tx: Queryable,
  runId: string,
  action: AuditAction,
  actor: string = SYSTEM_ACTOR,
  metadata: Record<string, unknown> = {},
): Promise<void> {
  await audit(tx, { actor, action, resourceType: 'erasure_run', resourceId: runId, metadata })
}

/** Open runs that did nothing for so long, those that did nothing for the longest time first. */
export async function silentErasures(db: Queryable, silentMs: number, limit: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select run_id as id from erasure_run
    where status in ('pending', 'running') and active_at < now() - ${silentMs} * interval '1 millisecond'
    order by active_at limit ${limit}`.execute(db)
  return rows.map(({ id }) => id)
}

/** For callers that need a run. */
export function noErasure(runId: string): DecidedError {
  return new DecidedError('not_found', `there is no erasure ${runId}`)
}
