import { implement, TerminalError } from '@restatedev/restate-sdk'
import { interactionOf } from '../src/contract/search.ts'
import { analyticApi } from '../src/contract/services.ts'
import { runReport } from '../src/store/reports/report.ts'
import { WrongField } from '../src/store/database/errors.ts'
import { sellerDashboard } from '../src/store/sellers/seller-dashboard.ts'
import { repairTrending } from '../src/store/popularity/trending-window.ts'
import { verify } from '../src/store/proof/verification.ts'
import type { Deps } from './handler/deps.ts'
import { recordEventCall } from './recording/record-analytics-events.ts'
import { PROOF, READ, RECORD, REPLAY } from './handler/handler-options.ts'
import { recordPaymentCall } from './recording/record-payments.ts'
import { INTERACTION_RECORDING, recordCall, SEARCH_RECORDING } from './recording/record-batch.ts'
import { replayRejected } from './recording/replay-rejected.ts'

/** Analytic: what shoppers did, recorded once. */
export const analytic = (deps: Deps) =>
  implement(analyticApi, {
    handlers: {
      CreateInteraction: (ctx, { interactions }) => recordCall(INTERACTION_RECORDING, deps, ctx, interactions),

      RecordSearch: (ctx, search) => recordCall(SEARCH_RECORDING, deps, ctx, [search]),

      RecordSearches: (ctx, { searches }) => recordCall(SEARCH_RECORDING, deps, ctx, searches),

      RecordSearchClick: (ctx, click) => recordCall(INTERACTION_RECORDING, deps, ctx, [interactionOf(click)]),

      RecordPayment: async (ctx, callback) => (await recordPaymentCall(deps, ctx, [callback]))[0]!,

      RecordPayments: async (ctx, { callbacks }) => ({ results: await recordPaymentCall(deps, ctx, callbacks) }),

      SellerDashboard: async (ctx, { seller_id: sellerId, ...asked }) => {
        if (sellerId === undefined) throw new TerminalError('seller_id: is needed', { errorCode: 400 })
        return sellerDashboard(deps.db, sellerId, asked, await ctx.date.now()).catch(asBadRequest)
      },

      RecordEvents: (ctx, { events }) => recordEventCall(deps, ctx, events),

      RunReport: async (ctx, request) => {
        const report = await runReport(deps.db, request, await ctx.date.now()).catch(asBadRequest)
        if (report === undefined) throw new TerminalError(`there is no report ${request.report_slug}`, { errorCode: 404 })
        return report
      },

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
        RecordPayment: RECORD,
        RecordPayments: RECORD,
        SellerDashboard: READ,
        RecordEvents: RECORD,
        RunReport: READ,
        ReplayRejected: REPLAY,
        Verify: PROOF,
      },
    },
  })

/** @throws TerminalError for a field that asks for what does not exist. */
function asBadRequest(error: unknown): never {
  throw error instanceof WrongField ? new TerminalError(`${error.field}: ${error.message}`, { errorCode: 400 }) : error
}
