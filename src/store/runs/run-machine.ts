import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import type { RunStatus } from '../../contract/recompute-run.ts'
import { audit, type AuditAction, type AuditEntry, SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'

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
  readonly runId: string

  constructor(noun: string, runId: string) {
    super('conflict', `${noun} ${runId} is open`, { details: { run_id: runId } })
    this.runId = runId
  }
}

/** The run has completed or failed, so it can no longer be cancelled. */
export class RunEndedError extends DecidedError {
  override readonly name = 'RunEndedError'

  constructor(noun: string, runId: string, status: RunStatus) {
    super('conflict', `${noun} ${runId} has ${status} already`, { details: { run_id: runId } })
  }
}

/** Thrown to the work of a run that does not run any more, e.g. because it was cancelled. */
export class NotRunningError extends Error {}

/** A kind of run of which at most one is open. */
export interface RunKind<Run> {
  /**
   * Has run_id, status, actor, requested_by, requested_at, started_at, active_at, finished_at and error_message, and a unique index that lets at
   * most one row be pending or running.
   */
  table: AuditEntry['resourceType'] & `${string}_run`
  /** In messages: a similarity run. */
  noun: string
  actions: Readonly<Record<'request' | 'start' | 'complete' | 'fail' | 'cancel', AuditAction>>
  find: (db: Queryable, runId: string) => Promise<Run | undefined>
  /** What an audit entry says of a run, besides its id and the caller. */
  factsOf: (run: Run) => Record<string, unknown>
}

/** Why a run changes. */
export interface Cause {
  actor?: string
  requestedBy?: string | undefined
  message?: string
}

export interface SilentRun {
  id: string
  isPending: boolean
}

type Sql = ReturnType<typeof sql>

/** The statements of a kind of run. */
export interface RunMachine<Run> {
  /** Requests a run. A repeated request finds its own run. @throws RunIsOpenError. */
  request: (db: Database, runId: string, row: { actor: string } & Readonly<Record<string, string | null>>) => Promise<Run>
  /** Marks a run as running. @returns whether it is. */
  begin: (db: Database, runId: string) => Promise<boolean>
  /** Notes how far a run is. @throws NotRunningError when it does not run any more. */
  advance: (db: Queryable, runId: string, changes: Sql) => Promise<void>
  /** Completes a run that is running, with other changes in the same transaction. @returns its state afterwards. */
  complete: (db: Database, runId: string, changes: Sql, also?: (tx: Queryable) => Promise<void>) => Promise<RunStatus | undefined>
  fail: (db: Database, runId: string, message: string) => Promise<void>
  /** Fails a run whose invocation has ended without ending the run. */
  abandon: (db: Database, runId: string) => Promise<void>
  /** Cancels a run; a cancelled run stays as it is. @returns undefined when the run does not exist. @throws RunEndedError. */
  cancel: (db: Database, runId: string, cause: Cause) => Promise<Run | undefined>
  /** Open runs that did nothing for so long. */
  silent: (db: Queryable, silentMs: number) => Promise<SilentRun[]>
}

export const ABANDONED = 'nothing works on it any more: its invocation was killed or lost'

