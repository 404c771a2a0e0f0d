import { type ObjectContext, rpc } from '@restatedev/restate-sdk'
import { verificationRunApi } from '../src/contract/services.ts'
import { findVerification } from '../src/store/proof/run-list.ts'
import {
  abandonVerification,
  beginVerification,
  cancelVerification,
  failVerification,
  requestVerification,
} from '../src/store/proof/run-machine.ts'
import { proveForRun } from '../src/store/proof/run-step.ts'
import type { Deps } from './handler/deps.ts'
import { PROOF } from './handler/handler-options.ts'
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
 * – changes nothing and writes nothing. ¹ 409 if another run is open. ² Twice a second while it compares. ³ With what it found.
 *
 * 1. Nothing leaves a final state; completed means that every part was compared in one snapshot. Enforced by `TRANSITIONS` in
 *    src/store/runs/run-machine.ts, as the condition of the statement that changes the row.
 * 2. Each transition but `advance` writes one audit entry, however often a call is repeated: in the transaction of the change, by the call
 *    that changed the row (`runMachine`).
 * 3. At most one run is open: the partial unique index verification_run_open. A repeated Start finds its own row.
 * 4. The proof is one step, because its snapshot ends with its connection. Killed anywhere, the run compares from the beginning, in a newer
 *    snapshot. The step stores what it found itself, so that the journal has no rows; repeated after that, it finds that the run has ended.
 * 5. Execute holds the key of its run while it works. Cancel and Status do not need the key. A cancellation cancels the running statement
 *    within a second.
 * 6. A run does not stay open for ever. If it did nothing for a minute, the task watch-runs sends Execute again to a pending run, and
 *    Abandon to a running one. Both wait for the key: a run that is retried continues, and a run whose invocation was killed fails.
 */

/** VerificationRun: one object per replay of the log against every number. */
export const verificationRun = (deps: Deps) => {
  const handlers = runHandlers(deps, {
    noun: 'verification',
    request: requestVerification,
    find: findVerification,
    cancel: cancelVerification,
    abandon: abandonVerification,
    sendExecute: (ctx) => void ctx.sendClient(verificationRunApi, ctx.key).Execute({}, rpc.sendOpts({ idempotencyKey: ctx.key })),
  })
  return objectOf(
    verificationRunApi,
    deps,
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    { ...handlers, Execute: [PROOF, (ctx) => execute(deps, ctx)] },
  )
}

async function execute({ background }: Deps, ctx: ObjectContext): Promise<void> {
  const fail = (message: string) => failVerification(background, ctx.key, message)
  await failingRun(ctx, fail, async () => {
    if (await ctx.run('begin the run', () => beginVerification(background, ctx.key))) {
      await ctx.run('compare every number', () => proveForRun(background, ctx.key))
    }
  })
}
