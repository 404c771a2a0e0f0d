import { CancelledError, type ObjectContext, rpc, TerminalError } from '@restatedev/restate-sdk'
import { DecidedError } from '../src/contract/decided-error.ts'
import { erasureApi } from '../src/contract/services.ts'
import { eraseNextPart } from '../src/store/erasure/next-part.ts'
import { beginErasure, failErasure, findErasure, noErasure, requestErasure } from '../src/store/erasure/run-machine.ts'
import type { Deps } from './handler/deps.ts'
import { idOfRun } from './handler/run-id.ts'
import { READ, RECORD, RUN } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'

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
 * 7. A run does not stay open for ever: the task watch-runs sends Execute again to a run that did nothing for a minute.
 */

/** Erasure: one object per erasure of a person. */
export const erasure = (deps: Deps) =>
  objectOf(
    erasureApi,
    deps,
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    {
      Start: [
        // The answer names no shopper, and Restate keeps no journal, so that it has no id of the person after the call.
        RECORD,
        async (ctx, request) => {
          const id = idOfRun(ctx)
          const run = await ctx.run('request the erasure', () => {
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

async function execute(deps: Deps, ctx: ObjectContext): Promise<void> {
  try {
    await ctx.run('begin the erasure', async () => (await beginErasure(deps.background, ctx.key)) !== undefined)
    while (await ctx.run('erase the next part', () => eraseNextPart(deps.background, ctx.key, deps)));
  } catch (error) {
    // Every other error ends an attempt of this handler, and Restate retries it.
    if (!(error instanceof TerminalError)) throw error
    const message = error instanceof CancelledError ? 'its invocation was cancelled' : error.message
    await ctx.run('fail the erasure', () => failErasure(deps.background, ctx.key, message))
  }
}
