import { sql } from 'kysely'
import type { RunStatus } from '../../contract/recompute-run.ts'
import type { SimilarityRun, SimilarityRunKind, SimilarityStage } from '../../contract/similarity-run.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { runMachine } from '../runs/run-machine.ts'
import { findSimilarityRun } from './run-list.ts'
import { putInForce } from './version.ts'

const machine = runMachine<SimilarityRun>({
  table: 'similarity_run',
  noun: 'similarity run',
  actions: {
    request: 'similarity.request',
    start: 'similarity.start',
    complete: 'similarity.complete',
    fail: 'similarity.fail',
    cancel: 'similarity.cancel',
  },
  find: findSimilarityRun,
  factsOf: ({ id: _id, actor: _actor, progress: _progress, ...facts }) => facts,
})

export const beginSimilarityRun = machine.begin
export const failSimilarityRun = machine.fail
export const abandonSimilarityRun = machine.abandon
export const cancelSimilarityRun = machine.cancel
export const silentSimilarityRuns = machine.silent

interface Request {
  kind: SimilarityRunKind
  actor: string
  requested_by?: string | undefined
}

/** Requests a run. At most one is open. A repeated request finds its own run. @throws RunIsOpenError. */
export function requestSimilarityRun(db: Database, runId: string, request: Request): Promise<SimilarityRun> {
  const { kind, actor, requested_by: requestedBy = null } = request
  return machine.request(db, runId, { kind, actor, requested_by: requestedBy })
}

/** How far a run is. */
export interface RunProgress {
  stage: SimilarityStage
  done: number
  total: number
}

/** Notes how far a run is. @throws NotRunningError when it does not run any more. */
export function advanceSimilarityRun(db: Queryable, runId: string, { stage, done, total }: RunProgress): Promise<void> {
  return machine.advance(db, runId, sql`stage = ${stage}, done = ${done}, total = ${total}`)
}

/**
 * Completes a run that is running and puts its version in force, in one transaction. Of attempts that overlap, the first one that gets here
 * does it, and the version of the other one is deleted later. @returns the state of the run afterwards.
 */
export function completeSimilarityRun(db: Database, runId: string, version: number): Promise<RunStatus | undefined> {
  return machine.complete(db, runId, sql`version = ${version}`, (tx) => putInForce(tx, version))
}
