import { setTimeout as sleep } from 'node:timers/promises'
import type { Correction } from '../../contract/rejected.ts'
import type { ReplayRun } from '../../contract/replay-run.ts'
import { refusalOf } from '../../ingress/refusal.ts'
import { createReplayRunsClient, type ReplayRuns } from '../../ingress/replay-runs-client.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { readConfig } from '../../main/config/config.ts'
import { StartError } from '../../main/config/start-error.ts'
import { ingressOf } from '../../main/ingress.ts'
import { actor } from '../terminal/actor.ts'
import { print, printError } from '../terminal/output.ts'
import { runProgressOn, type RunView } from '../terminal/run-progress.ts'

const POLL_MS = 300

/** Replays every event of a code by a run, and waits for its end. */
export async function replayCode(code: string, set: Correction | undefined): Promise<void> {
  const config = readConfig(process.env)
  const runs = createReplayRunsClient(ingressOf(config))
  const fail = (error: unknown): never => {
    const away = `Restate at ${addressesOf(config).ingressUrl} does not answer in time: start it, or change RESTATE_INGRESS_URL.`
    throw new StartError(refusalOf(error)?.message ?? away, { cause: error })
  }
  const started = await runs.start({ code, ...(set !== undefined && { set }), actor: actor() }).catch(fail)
  const { status, accepted, duplicates, rejected, skipped } = await waitForEnd(runs, started).catch(fail)
  print(
    `Run ${started.id} has ${status}: ${accepted} accepted, ${duplicates} recorded before, ${rejected} refused again, ${skipped} skipped`,
  )
  if (status !== 'completed' || rejected > 0) process.exitCode = 1
}

const EVENTS: RunView<ReplayRun> = {
  shareOf: ({ progress: { done, total } }) => (total === 0 ? 0 : done / total),
  describe: ({ status, progress: { done, total } }) =>
    `${status}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} events`,
}

/** A wait that is interrupted does not end the run. */
async function waitForEnd(runs: ReplayRuns, started: ReplayRun): Promise<ReplayRun> {
  const progress = runProgressOn(process.stderr, EVENTS, () =>
    printError(`The run ${started.id} continues; DELETE /api/v1/analytic/rejected-replays/${started.id} ends it.`),
  )
  try {
    let run = started
    for (; run.status === 'pending' || run.status === 'running'; run = await runs.status(started.id)) {
      progress.report(run)
      await sleep(POLL_MS)
    }
    return run
  } finally {
    progress.stop()
  }
}
