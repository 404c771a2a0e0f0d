import type { Context, InferInput, InferOutput } from '@restatedev/restate-sdk'
import type { RecordingHandlers } from '../../src/contract/recorder.ts'
import { interactionOf } from '../../src/contract/search.ts'
import type { HandlerOptions } from '../handler/handler-options.ts'
import type { RecordingDeps } from './recording-deps.ts'
import { recordEventCall } from './record-analytics-events.ts'
import { recordCall } from './record-batch.ts'
import { recordImpressionCall } from './record-impressions.ts'
import { recordPaymentCall } from './record-payments.ts'
import { updateCatalog } from './update-catalog.ts'

/** What the recording handlers do, wherever they are. */
export type RecordingFunctions = {
  [Name in keyof RecordingHandlers]: (
    ctx: Context,
    input: InferInput<RecordingHandlers[Name]>,
  ) => Promise<InferOutput<RecordingHandlers[Name]>>
}

/** The services that record differ in the step: what a call does while PostgreSQL is away. */
export function recordingFunctions(deps: RecordingDeps): RecordingFunctions {
  return {
    CreateInteraction: (ctx, { interactions }) => recordCall('interaction', deps, ctx, interactions),
    RecordSearch: (ctx, search) => recordCall('search', deps, ctx, [search]),
    RecordSearches: (ctx, { searches }) => recordCall('search', deps, ctx, searches),
    RecordSearchClick: (ctx, click) => recordCall('interaction', deps, ctx, [interactionOf(click)]),
    RecordPayment: async (ctx, callback) => (await recordPaymentCall(deps, ctx, [callback]))[0]!,
    RecordPayments: async (ctx, { callbacks }) => ({ results: await recordPaymentCall(deps, ctx, callbacks) }),
    RecordEvents: (ctx, { events }) => recordEventCall(deps, ctx, events),
    RecordImpressions: (ctx, { impressions }) => recordImpressionCall(deps, ctx, impressions),
    UpsertProducts: (ctx, request) => updateCatalog(deps, ctx, request),
  }
}

/** The same options for each of them. */
export function withOptions<Functions extends object>(options: HandlerOptions, functions: Functions) {
  const entries = Object.entries(functions).map(([name, handle]) => [name, [options, handle] as const])
  return Object.fromEntries(entries) as { [Name in keyof Functions]: readonly [HandlerOptions, Functions[Name]] }
}
