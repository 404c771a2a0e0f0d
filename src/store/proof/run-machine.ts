import { sql } from 'kysely'
import type { RunStatus } from '../../contract/recompute-run.ts'
import type { StartVerification, VerificationRun } from '../../contract/verification-run.ts'
import type { Drift, VerifyResponse } from '../../contract/verify.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { RunIsOpenError, runMachine } from '../runs/run-machine.ts'
import { findVerification } from './run-list.ts'
import type { ProofProgress } from './verification.ts'

const machine = runMachine<VerificationRun>({
  table: 'verification_run',
  noun: 'verification',
  actions: {
    request: 'verification.request',
    start: 'verification.start',
    complete: 'verification.complete',
    fail: 'verification.fail',
    cancel: 'verification.cancel',
  },
  find: findVerification,
  factsOf: ({ id: _id, actor: _actor, progress: _progress, result, ...facts }) => ({
    ...facts,
    ...(result && { events: result.events, cells: result.cells, drift_count: result.drift_count }),
  }),
})

export const beginVerification = machine.begin
export const failVerification = machine.fail
export const abandonVerification = machine.abandon
export const cancelVerification = machine.cancel
export const silentVerifications = machine.silent

/** Requests a run. At most one is open. A repeated request finds its own run. @throws RunIsOpenError. */
export function requestVerification(db: Database, runId: string, request: StartVerification): Promise<VerificationRun> {
  const { actor, requested_by: requestedBy = null } = request
  return machine.request(db, runId, { actor, requested_by: requestedBy })
}

/** Requests a run, unless one is open. @returns the id of the open run. */
export async function openVerification(db: Database, runId: string, request: StartVerification): Promise<string> {
  try {
    return (await requestVerification(db, runId, request)).id
  } catch (error) {
    if (error instanceof RunIsOpenError) return error.runId
    throw error
  }
}

/** Notes how far a run is. @throws NotRunningError when it does not run any more. */
export function advanceVerification(db: Queryable, runId: string, { step, done, total }: ProofProgress): Promise<void> {
  return machine.advance(db, runId, sql`step = ${step}, done = ${done}, total = ${total}`)
}

/** Cells that differ in the row of a run. */
const KEPT_DRIFT_MAX = 100

/** Completes a run that is running with what it found. @returns the state of the run afterwards. */
export function completeVerification(db: Database, runId: string, found: VerifyResponse): Promise<RunStatus | undefined> {
  const result = { ...found, drift: found.drift.slice(0, KEPT_DRIFT_MAX).map(withoutShopper) }
  const { cells, drift_count: driftCount } = found
  return machine.complete(
    db,
    runId,
    sql`result = ${JSON.stringify(result)}::jsonb, cells = ${cells}, drift_count = ${driftCount}`,
  )
}

/** Parts of keys that may be the id of a shopper. */
const SHOPPERS: ReadonlySet<string> = new Set(['shopper_id', 'dimension_value'])
const LEFT_OUT = '(left out)'

/** Runs keep no id of a shopper, because an erasure of the shopper would have to find it there. */
function withoutShopper(drift: Drift): Drift {
  const key = Object.entries(drift.key).map(([column, value]) => [
    column,
    SHOPPERS.has(column) && value !== '' ? LEFT_OUT : value,
  ])
  return { ...drift, key: Object.fromEntries(key) as Record<string, string> }
}
