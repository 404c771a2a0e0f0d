import { iface } from '@restatedev/restate-sdk-core'
import { z } from 'zod'
import { RecordEventsRequest } from './analytics-event.ts'
import { handler, Nothing, sharedHandler } from './handler.ts'
import { CreateInteractionRequest, CreateInteractionResponse } from './interaction.ts'
import { RecordPaymentRequest, RecordPaymentResponse, RecordPaymentsRequest, RecordPaymentsResponse } from './payment.ts'
import { PopularRequest, PopularResponse } from './popular-list.ts'
import { GetPopularityRequest, Popularity, TopRequest, TopResponse } from './popularity.ts'
import { CatalogProduct, GetProductRequest, UpsertProductsRequest, UpsertProductsResponse } from './product.ts'
import { CancelRun, RebuildRequest, RebuildResponse, RecomputeRun, StartRun } from './recompute-run.ts'
import { ReportAnswer, RunReportRequest } from './report.ts'
import { ReplayRejectedRequest, ReplayRejectedResponse } from './rejected.ts'
import { LastRun, LastRunRequest, LatestSlot, RunRequest, ScheduleRequest, ScheduleState, Slot } from './schedule.ts'
import { RecordSearchesRequest, Search, SearchClick } from './search.ts'
import { SellerDashboardRequest, SellerDashboardResponse } from './seller-dashboard.ts'
import { VerifyResponse } from './verify.ts'

/** A recorded batch: its id, and the first and last instant of its events, which let PostgreSQL skip partitions. */
export const RecordedBatch = z.strictObject({
  batch_id: z.string().regex(/^\d+$/),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
})
export type RecordedBatch = z.infer<typeof RecordedBatch>

export const analyticApi = iface.service('Analytic', {
  CreateInteraction: handler({
    input: CreateInteractionRequest,
    output: CreateInteractionResponse,
    description: 'Records a batch of interactions once and sends it on to be counted. Each item is judged alone.',
  }),
  RecordSearch: handler({
    input: Search,
    output: CreateInteractionResponse,
    description: 'Records a search once and counts the products that it showed. Answers as for a batch of one.',
  }),
  RecordSearches: handler({
    input: RecordSearchesRequest,
    output: CreateInteractionResponse,
    description: 'The same for up to 200 searches. Each is judged alone.',
  }),
  RecordSearchClick: handler({
    input: SearchClick,
    output: CreateInteractionResponse,
    description: 'Records a click on a product that a search showed, as an interaction click_from_search.',
  }),
  RecordPayment: handler({
    input: RecordPaymentRequest,
    output: RecordPaymentResponse,
    description:
      'For trusted callers. Records what a payment provider told, once, and all that follows from it: the analytics event, interactions, and sale lines. Answers as for a batch of one.',
  }),
  RecordPayments: handler({
    input: RecordPaymentsRequest,
    output: RecordPaymentsResponse,
    description: 'The same for up to 100 callbacks. Each is judged alone.',
  }),
  SellerDashboard: handler({
    input: SellerDashboardRequest,
    output: SellerDashboardResponse,
    description: 'What a seller sold: summary, comparison with the period before, charts, best products.',
  }),
  RecordEvents: handler({
    input: RecordEventsRequest,
    output: CreateInteractionResponse,
    description: 'Records analytics events, once per source and reference. Each is judged alone.',
  }),
  RunReport: handler({
    input: RunReportRequest,
    output: ReportAnswer,
    description: 'A page of a report, from its snapshots.',
  }),
  ReplayRejected: handler({
    input: ReplayRejectedRequest,
    output: ReplayRejectedResponse,
    description:
      'For operators. Sends a refused interaction again, once: 409 when it was replayed already, 404 when there is none.',
  }),
  Verify: handler({
    input: Nothing,
    output: VerifyResponse,
    description: 'Replays the log against every aggregate and lists the cells that differ.',
  }),
})

export const popularityApi = iface.service('Popularity', {
  HandlePopularityEvent: handler({ input: RecordedBatch, description: 'Private. Counts a recorded batch once.' }),
  Top: handler({ input: TopRequest, output: TopResponse, description: 'Products by score, best first.' }),
  Popular: handler({
    input: PopularRequest,
    output: PopularResponse,
    description: 'What is popular: by mode, in a window, of categories, at an instant.',
  }),
  Get: handler({ input: GetPopularityRequest, output: Popularity, description: 'One product; 404 when never seen.' }),
})

export const catalogApi = iface.service('Catalog', {
  AddInteraction: handler({
    input: RecordedBatch,
    description: 'Private. Feeds a recorded batch to the shopper profiles once.',
  }),
  UpsertProducts: handler({
    input: UpsertProductsRequest,
    output: UpsertProductsResponse,
    description: 'Brings the catalogue up to date: of each product the newest version stays. Each item is judged alone.',
  }),
  GetProduct: handler({
    input: GetProductRequest,
    output: CatalogProduct,
    description: 'One product, deleted ones too; 404 when the catalogue never had it.',
  }),
})

export const recomputeRunApi = iface.object('RecomputeRun', {
  Start: handler({
    input: StartRun,
    output: RecomputeRun,
    description: 'Asks for the recomputation of buckets. The key is the run id, a UUID; 409 when one of the same scope is open.',
  }),
  Execute: handler({ input: Nothing, description: 'Private. Does the work.' }),
  Abandon: handler({
    input: Nothing,
    description: 'Private. Fails a run that is still open when its turn comes: whoever works on it holds the key.',
  }),
  Status: sharedHandler({
    input: Nothing,
    output: RecomputeRun,
    description: 'What became of it; 404 when there is none.',
  }),
  Cancel: sharedHandler({
    input: CancelRun,
    output: RecomputeRun,
    description: 'Ends it at the next bucket. What was rebuilt stays. 409 when it has ended.',
  }),
})

export const reportWindowApi = iface.object('ReportWindow', {
  Rebuild: handler({
    input: RebuildRequest,
    output: RebuildResponse,
    description: 'Private. Rebuilds buckets of a report and window (the key: volume-by-period/day), one request after the other.',
  }),
})

export const scheduleApi = iface.object('Schedule', {
  Start: handler({
    input: ScheduleRequest,
    description: 'Runs the task of this name every so often. Starting it again changes nothing.',
  }),
  Stop: handler({ input: Nothing, description: 'Stops it. A run that is under way goes on to its end.' }),
  Info: sharedHandler({
    input: Nothing,
    output: ScheduleState,
    description: 'Whether it is on, when it runs next, and what became of its last run.',
  }),
  Tick: handler({ input: Slot, description: 'Private. One slot.' }),
  Latest: sharedHandler({ input: Nothing, output: LatestSlot, description: 'Private. The slot that came last.' }),
})

export const taskApi = iface.object('Task', {
  Run: handler({ input: RunRequest, description: 'Private. Does the work of one slot, and never that of two at once.' }),
  LastRun: sharedHandler({
    input: LastRunRequest,
    output: LastRun,
    description: 'Private. What became of the last run.',
  }),
})

/** Every service, in the order of the documentation. */
export const SERVICE_APIS = [
  analyticApi,
  popularityApi,
  catalogApi,
  recomputeRunApi,
  reportWindowApi,
  scheduleApi,
  taskApi,
] as const

export const SERVICE_NAMES: readonly string[] = SERVICE_APIS.map(({ name }) => name)
