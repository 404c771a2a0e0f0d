import { sql } from 'kysely'
import type { Correction, RejectedKey } from '../../contract/rejected.ts'
import type { ReplayRun } from '../../contract/replay-run.ts'
import { audit, type AuditAction, SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { ABANDONED, type Cause, type Command, RunEndedError, RunIsOpenError, TRANSITIONS } from '../runs/run-machine.ts'
import { findReplayRun } from './replay-run-list.ts'

const NOUN = 'replay run'

interface Request {
  code: string
  set?: Correction | undefined
  actor: string
  requested_by?: string | undefined
}

/** Requests a run. At most one is open for each code. A repeated request finds its own run. @throws RunIsOpenError. */
export async function requestReplayRun(db: Database, runId: string, request: Request): Promise<ReplayRun> {
  const { code, set, actor, requested_by: requestedBy = null } = request
  for (;;) {
    const existing = await findReplayRun(db, runId)
    if (existing !== undefined) return existing
    await db.transaction().execute(async (tx) => {
      const { rows } = await sql`
        insert into replay_run (run_id, code, correction, status, actor, requested_by)
        values (${runId}::uuid, ${code}, ${set === undefined ? null : JSON.stringify(set)}, 'pending', ${actor}, ${requestedBy})
        on conflict do nothing returning run_id`.execute(tx)
      if (rows.length > 0) await auditRun(tx, runId, 'rejected_replay.request', { actor })
    })
    const { rows } = await sql<{ id: string }>`
      select run_id as id from replay_run where code = ${code} and status in ('pending', 'running')`.execute(db)
    // Undefined when the run that was in the way has ended since.
    if (rows[0] !== undefined && rows[0].id !== runId) throw new RunIsOpenError(NOUN, rows[0].id)
  }
}

/** The open events of a code that are kept whole. A webhook needs the adapters, which a run does not have. */
const isReplayable = (code: ReturnType<typeof sql>) =>
  sql`r.replayed_at is null and r.cut_from_bytes is null and r.kind is distinct from 'webhook' and r.code = ${code}`

/** Marks a run as running, with the events that there are to replay. @returns whether it runs. */
export async function beginReplayRun(db: Database, runId: string): Promise<boolean> {
  await db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      update replay_run u set status = ${TRANSITIONS.begin.pending}, started_at = now(), active_at = now(), total = e.total,
        last_batch_id = e.last_batch_id, last_index = e.last_index
      from replay_run p cross join lateral (
        select total.count as total, last.batch_id as last_batch_id, last.index as last_index
        from (select count(*)::int from rejected_interaction r where ${isReplayable(sql`p.code`)}) total left join (
          select r.batch_id, r.index from rejected_interaction r where ${isReplayable(sql`p.code`)}
          order by r.batch_id desc, r.index desc limit 1) last on true) e
      where u.run_id = ${runId}::uuid and p.run_id = u.run_id and u.status = any(${statesBefore('begin')}::text[]) returning u.run_id`.execute(
      tx,
    )
    if (rows.length > 0) await auditRun(tx, runId, 'rejected_replay.start', {})
  })
  return (await findReplayRun(db, runId))?.status === 'running'
}

/** The next events of a run. */
export interface ReplayPage {
  keys: RejectedKey[]
  set: Correction | undefined
  actor: string
}

/** The next events of a run that is running, the oldest first: none at its end; undefined when it does not run. */
export async function replayPage(db: Queryable, runId: string, limit: number): Promise<ReplayPage | undefined> {
  const { rows } = await sql<{ keys: RejectedKey[] | null; correction: string | null; actor: string }>`
    select u.actor, u.correction, (
      select json_agg(json_build_object('batch_id', batch_id::text, 'index', index) order by page.batch_id, page.index) from (
        select r.batch_id, r.index from rejected_interaction r
        where (r.batch_id, r.index) > (u.after_batch_id, u.after_index) and (r.batch_id, r.index) <= (u.last_batch_id, u.last_index)
          and ${isReplayable(sql`u.code`)}
        order by r.batch_id, r.index limit ${limit}) page) as keys
    from replay_run u where u.run_id = ${runId}::uuid and u.status = any(${statesBefore('advance')}::text[])`.execute(db)
  const run = rows[0]
  const set = run?.correction == null ? undefined : (JSON.parse(run.correction) as Correction)
  return run && { keys: run.keys ?? [], set, actor: run.actor }
}

/** What became of the events of a page. */
export interface ReplayTally {
  accepted: number
  duplicates: number
  rejected: number
  skipped: number
}

/**
 * Notes what became of a page that ends with an event, once: a repeated attempt finds that the run is beyond it. @returns whether the run goes on.
 */
export async function advanceReplayRun(db: Queryable, runId: string, last: RejectedKey, tally: ReplayTally): Promise<boolean> {
  await sql`
    update replay_run set active_at = statement_timestamp(), after_batch_id = ${last.batch_id}::bigint, after_index = ${last.index}::int,
      accepted = accepted + ${tally.accepted}::int, duplicates = duplicates + ${tally.duplicates}::int,
      rejected = rejected + ${tally.rejected}::int, skipped = skipped + ${tally.skipped}::int
    where run_id = ${runId}::uuid and status = any(${statesBefore('advance')}::text[])
      and (after_batch_id, after_index) < (${last.batch_id}::bigint, ${last.index}::int)`.execute(db)
  return (await findReplayRun(db, runId))?.status === 'running'
}

/** Completes a run. What it counted as to be replayed and did not find any more was deleted, or replayed by others. */
export async function completeReplayRun(db: Database, runId: string): Promise<void> {
  await change(db, runId, 'complete')
}

export async function failReplayRun(db: Database, runId: string, message: string): Promise<void> {
  await change(db, runId, 'fail', { message })
}

/**
 * Fails a run whose invocation has ended without ending the run. A run that did something in the last `silentMs` has work that waits for the key,
 * and stays.
 */
export async function abandonReplayRun(db: Database, runId: string, silentMs: number): Promise<void> {
  const isSilent = sql`active_at <= statement_timestamp() - ${silentMs}::float8 * interval '1 millisecond'`
  await change(db, runId, 'abandon', { message: ABANDONED }, isSilent)
}

/** Cancels a run; a cancelled run stays as it is. @returns undefined when the run does not exist. @throws RunEndedError. */
export async function cancelReplayRun(db: Database, runId: string, cause: Cause): Promise<ReplayRun | undefined> {
  await change(db, runId, 'cancel', cause)
  const run = await findReplayRun(db, runId)
  if (run !== undefined && run.status !== 'cancelled') throw new RunEndedError(NOUN, runId, run.status)
  return run
}

const ACTIONS = {
  complete: 'rejected_replay.complete',
  fail: 'rejected_replay.fail',
  cancel: 'rejected_replay.cancel',
  abandon: 'rejected_replay.fail',
} as const satisfies Partial<Record<Command, AuditAction>>

/** One transaction: the end of a run on the condition of the state before, and the audit entry if this call made the change. */
async function change(
  db: Database,
  runId: string,
  command: keyof typeof ACTIONS,
  cause: Cause = {},
  condition = sql`true`,
): Promise<void> {
  const to = Object.values(TRANSITIONS[command])[0]!
  const skipped = command === 'complete' ? sql`greatest(skipped, total - accepted - duplicates - rejected)` : sql`skipped`
  await db.transaction().execute(async (tx) => {
    const { rows } = await sql`
      update replay_run set status = ${to}, active_at = now(), finished_at = now(), correction = null,
        error_message = ${cause.message ?? null}, skipped = ${skipped}
      where run_id = ${runId}::uuid and status = any(${statesBefore(command)}::text[]) and ${condition} returning run_id`.execute(
      tx,
    )
    if (rows.length > 0) await auditRun(tx, runId, ACTIONS[command], cause)
  })
}

function statesBefore(command: Command): string[] {
  return Object.keys(TRANSITIONS[command])
}

/** Writes the audit entry of a change, with the run as it is after the change. What is corrected may name a person; its fields do not. */
async function auditRun(tx: Queryable, runId: string, action: AuditAction, cause: Cause): Promise<void> {
  const { id: _id, actor: _actor, progress: _progress, set, ...run } = (await findReplayRun(tx, runId))!
  const metadata = {
    ...run,
    ...(set !== undefined && { set: Object.keys(set) }),
    ...(cause.requestedBy !== undefined && { requested_by: cause.requestedBy }),
  }
  await audit(tx, { actor: cause.actor ?? SYSTEM_ACTOR, action, resourceType: 'replay_run', resourceId: runId, metadata })
}
