import { type ObjectContext, rpc } from '@restatedev/restate-sdk'
import { recomputeRunApi, reportWindowApi } from '../src/contract/services.ts'
import { BUCKET_DAYS } from '../src/ranking/bucket.ts'
import { type ChunkLimits, nextSize } from '../src/store/database/chunks.ts'
import { findRun } from '../src/store/reports/run-list.ts'
import { abandonRun, cancelRun, completeRun, failRun } from '../src/store/reports/run-machine.ts'
import { requestRun } from '../src/store/reports/run-request.ts'
import { type BegunRun, beginRun } from '../src/store/reports/run-step.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'
import { failingRun, runHandlers } from './recording/run-handlers.ts'
import { daysAfter } from '../src/ranking/day.ts'

/*
 * SPEC of a run: what each command makes of each state.
 *
 *             Start     begin     step²     complete³   fail      Cancel      Abandon
 * (none)      pending¹  –         –         –           –         404         –
 * pending     itself¹   running   –         –           failed    cancelled   –
 * running     itself¹   itself    running   completed   failed    cancelled   failed
 * completed   itself¹   –         –         –           –         409         –
 * failed      itself¹   –         –         –           –         409         –
 * cancelled   itself¹   –         –         –           –         itself      –
 *
 * – changes nothing and writes nothing. ¹ 409 if the run has other buckets. ² done grows to the end of the step; a bucket that cannot
 * be rebuilt fails the run. ³ once done = total; before that it changes nothing.
 *
 * 1. Nothing leaves a final state; completed means that every bucket was rebuilt. Enforced by `TRANSITIONS` in
 *    src/store/reports/run-machine.ts, as the condition of the statement that changes the row.
 * 2. Each transition writes one audit entry, however often a call is repeated: in the transaction of the change, by the call that changed
 *    the row (`run-machine.ts`).
 * 3. At most one run of the same whole buckets is open: the partial unique index recompute_run_open. A repeated Start finds its own row by
 *    the id before it looks for other runs, and continues (`run-request.ts`).
 * 4. A step rebuilds exactly its buckets, once, in one transaction. `done` says which step is next, and changes in the same transaction,
 *    under the lock of the report and window (`rebuildStep` in `run-step.ts`). Readers see the buckets before the step or after it.
 * 5. A run that has ended changes nothing more. If it ends during a step, the step is rolled back, by the same condition. Buckets that were
 *    rebuilt before stay.
 * 6. Steps of overlapping runs take turns: by the key of ReportWindow, and below it by the lock.
 * 7. Execute holds the key of its run while it works. Cancel and Status do not need the key. A cancellation takes effect at the next step.
 * 8. A run does not stay open for ever. If it did nothing for a minute, the task watch-runs sends Execute again to a pending run, and
 *    Abandon to a running one (`silentRuns` in `run-list.ts`). Both wait for the key: a run that waits or is retried continues, and a run
 *    whose invocation was killed fails. No handler pauses, because it would keep the key.
 */

const STEP: ChunkLimits = { targetMs: 4_000, sizeMin: 1, sizeMax: 400 }
/** So that progress is visible, and a run that is cancelled or dies keeps most of its work. */
const STEPS_MIN = 10
/** The first step has buckets of about this many events, which is what the target allows; or this many buckets if their events cannot be estimated. */
const FIRST_EVENTS = 4_000_000
const FIRST_BUCKETS = 4

/** RecomputeRun: one object per requested run of a recomputation. */
export const recomputeRun = (deps: Deps) => {
  const handlers = runHandlers(deps, {
    noun: 'run',
    request: requestRun,
    find: findRun,
    cancel: cancelRun,
    abandon: abandonRun,
    sendExecute: (ctx) => void ctx.sendClient(recomputeRunApi, ctx.key).Execute({}, rpc.sendOpts({ idempotencyKey: ctx.key })),
  })
  return objectOf(
    recomputeRunApi,
    deps,
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    { ...handlers, Execute: [BACKGROUND, (ctx) => execute(deps, ctx)] },
  )
}

async function execute(deps: Deps, ctx: ObjectContext): Promise<void> {
  const fail = (message: string) => failRun(deps.background, ctx.key, message)
  await failingRun(ctx, fail, async () => {
    const plan = await ctx.run('begin the run', async () => (await beginRun(deps.background, ctx.key)) ?? null)
    if (plan !== null && (await rebuildAll(ctx, plan))) {
      await ctx.run('complete the run', () => completeRun(deps.background, ctx.key))
    }
  })
}

/** Rebuilds step by step; the time of a step determines the size of the next one. @returns false if the run ended during that. */
async function rebuildAll(ctx: ObjectContext, { report, window, days, done, total, bucketEvents }: BegunRun): Promise<boolean> {
  const largest = Math.ceil(total / STEPS_MIN)
  let size = bucketEvents === null ? FIRST_BUCKETS : Math.max(1, Math.floor(FIRST_EVENTS / bucketEvents))
  let rebuilt = done
  while (rebuilt < total) {
    const buckets = Math.min(size, largest, total - rebuilt)
    const from = daysAfter(days.from, rebuilt * BUCKET_DAYS[window])
    const to = daysAfter(from, buckets * BUCKET_DAYS[window] - 1)
    const step = await ctx.client(reportWindowApi, `${report}/${window}`).Rebuild({ run_id: ctx.key, from, to })
    if (step.done === null) return false
    rebuilt = step.done
    size = nextSize(buckets, step.took_ms, STEP)
  }
  return true
}
