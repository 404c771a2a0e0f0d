import { rpc } from '@restatedev/restate-sdk'
import { DecidedError, invalidField, notFound } from '../src/contract/decided-error.ts'
import { toWritable } from '../src/contract/fields/json.ts'
import { analyticApi, verificationRunApi } from '../src/contract/services.ts'
import { keepWebhook } from '../src/store/log/kept-webhook.ts'
import { findVerification } from '../src/store/proof/run-list.ts'
import { openVerification } from '../src/store/proof/run-machine.ts'
import { runReport } from '../src/store/reports/report.ts'
import { sellerList } from '../src/store/sellers/seller-list.ts'
import { sellerDashboard } from '../src/store/sellers/seller-dashboard.ts'
import type { Deps } from './handler/deps.ts'
import { CALLING, READ, RECORD } from './handler/handler-options.ts'
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

      Sellers: [READ, async (ctx, request) => sellerList(deps.db, request, { sellerId: undefined, nowMs: await ctx.date.now() })],

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
        CALLING,
        async (ctx) => {
          const by = { actor: 'Analytic.Verify' }
          const newId = ctx.rand.uuidv4()
          const id = await step(ctx, 'request a verification', () => openVerification(deps.background, newId, by))
          // Starts the run, or waits for the invocation that works on it.
          await ctx.client(verificationRunApi, id).Execute({}, rpc.opts({ idempotencyKey: id }))
          const run = await ctx.run('read the result', () => findVerification(deps.background, id))
          if (run?.result === undefined) throw new DecidedError('unavailable', `verification ${id} has ${run?.status}; try again`)
          return run.result
        },
      ],
    },
  )
}
