import { type ObjectContext, rpc } from '@restatedev/restate-sdk'
import { DecidedError } from '../src/contract/decided-error.ts'
import { erasureApi, erasureLaneApi } from '../src/contract/services.ts'
import { findErasure } from '../src/store/erasure/run-list.ts'
import { noErasure, requestErasure } from '../src/store/erasure/run-machine.ts'
import type { Deps } from './handler/deps.ts'
import { eraseAll, erasureLaneOf } from './handler/erasure-run.ts'
import { idOfRun } from './handler/run-id.ts'
import { READ, RECORD, RUN } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'
import { refusingStep } from './recording/step.ts'

/*
 * SPEC of an erasure: what each command makes of each state.
 *
 *             Start     begin     part      certificate²  fail
 * (none)      pending¹  –         –         –             –
 * pending     itself    running   –         –             failed
 * running     itself    itself    running   completed     failed
 * completed   itself    –         –         –             –
 * failed      itself    –         –         –             –
 *
 * – changes nothing and writes nothing. ¹ Or the open run of the same shopper. ² The last part; before that it changes nothing.
 *
 * 1. Nothing leaves a final state. Enforced by `TRANSITIONS` in src/store/erasure/run-machine.ts, as the condition of each statement.
 * 2. After the part `fence` nothing of the person is recorded under its ids any more, up to the instant of the run: every transaction that records
 *    reads the tombstones after it has locked its table, and the fence waits for those that did not see them.
 * 3. A part changes rows, counts them, and moves the run on in one transaction. Killed anywhere, the run goes on with the same part.
 * 4. A part that runs twice is done once: moving on requires the place where it began (`advance`).
 * 5. The profiles equal the log at every instant, because they change in the transaction of the log's rows (`profiles.ts`).
 * 6. A run that has ended names no shopper and no pseudonym.
 * 7. A run does not stay open for ever: the task watch-runs sends Execute again to a run that did nothing for a minute. It is one call in its
 *    lane all the same.
 * 8. A lane works on one run at a time (ErasureLane). So many erasures that wait for PostgreSQL leave Restate's places to other calls.
 */

/** Erasure: one object per erasure of a person. */
export const erasure = (deps: Deps) => {
  const step = refusingStep(deps)
  return objectOf(
    erasureApi,
    deps,
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    {
      Start: [
        // The answer names no shopper, and Restate keeps no journal, so that it has no id of the person after the call.
        RECORD,
        async (ctx, request) => {
          const id = idOfRun(ctx)
          const run = await step(ctx, 'request the erasure', async () => {
            if (deps.tombstones.hasKey) return requestErasure(deps.background, id, request)
            throw new DecidedError('unavailable', 'persons cannot be erased here: ERASURE_KEY_FILE is not set')
          })
          if (run.id === id) ctx.sendClient(erasureApi, id).Execute({}, rpc.sendOpts({ idempotencyKey: id }))
          return run
        },
      ],

      Execute: [RUN, (ctx) => execute(deps, ctx)],

      Status: [
        READ,
        async (ctx) => {
          const run = await findErasure(deps.db, idOfRun(ctx))
          if (run === undefined) throw noErasure(ctx.key)
          return run
        },
      ],
    },
  )
}

/** In the journal in place of the result of the release before, which did the work in this handler. */
const IN_LANE = 'in its lane'

/** Sends the run to its lane. Restate drops the message while an earlier one of the run waits or works there. */
async function execute(deps: Deps, ctx: ObjectContext): Promise<void> {
  const outcome = await ctx.run('begin the erasure', () => IN_LANE)
  if (outcome !== IN_LANE) return eraseAll(deps, ctx, ctx.key, { isBegun: true })
  ctx.sendClient(erasureLaneApi, erasureLaneOf(ctx.key)).Execute({ run_id: ctx.key }, rpc.sendOpts({ idempotencyKey: ctx.key }))
}
