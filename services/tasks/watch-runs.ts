import { rpc } from '@restatedev/restate-sdk'
import { erasureApi, recomputeRunApi, replayRunApi, similarityRunApi, verificationRunApi } from '../../src/contract/services.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { silentErasures } from '../../src/store/erasure/run-machine.ts'
import { isDenied } from '../../src/store/database/sql-state.ts'
import { silentReplayRuns } from '../../src/store/log/replay-run-list.ts'
import { silentRuns } from '../../src/store/reports/run-list.ts'
import { silentVerifications } from '../../src/store/proof/run-machine.ts'
import type { SilentRun } from '../../src/store/runs/run-machine.ts'
import { silentSimilarityRuns } from '../../src/store/similarity/run-machine.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const SILENT_MS = 60_000
/** Each is an entry in the journal. Those that did nothing for the longest time are first. */
const ERASURES_MAX = 1_000

export const WATCH_RUNS: Task = {
  description:
    'begins recomputations, similarity runs, verifications and replays that were not begun, fails those whose work was killed, and continues erasures',
  everyMs: 60_000,
  isOn: () => true,
  run: watchSilentRuns(SILENT_MS),
}

/**
 * Restarts pending runs whose Execute was lost, and abandons running ones without an invocation. A live invocation holds the
 * run's key, so Abandon waits behind it and then finds that the run has ended.
 */
export function watchSilentRuns(silentMs: number): Task['run'] {
  return async ({ background }, ctx, slot) => {
    const recomputations = await step(ctx, 'find silent runs', () => silentRuns(background, silentMs))
    sendTo(recomputations, (id) => ctx.sendClient(recomputeRunApi, id))
    // A run that waits in its lane, or works there, is not sent to it a second time.
    for (const id of await step(ctx, 'find silent erasures', () =>
      unlessDenied(silentErasures(background, silentMs, ERASURES_MAX)),
    )) {
      ctx.sendClient(erasureApi, id).Execute({}, rpc.sendOpts({ idempotencyKey: `resume ${id} ${slot}` }))
    }
    const similarityRuns = await step(ctx, 'find silent similarity runs', () =>
      unlessDenied(silentSimilarityRuns(background, silentMs)),
    )
    sendTo(similarityRuns, (id) => ctx.sendClient(similarityRunApi, id))
    const verifications = await step(ctx, 'find silent verifications', () =>
      unlessDenied(silentVerifications(background, silentMs)),
    )
    sendTo(verifications, (id) => ctx.sendClient(verificationRunApi, id))
    const replays = await step(ctx, 'find silent replay runs', () => unlessDenied(silentReplayRuns(background, silentMs)))
    // A run that went on before it was abandoned may be silent again later.
    sendTo(replays, (id) => ctx.sendClient(replayRunApi, id), ` ${Math.floor(slot / HOUR_MS)}`)
  }
}

/** The handlers of a run that this task calls. */
type Send = (request: Empty, options: ReturnType<typeof rpc.sendOpts<Empty>>) => unknown
type Empty = Record<string, never>
type RunClient = Record<'Execute' | 'Abandon', Send>

/** Begins pending runs again, and abandons running ones: once, or once for each `again`. */
function sendTo(runs: readonly SilentRun[], clientOf: (id: string) => RunClient, again = ''): void {
  for (const { id, isPending } of runs) {
    const run = clientOf(id)
    if (isPending) run.Execute({}, rpc.sendOpts({ idempotencyKey: `resume ${id}` }))
    else run.Abandon({}, rpc.sendOpts({ idempotencyKey: `abandon ${id}${again}` }))
  }
}

/** None before `migrate --role` lets this process read them: none can have begun, and recomputations are watched all the same. */
async function unlessDenied<Run>(reading: Promise<Run[]>): Promise<Run[]> {
  try {
    return await reading
  } catch (error) {
    if (isDenied(error)) return []
    throw error
  }
}
