import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import { BUCKET_DAYS, bucketsIn } from '../../ranking/bucket.ts'
import { type Days, daysBefore } from '../../ranking/day.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { isDataError } from '../database/sql-state.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { rebuildBuckets, takeScopeLock } from './report-buckets.ts'
import { findPlan, type RunPlan } from './run-list.ts'
import { markBegun, TRANSITIONS } from './run-machine.ts'

/** What a run still has to do, and how large it is. */
export interface BegunRun extends RunPlan {
  /** About how many events a bucket has at most; null while PostgreSQL has no statistics. */
  bucketEvents: number | null
}

/** Begins a run, or continues it after its process died. @returns undefined when the run is not running then. */
export async function beginRun(db: Database, runId: string): Promise<BegunRun | undefined> {
  await markBegun(db, runId)
  const plan = await findPlan(db, runId)
  return plan?.status === 'running' ? { ...plan, bucketEvents: await bucketEvents(db, plan) } : undefined
}

/** An estimate from PostgreSQL's statistics of each month, because counting would read as much of the log as the step itself. */
async function bucketEvents(db: Queryable, { window, days: { from, to } }: RunPlan): Promise<number | null> {
  const result = await sql<{ events: number | null }>`
    select (max(c.reltuples) / 30 * ${BUCKET_DAYS[window]})::float8 as events
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'analytics_event'::regclass and c.reltuples > 0
      and right(c.relname, 7) between to_char(${from}::date, 'YYYY_MM') and to_char(${to}::date, 'YYYY_MM')`.execute(db)
  return onlyRow(result).events
}

/** The outcome of a step. */
export interface Step {
  /** How many buckets of the run are done; undefined when the run is not running, and nothing was changed. */
  done: number | undefined
  tookMs: number
}

/** The run ended during one of its steps, so the step is rolled back. */
class RunEndedMeanwhileError extends Error {}

/**
 * Rebuilds the next buckets of a run in one transaction, once: a repeated attempt finds that they are done, and an overlapping one
 * waits for the first. It changes nothing when the run is not running, or ends before the step does.
 * @throws DecidedError for buckets that cannot be rebuilt: a sum is too large for its column, or events are gone.
 */
export async function rebuildStep(db: Database, runId: string, days: Days): Promise<Step> {
  const startedAt = performance.now()
  const done = await db
    .transaction()
    .execute((tx) => stepIn(tx, runId, days))
    .catch((error: unknown) => {
      if (error instanceof RunEndedMeanwhileError) return undefined
      if (isDataError(error)) throw cannotRebuild(error as Error)
      throw error
    })
  return { done, tookMs: performance.now() - startedAt }
}

function cannotRebuild(cause: Error): DecidedError {
  return new DecidedError('invalid_request', `the buckets cannot be rebuilt: ${cause.message}`, { cause })
}

async function stepIn(tx: Queryable, runId: string, days: Days): Promise<number | undefined> {
  await allowLongStatements(tx)
  const scope = await findPlan(tx, runId)
  if (scope === undefined) return undefined
  await takeScopeLock(tx, scope)
  const { status, window, days: all, done } = (await findPlan(tx, runId))!
  if (status !== 'running') return undefined
  const before = days.from === all.from ? 0 : bucketsIn(window, { from: all.from, to: daysBefore(days.from, 1) })
  const after = before + bucketsIn(window, days)
  if (done >= after) return done
  const { rowsDeleted, rowsInserted, from } = await rebuildBuckets(tx, scope, days, runId)
  if (from > days.from)
    throw new DecidedError('conflict', `${scope.report} of ${days.from} cannot be rebuilt any more: its events are gone`)
  const { rows } = await sql`
    update recompute_run set done = ${after}, active_at = statement_timestamp(), rows_deleted = rows_deleted + ${rowsDeleted},
      rows_inserted = rows_inserted + ${rowsInserted}
    where run_id = ${runId}::uuid and status = any(${Object.keys(TRANSITIONS.step)}::text[]) and done = ${before}
    returning run_id`.execute(tx)
  if (rows.length === 0) throw new RunEndedMeanwhileError()
  return after
}
