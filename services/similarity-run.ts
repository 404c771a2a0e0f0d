import { type ObjectContext, rpc } from '@restatedev/restate-sdk'
import { similarityRunApi } from '../src/contract/services.ts'
import type { StartSimilarityRun } from '../src/contract/similarity-run.ts'
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
import { RUN } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'
import { failingRun, runHandlers } from './recording/run-handlers.ts'

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
 *    src/store/runs/run-machine.ts, as the condition of the statement that changes the row.
 * 2. Each transition but `advance` writes one audit entry, however often a call is repeated: in the transaction of the change, by the call
 *    that changed the row (`runMachine`).
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
  const handlers = runHandlers(deps, {
    noun: 'similarity run',
    request: (db, id, request: StartSimilarityRun) => requestSimilarityRun(db, id, { ...request, kind: 'requested' }),
    find: findSimilarityRun,
    cancel: cancelSimilarityRun,
    abandon: abandonSimilarityRun,
    sendExecute: (ctx) => void ctx.sendClient(similarityRunApi, ctx.key).Execute({}, rpc.sendOpts({ idempotencyKey: ctx.key })),
  })
  return objectOf(
    similarityRunApi,
    deps,
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    { ...handlers, Execute: [RUN, (ctx) => execute(deps, ctx)] },
  )
}

async function execute({ background, similarity: { settings, startJob } }: Deps, ctx: ObjectContext): Promise<void> {
  const fail = (message: string) => failSimilarityRun(background, ctx.key, message)
  await failingRun(ctx, fail, async () => {
    if (await ctx.run('begin the run', () => beginSimilarityRun(background, ctx.key))) {
      const version = await ctx.run('make a version', async () => {
        const all = { ...settings, ...(await rankingInForce(background)) }
        return (await makeVersion(background, ctx.key, all, startJob)) ?? null
      })
      if (version !== null) await ctx.run('complete the run', () => completeSimilarityRun(background, ctx.key, version))
    }
    while (await ctx.run('delete old versions', () => dropOldVersionsFor(background, DROP_MS)));
  })
}