/** Each change is one transaction: the row, on the condition of the state before, and the audit entry if this call made the change. */
export function runMachine<Run extends { status: RunStatus }>(kind: RunKind<Run>): RunMachine<Run> {
  const { find, noun, actions } = kind
  const { update, auditRun, end } = writesOf(kind)
  const statusOf = async (db: Queryable, runId: string) => (await find(db, runId))?.status
  return {
    request: async (db, runId, row) => {
      for (;;) {
        const existing = await find(db, runId)
        if (existing !== undefined) return existing
        await db.transaction().execute(async (tx) => {
          if (await insertRun(tx, kind.table, runId, row)) await auditRun(tx, runId, actions.request, { actor: row.actor })
        })
        const openId = await openRunOf(db, kind.table)
        // Undefined when the run that was in the way has ended since.
        if (openId !== undefined && openId !== runId) throw new RunIsOpenError(noun, openId)
      }
    },
    begin: async (db, runId) => {
      await db.transaction().execute(async (tx) => {
        const changes = sql`started_at = now()`
        if (await update(tx, runId, 'begin', changes)) await auditRun(tx, runId, actions.start, {})
      })
      return (await statusOf(db, runId)) === 'running'
    },
    advance: async (db, runId, changes) => {
      if (!(await update(db, runId, 'advance', changes))) throw new NotRunningError()
    },
    complete: async (db, runId, changes, also = async () => undefined) => {
      await db.transaction().execute(async (tx) => {
        if (!(await update(tx, runId, 'complete', sql`finished_at = now(), done = total, ${changes}`))) return
        await also(tx)
        await auditRun(tx, runId, actions.complete, {})
      })
      return statusOf(db, runId)
    },
    fail: (db, runId, message) => end(db, runId, 'fail', { message }),
    abandon: (db, runId) => end(db, runId, 'abandon', { message: ABANDONED }),
    cancel: async (db, runId, cause) => {
      await end(db, runId, 'cancel', cause)
      const run = await find(db, runId)
      if (run !== undefined && run.status !== 'cancelled') throw new RunEndedError(noun, runId, run.status)
      return run
    },
    silent: (db, silentMs) => silentRunsOf(db, kind.table, silentMs),
  }
}

function writesOf<Run>(kind: RunKind<Run>) {
  /** @returns whether this call changed the row. */
  const update = async (db: Queryable, runId: string, command: Command, changes: Sql) => {
    const [from, to] = [Object.keys(TRANSITIONS[command]), Object.values(TRANSITIONS[command])[0]!]
    const { rows } = await sql`
      update ${sql.table(kind.table)} set status = ${to}, active_at = statement_timestamp(), ${changes}
      where run_id = ${runId}::uuid and status = any(${from}::text[]) returning run_id`.execute(db)
    return rows.length > 0
  }
  /** With the run as it is after the change. */
  const auditRun = async (tx: Queryable, runId: string, action: AuditAction, { actor, requestedBy }: Cause) => {
    const facts = kind.factsOf((await kind.find(tx, runId))!)
    const metadata = { ...facts, ...(requestedBy !== undefined && { requested_by: requestedBy }) }
    await audit(tx, { actor: actor ?? SYSTEM_ACTOR, action, resourceType: kind.table, resourceId: runId, metadata })
  }
  const end = (db: Database, runId: string, command: 'fail' | 'cancel' | 'abandon', cause: Cause) =>
    db.transaction().execute(async (tx) => {
      const changes = sql`finished_at = now(), error_message = ${cause.message ?? null}`
      const action = command === 'cancel' ? kind.actions.cancel : kind.actions.fail
      if (await update(tx, runId, command, changes)) await auditRun(tx, runId, action, cause)
    })
  return { update, auditRun, end }
}

/** @returns whether this call added the row: it does not when another run is open, or the row is there. */
async function insertRun(tx: Queryable, table: string, runId: string, row: Record<string, string | null>): Promise<boolean> {
  const columns = sql.join(Object.keys(row).map((column) => sql.ref(column)))
  const { rows } = await sql`
    insert into ${sql.table(table)} (run_id, status, ${columns}) values (${runId}::uuid, 'pending', ${sql.join(Object.values(row))})
    on conflict do nothing returning run_id`.execute(tx)
  return rows.length > 0
}

async function openRunOf(db: Queryable, table: string): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    select run_id as id from ${sql.table(table)} where status in ('pending', 'running')`.execute(db)
  return rows[0]?.id
}

/** Open runs of a table that did nothing for so long, the oldest first. */
export async function silentRunsOf(db: Queryable, table: string, silentMs: number): Promise<SilentRun[]> {
  const { rows } = await sql<SilentRun>`
    select run_id as id, status = 'pending' as "isPending" from ${sql.table(table)}
    where status in ('pending', 'running') and active_at < statement_timestamp() - ${silentMs}::float8 * interval '1 millisecond'
    order by requested_at`.execute(db)
  return rows
}
