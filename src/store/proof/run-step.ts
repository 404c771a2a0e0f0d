import type { Database } from '../database/connection.ts'
import { repairTrending } from '../popularity/trending-window.ts'
import { NotRunningError } from '../runs/run-machine.ts'
import { watchRun } from '../runs/run-watch.ts'
import { advanceVerification, completeVerification } from './run-machine.ts'
import { type ProofProgress, PROOF_STEPS, verify } from './verification.ts'

/** How long a run waits for a repair of trending by another process. */
const PATIENCE_MS = 600_000

/**
 * Proves every number for a running run, and completes it with what it found. One snapshot cannot outlive its connection, so a killed attempt is
 * repeated from the beginning. Progress is written over another connection. It changes nothing when the run has ended, or ends meanwhile.
 */
export async function proveForRun(db: Database, runId: string): Promise<void> {
  const begun: ProofProgress = { done: 0, total: PROOF_STEPS.length, step: PROOF_STEPS[0]! }
  const advance = (progress: ProofProgress) => advanceVerification(db, runId, progress)
  const run = watchRun(begun, advance)
  try {
    await advance(begun)
    await repairTrending(db)
    const found = await verify(db, { patienceMs: PATIENCE_MS, signal: run.signal, onProgress: run.progress })
    await completeVerification(db, runId, found)
  } catch (error) {
    if (!run.signal.aborted && !(error instanceof NotRunningError)) throw error
  } finally {
    run.stop()
  }
}
