import { DecidedError } from '../../contract/decided-error.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { RecordEventsRequest } from '../../contract/analytics-event.ts'
import { ErrorBody } from '../../contract/error.ts'
import { CreateInteractionResponse } from '../../contract/interaction.ts'
import {
  OFFSET_MAX,
  ReportResponse,
  ReportsRequest,
  ReportsResponse,
  RunReportRequest,
  RunReportResponse,
} from '../../contract/report.ts'
import { wholeNumberOfText } from '../../contract/whole-number.ts'
import type { Database } from '../../store/database/connection.ts'
import { reportDefinition, reportDefinitions } from '../../store/reports/report-definition.ts'
import type { CallGate } from '../recording/call-gate.ts'
import type { GroupCommit } from '../recording/group-commit.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { isOutage } from '../../ingress/outage.ts'
import { isTooLarge } from '../../ingress/refusal.ts'
import { TOO_LARGE } from '../recording/own-call.ts'

import { RecordingQuery } from '../recording/record-request.ts'
import { createReportCache } from '../caching/report-cache.ts'
import { shareNext } from '../caching/share-next.ts'
import { toWritable } from '../../contract/json.ts'

const { report_slug: slug, ...asked } = RunReportRequest.shape
const ReportParams = z.strictObject({ slug: slug.meta({ examples: ['volume-by-period'] }) })
const RunQuery = z.strictObject({
  ...asked,
  limit: wholeNumberOfText(1, 100).default(50).describe(asked.limit.description!),
  offset: wholeNumberOfText(0, OFFSET_MAX).default(0).describe(asked.offset.description!),
})
const { shape } = ReportsRequest
const ReportsQuery = ReportsRequest.extend({
  limit: wholeNumberOfText(1, 100).default(50).describe(shape.limit.description!),
  offset: wholeNumberOfText(0, OFFSET_MAX).default(0).describe(shape.offset.description!),
})

const Recorded = z.object({ data: CreateInteractionResponse }).meta({
  description: 'What became of each event, also when every one was refused.',
  examples: [{ data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] } }],
})

export interface ReportDeps {
  db: Database
  analyticsEvents: GroupCommit
  observer: Pick<GatewayObserver, 'recorded'>
  gate: CallGate
}

/** Reads go straight to the store. They wait in turn, and leave connections to others: a ranking of very many keeps a processor busy. */
export function reportRoutes({ db, analyticsEvents, observer, gate }: ReportDeps) {
  const cached = createReportCache(db)
  const run = shareNext((request: RunReportRequest) => gate(0, () => cached(request, Date.now())), JSON.stringify)
  return async (app: FastifyInstance) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post(
      '/api/v1/analytics-events',
      {
        config: { access: 'ingest' },
        schema: {
          operationId: 'recordEvents',
          summary: 'Record analytics events',
          description:
            'What sources tell of their operations, once per source and `external_ref`, for ever: resend whatever was not answered. Each item is judged alone. Reports show an event when its buckets are rebuilt. A publishable key may not send them.',
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
      },
      async (request) => {
        // Everybody can take one out of a page, and amounts are for whoever keeps the books.
        if (request.apiKey?.isPublishable)
          throw new DecidedError('forbidden', 'a publishable key sends what shoppers do, and not these events')
        const data = await record(analyticsEvents, request, request.body.events)
        observer.recorded(data, 'analytics_event')
        return { data }
      },
    )

    routes.get(
      '/api/v1/reports',
      {
        config: { access: 'read' },
        schema: {
          operationId: 'reports',
          summary: 'The reports that there are',
          description: 'With their windows, how long each is kept, and how often it is refreshed.',
          tags: ['reports'],
          querystring: ReportsQuery,
          response: { 200: ReportsResponse.describe('A page of reports.') },
        },
      },
      async ({ query }) => {
        const { data, total } = await reportDefinitions(db, query)
        return { data, meta: { row_count: total } }
      },
    )

    routes.get(
      '/api/v1/reports/:slug',
      {
        config: { access: 'read' },
        schema: {
          operationId: 'report',
          summary: 'A report',
          description: 'What it is, and what may be asked of it.',
          tags: ['reports'],
          params: ReportParams,
          querystring: z.strictObject({}),
          response: {
            200: ReportResponse.describe('The report.'),
            404: ErrorBody.describe('There is no such report.'),
          },
        },
      },
      async ({ params }) => {
        const data = await reportDefinition(db, params.slug)
        if (data === undefined) throw noReport(params.slug)
        return { data }
      },
    )

    routes.get(
      '/api/v1/reports/:slug/run',
      {
        config: { access: 'read' },
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
      },
      async ({ params, query }) => {
        const data = await run({ report_slug: params.slug, ...query })
        if (data === undefined) throw noReport(params.slug)
        return { data }
      },
    )
  }
}

function noReport(slug: string): DecidedError {
  return new DecidedError('not_found', `there is no report ${slug}`)
}

/** @throws Problem when nobody knows whether they were recorded. */
async function record(
  analyticsEvents: GroupCommit,
  { raw }: FastifyRequest,
  events: readonly unknown[],
): Promise<CreateInteractionResponse> {
  const json = JSON.stringify(events.map(toWritable)).slice(1, -1)
  try {
    return await analyticsEvents.record({ json, count: events.length, connection: raw.socket })
  } catch (error) {
    if (isTooLarge(error)) throw new DecidedError('too_large', TOO_LARGE)
    if (!isOutage(error)) throw error
    throw new DecidedError('unavailable', 'outcome unknown, send the same events again', { cause: error })
  }
}
