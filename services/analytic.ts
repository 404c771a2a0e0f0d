import { invalidField, notFound } from '../src/contract/decided-error.ts'
import { toWritable } from '../src/contract/fields/json.ts'
import { analyticApi } from '../src/contract/services.ts'
import { keepWebhook } from '../src/store/log/kept-webhook.ts'
import { verify } from '../src/store/proof/verification.ts'
import { repairTrending } from '../src/store/popularity/trending-window.ts'
import { runReport } from '../src/store/reports/report.ts'
import { sellerDashboard } from '../src/store/sellers/seller-dashboard.ts'
import type { Deps } from './handler/deps.ts'
import { PROOF, READ, RECORD } from './handler/handler-options.ts'
import { serviceOf } from './handler/with-options.ts'
import { leavingPlaces } from './recording/leave-place.ts'
import { fanOut } from './recording/fan-out.ts'
import { recordingFunctions } from './recording/recording-functions.ts'
import { replayRejected } from './recording/replay-rejected.ts'
import { directStep, refusingStep } from './recording/step.ts'

/** Analytic: records every kind of event once, and answers reports on them. */
export const analytic = (deps: Deps) => {
  const record = leavingPlaces(recordingFunctions({ ...deps, step: directStep(deps) }))
  const step = refusingStep(deps)
  return serviceOf(
    analyticApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      CreateInteraction: [RECORD, record.CreateInteraction],

      RecordSearch: [RECORD, record.RecordSearch],

      RecordSearches: [RECORD, record.RecordSearches],

      RecordSearchClick: [RECORD, record.RecordSearchClick],

      RecordPayment: [RECORD, record.RecordPayment],

      RecordPayments: [RECORD, record.RecordPayments],

      KeepWebhook: [
        RECORD,
        async (ctx, { webhook, ...reason }) => {
          const kept = { ...reason, webhook: { ...webhook, body: toWritable(webhook.body) } }
          return { is_new: await step(ctx, 'keep the webhook', () => keepWebhook(deps.db, kept)) }
        },
      ],

      SellerDashboard: [
        READ,
        async (ctx, { seller_id: sellerId, ...request }) => {
          if (sellerId === undefined) throw invalidField('seller_id', 'is missing')
          return sellerDashboard(deps.db, sellerId, request, { nowMs: await ctx.date.now(), pendingDays: deps.pendingDays })
        },
      ],

      RecordEvents: [RECORD, record.RecordEvents],

      RunReport: [
        READ,
        async (ctx, request) => {
          const report = await runReport(deps.db, request, await ctx.date.now())
          if (report === undefined) throw notFound(`there is no report ${request.report_slug}`)
          return report
        },
      ],

      ReplayRejected: [RECORD, (ctx, request) => replayRejected({ ...deps, step }, ctx, request)],

      FanOut: [RECORD, async (ctx, { batch_id: batchId, ...batch }) => fanOut(ctx, 'interaction', { batchId, ...batch })],

      Ping: [READ, async () => undefined],

      Verify: [
        PROOF,
        async () => {
          await repairTrending(deps.background)
          return verify(deps.background)
        },
      ],
    },
  )
}
