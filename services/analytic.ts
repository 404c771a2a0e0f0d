import { invalidField, notFound } from '../src/contract/decided-error.ts'
import { toWritable } from '../src/contract/fields/json.ts'
import { interactionOf } from '../src/contract/search.ts'
import { analyticApi } from '../src/contract/services.ts'
import { keepWebhook } from '../src/store/log/kept-webhook.ts'
import { verify } from '../src/store/proof/verification.ts'
import { repairTrending } from '../src/store/popularity/trending-window.ts'
import { runReport } from '../src/store/reports/report.ts'
import { sellerDashboard } from '../src/store/sellers/seller-dashboard.ts'
import type { Deps } from './handler/deps.ts'
import { PROOF, READ, RECORD } from './handler/handler-options.ts'
import { serviceOf } from './handler/with-options.ts'
import { recordEventCall } from './recording/record-analytics-events.ts'
import { recordCall } from './recording/record-batch.ts'
import { recordPaymentCall } from './recording/record-payments.ts'
import { replayRejected } from './recording/replay-rejected.ts'

/** Analytic: records every kind of event once, and answers reports on them. */
export const analytic = (deps: Deps) =>
  serviceOf(
    analyticApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      CreateInteraction: [RECORD, (ctx, { interactions }) => recordCall('interaction', deps, ctx, interactions)],

      RecordSearch: [RECORD, (ctx, search) => recordCall('search', deps, ctx, [search])],

      RecordSearches: [RECORD, (ctx, { searches }) => recordCall('search', deps, ctx, searches)],

      RecordSearchClick: [RECORD, (ctx, click) => recordCall('interaction', deps, ctx, [interactionOf(click)])],

      RecordPayment: [RECORD, async (ctx, callback) => (await recordPaymentCall(deps, ctx, [callback]))[0]!],

      RecordPayments: [RECORD, async (ctx, { callbacks }) => ({ results: await recordPaymentCall(deps, ctx, callbacks) })],

      KeepWebhook: [
        RECORD,
        async (ctx, { webhook, ...reason }) => {
          const kept = { ...reason, webhook: { ...webhook, body: toWritable(webhook.body) } }
          return { is_new: await ctx.run('keep the webhook', () => keepWebhook(deps.db, kept)) }
        },
      ],

      SellerDashboard: [
        READ,
        async (ctx, { seller_id: sellerId, ...request }) => {
          if (sellerId === undefined) throw invalidField('seller_id', 'is missing')
          return sellerDashboard(deps.db, sellerId, request, { nowMs: await ctx.date.now(), pendingDays: deps.pendingDays })
        },
      ],

      RecordEvents: [RECORD, (ctx, { events }) => recordEventCall(deps, ctx, events)],

      RunReport: [
        READ,
        async (ctx, request) => {
          const report = await runReport(deps.db, request, await ctx.date.now())
          if (report === undefined) throw notFound(`there is no report ${request.report_slug}`)
          return report
        },
      ],

      ReplayRejected: [RECORD, (ctx, request) => replayRejected(deps, ctx, request)],

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
