import { implement } from '@restatedev/restate-sdk'
import { interactionOf } from '../src/contract/search.ts'
import { analyticApi } from '../src/contract/services.ts'
import { repairTrending } from '../src/store/trending-window.ts'
import { verify } from '../src/store/verification.ts'
import type { Deps } from './deps.ts'
import { PROOF, RECORD, REPLAY } from './handler-options.ts'
import { INTERACTION_RECORDING, recordCall, SEARCH_RECORDING } from './recording.ts'
import { replayRejected } from './replay-rejected.ts'

/** Analytic: what shoppers did, recorded once. */
export const analytic = (deps: Deps) =>
  implement(analyticApi, {
    handlers: {
      CreateInteraction: (ctx, { interactions }) => recordCall(INTERACTION_RECORDING, deps, ctx, interactions),

      RecordSearch: (ctx, search) => recordCall(SEARCH_RECORDING, deps, ctx, [search]),

      RecordSearches: (ctx, { searches }) => recordCall(SEARCH_RECORDING, deps, ctx, searches),

      RecordSearchClick: (ctx, click) => recordCall(INTERACTION_RECORDING, deps, ctx, [interactionOf(click)]),

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
        RecordSearch: RECORD,
        RecordSearches: RECORD,
        RecordSearchClick: RECORD,
        ReplayRejected: REPLAY,
        Verify: PROOF,
      },
    },
  })
