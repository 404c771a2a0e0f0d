import { type ObjectContext, rpc } from '@restatedev/restate-sdk'
import { DecidedError } from '../src/contract/decided-error.ts'
import { mergeLaneApi, shopperApi } from '../src/contract/services.ts'
import type { LaneMergeRequest, Merge } from '../src/contract/shopper-merge.ts'
import { isDataError, isDenied, mayPass } from '../src/store/database/sql-state.ts'
import { traceCall } from '../src/store/log/recorded-call.ts'
import { mergeSession } from '../src/store/shoppers/shopper-merge.ts'
import type { Deps } from './handler/deps.ts'
import { LANE } from './handler/handler-options.ts'
import { finalIfDataError } from './handler/step.ts'
import { objectOf } from './handler/with-options.ts'
import { callOfRequest } from './recording/checked-call.ts'

/**
 * Failures before a merge is given up. Pauses double: 7 s in all with a first pause of 100 ms in Restate, so that a gateway that waits 10 s for the
 * merge can say so.
 */
const FAILURES_MAX = 4
const PAUSE_INTERVALS = 10

/** MergeLane: stores merges one after the other, so that an outage of PostgreSQL leaves all but one of a lane waiting in Restate. */
export const mergeLane = (deps: Deps) =>
  objectOf(
    mergeLaneApi,
    deps,
    {},
    {
      Merge: [LANE, (ctx, request) => merge(deps, ctx, request)],
    },
  )

/** An outage lasts as long as it does. Any other failure is answered after some attempts, because the merges behind this one wait for it. */
async function merge({ db, tombstones, retryPolicy }: Deps, ctx: ObjectContext, request: LaneMergeRequest): Promise<Merge> {
  const mergeAndTrace = async () => {
    const merged = await mergeSession(db, request, tombstones)
    await traceCall(db, callOfRequest(ctx))
    return merged
  }
  for (let failures = 1; ; failures++) {
    const outcome = await ctx.run('merge the session', () => mergeAndTrace().catch(failureOf))
    if (!('failure' in outcome)) {
      ctx.sendClient(shopperApi).Merged({}, rpc.sendOpts({ idempotencyKey: ctx.request().id.toString() }))
      return outcome
    }
    if (failures === FAILURES_MAX) {
      ctx.console.error('a merge was given up: it failed for another reason than an outage', outcome)
      throw new DecidedError('unavailable', `the session could not be merged: ${outcome.failure}`)
    }
    await ctx.sleep(PAUSE_INTERVALS * retryPolicy.initialInterval * 2 ** (failures - 1))
  }
}

/** For `catch`. @throws what is decided, and what Restate repeats for as long as PostgreSQL is away. */
function failureOf(error: unknown): { failure: string } {
  const isAway = mayPass(error) && !isDenied(error)
  if (error instanceof DecidedError || isAway || isDataError(error)) finalIfDataError(error)
  return { failure: error instanceof Error ? error.message : String(error) }
}
