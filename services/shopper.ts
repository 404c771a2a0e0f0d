import type { Context } from '@restatedev/restate-sdk'
import { DecidedError } from '../src/contract/decided-error.ts'
import { type Shopper, shopperOf } from '../src/contract/fields/shopper-id.ts'
import { mergeLaneApi, shopperApi } from '../src/contract/services.ts'
import type { ContextAnswer, ContextRequest } from '../src/contract/shopper-context.ts'
import type { Merge, MergeRequest } from '../src/contract/shopper-merge.ts'
import type { LiveEvents } from '../src/external/live-events.ts'
import { readShopperEvents, type ShopperEvents, type ShopperLayers } from '../src/external/shopper-events.ts'
import { contextAnswerOf } from '../src/ranking/shopper-context-answer.ts'
import { contextOf } from '../src/ranking/shopper-context.ts'
import { catalogEntries, type CatalogEntry } from '../src/store/catalog/catalog-entry.ts'
import type { Database } from '../src/store/database/connection.ts'
import { isUnavailable } from '../src/store/database/sql-state.ts'
import { noteExport } from '../src/store/erasure/export-list.ts'
import { fedEventsOf } from '../src/store/shoppers/fed-events.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND, MERGING, READ, RECORD } from './handler/handler-options.ts'
import { mergeLaneOf } from './handler/merge-lanes.ts'
import { serviceOf } from './handler/with-options.ts'
import { receivedMsOf } from './recording/checked-call.ts'
import { refusingStep } from './recording/step.ts'

/** Shopper: what shoppers do now, which sessions are of which accounts, and who exported what is kept about them. */
export const shopper = (deps: Deps) => {
  const step = refusingStep(deps)
  return serviceOf(
    shopperApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      Context: [READ, (ctx, request) => context(deps, ctx, request)],
      Merge: [MERGING, (ctx, request) => merge(ctx, request)],
      Merged: [BACKGROUND, async () => undefined],
      NoteExport: [RECORD, (ctx, noted) => step(ctx, 'note the export', () => noteExport(deps.background, noted))],
    },
  )
}

async function context(deps: Deps, ctx: Context, request: ContextRequest): Promise<ContextAnswer> {
  const { events, isPartial } = await eventsOf(deps, shopperOf(request.shopper_id)!)
  const nowMs = await ctx.date.now()
  return { ...contextAnswerOf(contextOf(events, nowMs, deps.context)), meta: { is_partial: isPartial } }
}

/** Live events are part of it where every process reaches them. Otherwise PostgreSQL alone answers, or the call fails. */
async function eventsOf({ db, sharedEvents }: Deps, shopper: Shopper): Promise<ShopperEvents> {
  if (sharedEvents !== undefined) return readShopperEvents(layersOf(db, sharedEvents), shopper)
  return { events: (await fedEventsOf(db, shopper)).events, isPartial: false }
}

function layersOf(db: Database, live: LiveEvents): ShopperLayers {
  return {
    fed: (shopper) => fedEventsOf(db, shopper).catch(whenAway(undefined)),
    live,
    entriesOf: async (productIds, canLoad) =>
      canLoad ? catalogEntries(db, productIds).catch(whenAway(new Map<string, CatalogEntry>())) : new Map(),
  }
}

/** What stands for the answer of PostgreSQL while it is away. */
function whenAway<Answer>(answer: Answer): (error: unknown) => Answer {
  return (error) => {
    if (isUnavailable(error)) return answer
    throw error
  }
}

async function merge(ctx: Context, request: MergeRequest): Promise<Merge> {
  const { session_id, account_id } = request
  const asked_at_ms = await receivedMsOf(ctx)
  const merged = await ctx.client(mergeLaneApi, mergeLaneOf(session_id)).Merge({ ...request, asked_at_ms })
  if (merged.account_id === account_id) return merged
  throw new DecidedError('conflict', `session ${session_id} belongs to another account`, { details: { id: merged.account_id } })
}
