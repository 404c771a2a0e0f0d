import { implement, rpc } from '@restatedev/restate-sdk'
import { interactionOf } from '../src/contract/search.ts'
import { analyticApi, catalogApi, popularityApi, type RecordedBatch } from '../src/contract/services.ts'
import { leftBehind } from '../src/store/backlog.ts'
import { comingMonths, makePartitions } from '../src/store/partition.ts'
import { repairTrending } from '../src/store/trending-window.ts'
import { verify } from '../src/store/verification.ts'
import type { Deps } from './deps.ts'
import { BACKGROUND, LONG, READ, RECORD, REPLAY } from './handler-options.ts'
import { INTERACTIONS, recordCall, SEARCHES } from './recording.ts'
import { replayRejected } from './replay-rejected.ts'

const LEFT_BEHIND_MINUTES = 5
const MONTHS_AHEAD = 2
const HOUR_MS = 3_600_000

/** Analytic: what shoppers did, recorded once. */
export const analytic = (deps: Deps) =>
  implement(analyticApi, {
    handlers: {
      CreateInteraction: (ctx, { interactions }) => recordCall(INTERACTIONS, deps, ctx, interactions),

      RecordSearch: (ctx, search) => recordCall(SEARCHES, deps, ctx, [search]),

      RecordSearches: (ctx, { searches }) => recordCall(SEARCHES, deps, ctx, searches),

      RecordSearchClick: (ctx, click) => recordCall(INTERACTIONS, deps, ctx, [interactionOf(click)]),

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
        RecordSearch: RECORD,
        RecordSearches: RECORD,
        RecordSearchClick: RECORD,
        ReplayRejected: REPLAY,
        Verify: { ...READ, inactivityTimeout: LONG.inactivityTimeout },
        Sweep: BACKGROUND,
        MakePartitions: BACKGROUND,
      },
    },
  })
