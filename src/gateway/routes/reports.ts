import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { RecordEventsRequest } from '../../contract/analytics-event.ts'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { BODY_BYTES_MAX, CreateInteractionResponse } from '../../contract/interaction.ts'
import { OFFSET_MAX } from '../../contract/fields/page.ts'
import { ReportResponse, ReportsRequest, ReportsResponse, RunReportRequest, RunReportResponse } from '../../contract/report.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { reportDefinition, reportDefinitions } from '../../store/reports/report-definition.ts'
import { taskCallerOf } from '../access/caller.ts'
import { createReportCache } from '../caching/report-cache.ts'
import { readItems } from '../recording/read-items.ts'
import { RecordingQuery } from '../recording/record-request.ts'
import { senderOf } from '../recording/sender.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const REPORTS_TAG = {
  name: 'reports',
  description: 'What sources report of their operations, per day and week, and the runs that add it up.',
}

const { report_slug: reportSlug, ...runShape } = RunReportRequest.shape
const ReportParams = z.strictObject({ slug: reportSlug.meta({ examples: ['volume-by-period'] }) })
const RunQuery = z.strictObject({
  ...runShape,
  limit: wholeNumberOfText(1, 100).default(50).describe(runShape.limit.description!),
  offset: wholeNumberOfText(0, OFFSET_MAX).default(0).describe(runShape.offset.description!),
})
const { shape } = ReportsRequest
const ReportsQuery = ReportsRequest.extend({
  limit: wholeNumberOfText(1, 100).default(50).describe(shape.limit.description!),
  offset: wholeNumberOfText(0, OFFSET_MAX).default(0).describe(shape.offset.description!),
})

const Recorded = z.object({ data: CreateInteractionResponse }).meta({
  description: 'The outcome of each event, even if every one was rejected.',
  examples: [{ data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] } }],
})

const RECORD_EVENTS = {
  bodyLimit: BODY_BYTES_MAX,
  config: { access: 'ingest', list: 'events' },
  schema: {
    operationId: 'recordEvents',
    summary: 'Record analytics events',
    description:
      'What sources report of their operations, once per source and `external_ref`, for ever: resend what was not answered. Each item is judged alone. Reports show an event when its buckets are rebuilt. A publishable key may not send them.',
    tags: ['reports'],
    body: RecordEventsRequest,
    querystring: RecordingQuery,
    response: {
      200: Recorded,
      400: ErrorBody.describe('The body is not JSON, or not a list of 1 to 10,000 items; `details` names the fields.'),
      413: ErrorBody.describe('The body is over 16 MiB.'),
      503: ErrorBody.describe(
        'Outcome unknown: send the same events again. Or too much waits here already, and nothing was recorded.',
      ),
    },
  },
} as const satisfies RouteShorthandOptions

const REPORTS = {
  config: { access: 'read' },
  schema: {
    operationId: 'reports',
    summary: 'All reports',
    description: 'With their windows, how long each is kept, and how often it is refreshed.',
    tags: ['reports'],
    querystring: ReportsQuery,
    response: { 200: ReportsResponse.describe('A page of reports.') },
  },
} as const satisfies RouteShorthandOptions

const REPORT = {
  config: { access: 'read' },
  schema: {
    operationId: 'report',
    summary: 'A report',
    description: 'What it shows, and which questions it answers.',
    tags: ['reports'],
    params: ReportParams,
    querystring: z.strictObject({}),
    response: {
      200: ReportResponse.describe('The report.'),
      404: ErrorBody.describe('There is no such report.'),
    },
  },
} as const satisfies RouteShorthandOptions

const RUN_REPORT = {
  config: { access: 'read', saysHowMade: true },
  schema: {
    operationId: 'runReport',
    summary: 'Run a report',
    description:
      'A page of its rows, from the snapshots of its buckets: days and weeks of UTC, a range widened to whole ones. `complete` is false while a bucket is missing or got events since it was built, `fresh_as_of` is as old as the oldest of them, and `run_ids` are the runs behind the numbers. Rows may be kept for `cache_ttl_seconds`, and no longer than their buckets stay as they are.',
    tags: ['reports'],
    params: ReportParams,
    querystring: RunQuery,
    response: {
      200: RunReportResponse.describe('A page of the report.'),
      404: ErrorBody.describe('There is no such report.'),
    },
  },
} as const satisfies RouteShorthandOptions

export function reportRoutes(deps: RouteDeps): RoutePlugin {
  const { lines } = deps
  const cached = createReportCache(deps.source.shared)
  const run = lines.long.shared({
    read: (db, request: RunReportRequest) => cached(db, request, Date.now()),
    keyOf: JSON.stringify,
    // No answer is older than its question.
    joinMs: 0,
  })
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post('/api/v1/analytics-events', RECORD_EVENTS, async (request) => {
      const data = await record(deps, request)
      return { data }
    })

    routes.get('/api/v1/reports', REPORTS, async (request) => {
      const { data, total } = await lines.short.read(taskCallerOf(request), (db) => reportDefinitions(db, request.query))
      return { data, meta: { row_count: total } }
    })

    routes.get('/api/v1/reports/:slug', REPORT, async (request) => {
      const { slug } = request.params
      const data = await lines.short.read(taskCallerOf(request), (db) => reportDefinition(db, slug))
      if (data === undefined) throw noReport(slug)
      return { data }
    })

    routes.get('/api/v1/reports/:slug/run', RUN_REPORT, async (request) => {
      const { slug } = request.params
      const data = await run({ report_slug: slug, ...request.query }, taskCallerOf(request))
      if (data === undefined) throw noReport(slug)
      return { data }
    })
  }
}

function noReport(slug: string): DecidedError {
  return notFound(`there is no report ${slug}`)
}

/** @throws DecidedError when the outcome is unknown. */
async function record(
  { recording, observer, largeItems }: RouteDeps,
  request: FastifyRequest,
): Promise<CreateInteractionResponse> {
  // A publishable key can be copied from a page, and amounts are for bookkeeping.
  if (request.apiKey?.isPublishable)
    throw new DecidedError('forbidden', 'a publishable key sends what shoppers do, and not these events')
  const items = await readItems(largeItems, request, 'events')
  const { groupCommit } = recording.ways.analytics_event
  try {
    const answer = await groupCommit.record({ ...items, ...senderOf(request) })
    observer.recorded(answer, 'analytics_event')
    return answer
  } catch (error) {
    throw unknownOutcome(error, 'send the same events again')
  }
}
