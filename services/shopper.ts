import type { Context } from '@restatedev/restate-sdk'
import { DecidedError } from '../src/contract/decided-error.ts'
import { shopperOf } from '../src/contract/fields/shopper-id.ts'
import { mergeLaneApi, shopperApi } from '../src/contract/services.ts'
import type { ContextRequest, ShopperContext } from '../src/contract/shopper-context.ts'
import type { Merge, MergeRequest } from '../src/contract/shopper-merge.ts'
import { contextAnswerOf } from '../src/ranking/shopper-context-answer.ts'
import { contextOf } from '../src/ranking/shopper-context.ts'
import { recentEventsOf } from '../src/store/shoppers/shopper-recent.ts'
import { shopperIdsOf } from '../src/store/shoppers/shopper-redirect.ts'
import type { Deps } from './handler/deps.ts'
import { CALLING, READ } from './handler/handler-options.ts'
import { mergeLaneOf } from './handler/merge-lanes.ts'
import { serviceOf } from './handler/with-options.ts'

/** Shopper: what shoppers do now, and which sessions are of which accounts. */
export const shopper = (deps: Deps) =>
  serviceOf(
    shopperApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      Context: [READ, (ctx, request) => context(deps, ctx, request)],
      Merge: [CALLING, (ctx, request) => merge(ctx, request)],
    },
  )

/** The context by the events that are fed. */
async function context({ db, context: settings }: Deps, ctx: Context, request: ContextRequest): Promise<ShopperContext> {
  const events = await recentEventsOf(db, await shopperIdsOf(db, shopperOf(request.shopper_id)!))
  return contextAnswerOf(contextOf(events, await ctx.date.now(), settings))
}

async function merge(ctx: Context, request: MergeRequest): Promise<Merge> {
  const { session_id, account_id } = request
  const asked_at_ms = await ctx.date.now()
  const merged = await ctx.client(mergeLaneApi, mergeLaneOf(session_id)).Merge({ ...request, asked_at_ms })
  if (merged.account_id === account_id) return merged
  throw new DecidedError('conflict', `session ${session_id} belongs to another account`, { details: { id: merged.account_id } })
}
