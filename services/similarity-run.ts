import { CancelledError, type ObjectContext, rpc, TerminalError } from '@restatedev/restate-sdk'
import { notFound } from '../src/contract/decided-error.ts'
import { similarityRunApi } from '../src/contract/services.ts'
import { makeVersion } from '../src/store/similarity/make-version.ts'
import { rankingInForce } from '../src/store/similarity/ranking-settings.ts'
import { findSimilarityRun } from '../src/store/similarity/run-list.ts'
import {
  abandonSimilarityRun,
  beginSimilarityRun,
  cancelSimilarityRun,
  completeSimilarityRun,
  failSimilarityRun,
  requestSimilarityRun,
} from '../src/store/similarity/run-machine.ts'
import { dropOldVersionsFor } from '../src/store/similarity/version.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND, READ, RECORD, RUN } from './handler/handler-options.ts'
import { idOfRun } from './handler/run-id.ts'
import { objectOf } from './handler/with-options.ts'
import { refusingStep } from './recording/step.ts'

/*
 * SPEC of a run: what each command makes of each state.
 *
 *             Start     begin     advance²  complete³  fail      Cancel      Abandon
 * (none)      pending¹  –         –         –          –         404         –
 * pending     itself    running   –         –          failed    cancelled   –
 * running     itself    itself    running   completed  failed    cancelled   failed
 * completed   itself    –         –         –          –         409         –
 * failed      itself    –         –         –          –         409         –
 * cancelled   itself    –         –         –          –         itself      –
 *
 * – changes nothing and writes nothing. ¹ 409 if another run is open. ² Twice a second while it computes. ³ With a complete version.
 *
 * 1. Nothing leaves a final state; completed means that a version of the run was put in force. Enforced by `TRANSITIONS` in
 *    src/store/similarity/run-machine.ts, as the condition of the statement that changes the row.
 * 2. Each transition but `advance` writes one audit entry, however often a call is repeated: in the transaction of the change, by the call
 *    that changed the row (`run-machine.ts`).
 * 3. At most one run is open: the partial unique index similarity_run_open. A repeated Start finds its own row.
 * 4. A version is computed in one step, and nothing reads it before the run completes. Killed anywhere in the step, the run computes another
 *    version from the beginning; what is left of the first one is deleted when the run has ended (`make-version.ts`, `dropOldVersions`).
 * 5. The last update of a run puts its version in force in the same transaction, so readers see all rows of one version or all of the other
 *    (`completeSimilarityRun`). A run that has ended puts none in force, also if its work goes on for a moment.
 * 6. Execute holds the key of its run while it works. Cancel and Status do not need the key. A cancellation ends the threads within a second.
 * 7. A run does not stay open for ever. If it did nothing for a minute, the task watch-runs sends Execute again to a pending run, and
 *    Abandon to a running one. Both wait for the key: a run that is retried continues, and a run whose invocation was killed fails.
 */

/** How long a step deletes old versions. */
const DROP_MS = 5_000

/** SimilarityRun: one object per computation of which products are similar. */
export const similarityRun = (deps: Deps) => {
  const step = refusingStep(deps)
  return objectOf(
    similarityRunApi,
    deps,
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    {
      Start: [
        RECORD,
        async (ctx, request) => {
          const id = idOfRun(ctx)
          const run = await step(ctx, 'request the run', () =>
            requestSimilarityRun(deps.background, id, { ...request, kind: 'requested' }),
          )
          ctx.sendClient(similarityRunApi, ctx.key).Execute({}, rpc.sendOpts({ idempotencyKey: ctx.key }))
          return run
        },
      ],

      Execute: [RUN, (ctx) => execute(deps, ctx)],

      Abandon: [
        BACKGROUND,
        async (ctx) => {
          await ctx.run('abandon the run', () => abandonSimilarityRun(deps.background, ctx.key))
        },
      ],

      Status: [
        READ,
        async (ctx) => {
          const run = await findSimilarityRun(deps.db, idOfRun(ctx))
          if (run === undefined) throw notFound(`there is no similarity run ${ctx.key}`)
          return run
        },
      ],

      Cancel: [
        RECORD,
        (ctx, { actor, requested_by: requestedBy }) => {
          const id = idOfRun(ctx)
          return step(ctx, 'cancel the run', async () => {
            const run = await cancelSimilarityRun(deps.background, id, { actor, requestedBy })
            if (run === undefined) throw notFound(`there is no similarity run ${id}`)
            return run
          })
        },
      ],
    },
  )
}

async function execute({ background, similarity: { settings, startJob } }: Deps, ctx: ObjectContext): Promise<void> {
  try {
    if (await ctx.run('begin the run', () => beginSimilarityRun(background, ctx.key))) {
      const version = await ctx.run('make a version', async () => {
        const all = { ...settings, ...(await rankingInForce(background)) }
        return (await makeVersion(background, ctx.key, all, startJob)) ?? null
      })
      if (version !== null) await ctx.run('complete the run', () => completeSimilarityRun(background, ctx.key, version))
    }
    while (await ctx.run('delete old versions', () => dropOldVersionsFor(background, DROP_MS)));
  } catch (error) {
    // Every other error ends an attempt of this handler, and Restate retries it.
    if (!(error instanceof TerminalError)) throw error
    const message = error instanceof CancelledError ? 'its invocation was cancelled' : error.message
    await ctx.run('fail the run', () => failSimilarityRun(background, ctx.key, message))
  }
}
