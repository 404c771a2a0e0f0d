import { isUtf8 } from 'node:buffer'
import { type Context, implement, TerminalError } from '@restatedev/restate-sdk'
import { BODY_BYTES_MAX, type CreateInteractionRequest, type CreateInteractionResponse } from '../src/contract/interaction.ts'
import { analyticApi } from '../src/contract/services.ts'
import { callOf, eventIdFor } from '../src/store/call.ts'
import { recordBatch } from '../src/store/interaction-batch.ts'
import { withPrivacy } from '../src/store/privacy.ts'
import { repairTrending } from '../src/store/trending-window.ts'
import { verify } from '../src/store/verification.ts'
import { judge } from './admission.ts'
import type { Deps } from './deps.ts'
import { sendOn } from './fan-out.ts'
import { PROOF, RECORD, REPLAY } from './handler-options.ts'
import { tellRecorded } from './observer.ts'
import { replayRejected } from './replay-rejected.ts'

/** Analytic: what shoppers did, recorded once. */
export const analytic = (deps: Deps) =>
  implement(analyticApi, {
    handlers: {
      CreateInteraction: (ctx, request) => createInteraction(deps, ctx, request),

      ReplayRejected: (ctx, request) => replayRejected(deps, ctx, request),

      Verify: async () => {
        await repairTrending(deps.background)
        return verify(deps.background)
      },
    },
    options: {
      retryPolicy: deps.retryPolicy,
      handlers: {
        CreateInteraction: RECORD,
        ReplayRejected: REPLAY,
        Verify: PROOF,
      },
    },
  })

/** Judges, records, and sends the batch on. */
async function createInteraction(
  deps: Deps,
  ctx: Context,
  request: CreateInteractionRequest,
): Promise<CreateInteractionResponse> {
  const { id, body } = ctx.request()
  if (body.length > BODY_BYTES_MAX) throw new TerminalError('the body is over 16 MiB', { errorCode: 413 })
  if (!isUtf8(body)) throw new TerminalError('the body is not UTF-8', { errorCode: 400 })
  const call = callOf(id.toString(), body)
  const items = request.interactions.map((item) => withPrivacy(item, deps.privacy))
  const judged = judge(items, await ctx.date.now(), (index, time) => eventIdFor(call, index, time))
  const recorded = await ctx.run('record the batch', async () => {
    const { isNew, ...result } = await recordBatch(deps.db, call, judged.interactions, judged.rejections)
    if (isNew) tellRecorded(deps.observer, result, judged.rejections)
    deps.reached('batch committed')
    return result
  })
  sendOn(deps, ctx, { batch_id: recorded.batchId, from: recorded.from, to: recorded.to })
  const rejections = judged.rejections.map(({ index, code, field, message }) => ({ index, code, field, message }))
  return {
    accepted: recorded.accepted,
    duplicates: recorded.duplicateIndexes.length,
    duplicate_indexes: recorded.duplicateIndexes,
    rejected: [...rejections, ...recorded.refused].sort((one, other) => one.index - other.index),
  }
}
