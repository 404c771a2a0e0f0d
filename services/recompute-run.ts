import { CancelledError, type ObjectContext, type ObjectSharedContext, rpc, TerminalError } from '@restatedev/restate-sdk'
import { DecidedError, notFound } from '../src/contract/decided-error.ts'
import { recomputeRunApi, reportWindowApi } from '../src/contract/services.ts'
import { BUCKET_DAYS } from '../src/ranking/bucket.ts'
import { type ChunkLimits, nextSize } from '../src/store/database/chunks.ts'
import { findRun } from '../src/store/reports/run-list.ts'
import { abandonRun, cancelRun, completeRun, failRun } from '../src/store/reports/run-machine.ts'
import { requestRun } from '../src/store/reports/run-request.ts'
import { type BegunRun, beginRun } from '../src/store/reports/run-step.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND, READ, RECORD } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'
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
 * – changes nothing and writes nothing. ¹ 409 for other buckets than those of a run that is there. ² done grows to the end of the
 * step; a bucket that cannot be rebuilt fails the run. ³ once done = total; nothing before.
 *
 * 1. Nothing leaves a final state; completed means that every bucket was rebuilt. `TRANSITIONS` in src/store/reports/run-machine.ts, as
 *    the condition of the statement that changes the row.
 * 2. Each transition is one audit entry, whatever is repeated: written in the transaction of the change, by who changed the row.
 * 3. Of the same whole buckets one run is open: the partial unique index recompute_run_open. A Start that is repeated finds its own row
 *    by the id before it looks for others, and goes on.
 * 4. A step rebuilds exactly its buckets, in one transaction, once: done says which step is next, and is changed in it, after the lock of
 *    the report and window (`rebuildStep`). Readers see the buckets before it or after it.
 * 5. A run that has ended changes nothing any more, also when it ends within a step: that is undone (the same condition). What was
 *    rebuilt before stays.
 * 6. Steps of overlapping runs take turns: ReportWindow, and under it the lock.
 * 7. Whoever works on a run holds its key; Cancel and Status do not need it. Cancel shows at the next step.
 * 8. A run does not stay open for ever: to those that did nothing for minutes the task watch-runs sends Execute again while they are
 *    pending, and Abandon while they are running. Both wait for the key, so that a run that waits or is tried again goes on, and one
 *    whose invocation was killed fails. No handler pauses here: it would keep the key.
 */

const STEP: ChunkLimits = { targetMs: 4_000, sizeMin: 1, sizeMax: 400 }
/** So that it is seen how far a run is, and one that is cancelled or dies keeps what it did. */
const STEPS_MIN = 10
/** Of the first step: about as many events as the target allows, or so many buckets while nobody knows how many that are. */
const FIRST_EVENTS = 4_000_000
const FIRST_BUCKETS = 4

/** RecomputeRun: one object per requested run of a recomputation. */
export const recomputeRun = (deps: Deps) =>
  objectOf(
    recomputeRunApi,
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    {
      Start: [
        RECORD,
        async (ctx, request) => {
          const id = idOf(ctx)
          const run = await ctx.run('request the run', () => requestRun(deps.background, id, request))
          ctx.sendClient(recomputeRunApi, ctx.key).Execute({}, rpc.sendOpts({ idempotencyKey: ctx.key }))
          return run
        },
      ],

      Execute: [BACKGROUND, (ctx) => execute(deps, ctx)],

      Abandon: [
        BACKGROUND,
        async (ctx) => {
          await ctx.run('abandon the run', () => abandonRun(deps.background, ctx.key))
        },
      ],

      Status: [
        READ,
        async (ctx) => {
          const run = await findRun(deps.db, idOf(ctx))
          if (run === undefined) throw noRun(ctx.key)
          return run
        },
      ],

      Cancel: [
        RECORD,
        (ctx, { actor, requested_by: requestedBy }) => {
          const id = idOf(ctx)
          return ctx.run('cancel the run', async () => {
            const run = await cancelRun(deps.background, id, { actor, requestedBy })
            if (run === undefined) throw noRun(id)
            return run
          })
        },
      ],
    },
  )

async function execute(deps: Deps, ctx: ObjectContext): Promise<void> {
  try {
    const plan = await ctx.run('begin the run', async () => (await beginRun(deps.background, ctx.key)) ?? null)
    if (plan !== null && (await rebuiltAll(ctx, plan))) {
      await ctx.run('complete the run', () => completeRun(deps.background, ctx.key))
    }
  } catch (error) {
    // Anything else is how an attempt of this handler ends, and Restate goes on with it.
    if (!(error instanceof TerminalError)) throw error
    const message = error instanceof CancelledError ? 'its invocation was cancelled' : error.message
    await ctx.run('fail the run', () => failRun(deps.background, ctx.key, message))
  }
}

/** Rebuilds step by step; the next one's size follows from the last one's time. @returns false when the run has ended meanwhile. */
async function rebuiltAll(ctx: ObjectContext, { report, window, days, done, total, bucketEvents }: BegunRun): Promise<boolean> {
  const largest = Math.ceil(total / STEPS_MIN)
  let size = bucketEvents === null ? FIRST_BUCKETS : Math.max(1, Math.floor(FIRST_EVENTS / bucketEvents))
  for (let next: number | null = done; next < total;) {
    const buckets = Math.min(size, largest, total - next)
    const from = daysAfter(days.from, next * BUCKET_DAYS[window])
    const to = daysAfter(from, buckets * BUCKET_DAYS[window] - 1)
    const rebuilt = await ctx.client(reportWindowApi, `${report}/${window}`).Rebuild({ run_id: ctx.key, from, to })
    if (rebuilt.done === null) return false
    next = rebuilt.done
    size = nextSize(buckets, rebuilt.took_ms, STEP)
  }
  return true
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Callers choose the key. Lower case only, because `A…` and `a…` would be two keys of one run. */
function idOf({ key }: ObjectSharedContext): string {
  if (!UUID.test(key)) throw new DecidedError('invalid_request', 'the key is not a UUID in lower case')
  return key
}

function noRun(id: string): DecidedError {
  return notFound(`there is no run ${id}`)
}
