import { type Context, implement, rpc } from '@restatedev/restate-sdk'
import type { CreateInteractionRequest, CreateInteractionResponse } from '../src/contract/interaction.ts'
import { analyticApi, catalogApi, popularityApi, type RecordedBatch } from '../src/contract/services.ts'
import { leftBehind } from '../src/store/backlog.ts'
import { eventIdFor } from '../src/store/call.ts'
import { recordBatch } from '../src/store/interaction-batch.ts'
import { comingMonths, makePartitions } from '../src/store/partition.ts'
import { withPrivacy } from '../src/store/privacy.ts'
import { repairTrending } from '../src/store/trending-window.ts'
import { verify } from '../src/store/verification.ts'
import { judge } from './admission.ts'
import { checkedCall } from './checked-call.ts'
import type { Deps } from './deps.ts'
import { sendOn } from './fan-out.ts'
import { BACKGROUND, LONG, READ, RECORD, REPLAY } from './handler-options.ts'
import { tellRecorded } from './observer.ts'
import { replayRejected } from './replay-rejected.ts'

const LEFT_BEHIND_MINUTES = 5
const MONTHS_AHEAD = 2
const HOUR_MS = 3_600_000

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

      Sweep: async (ctx) => {
        const batches = await ctx.run('find batches left behind', () => leftBehind(deps.background, LEFT_BEHIND_MINUTES))
        const hour = Math.floor((await ctx.date.now()) / HOUR_MS)
        for (const { batchId, from, to, unscored, unfed } of batches) {
          const batch = { batch_id: batchId, from, to }
          const once = rpc.sendOpts<RecordedBatch>({ idempotencyKey: `sweep ${batchId} ${hour}` })
          if (unscored) ctx.sendClient(popularityApi).HandlePopularityEvent(batch, once)
          if (unfed) ctx.sendClient(catalogApi).AddInteraction(batch, once)
        }
      },

      MakePartitions: async (ctx) => {
        await ctx.run('make partitions', async () =>
          makePartitions(deps.background, await comingMonths(deps.background, MONTHS_AHEAD)),
        )
      },
    },
    options: {
      retryPolicy: deps.retryPolicy,
      handlers: {
        CreateInteraction: RECORD,
        ReplayRejected: REPLAY,
        Verify: { ...READ, inactivityTimeout: LONG.inactivityTimeout },
        Sweep: BACKGROUND,
        MakePartitions: BACKGROUND,
      },
    },
  })

/** Judges, records, and sends the batch on. */
async function createInteraction(
  deps: Deps,
  ctx: Context,
  request: CreateInteractionRequest,
): Promise<CreateInteractionResponse> {
  const call = checkedCall(ctx)
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
