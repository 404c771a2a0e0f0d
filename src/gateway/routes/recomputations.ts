import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { RecomputeRun, RequestRun, RunsRequest } from '../../contract/recompute-run.ts'
import { OFFSET_MAX } from '../../contract/fields/page.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { createRecomputeRunsClient } from '../../ingress/recompute-runs-client.ts'
import { findRun, listRuns } from '../../store/reports/run-list.ts'
import { ActorHeader, byOf, refuseRun } from '../recording/run-calls.ts'
import { callerIdOf, hangUpOf, taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const EXAMPLE: RecomputeRun = {
  id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11',
  kind: 'requested',
  report_slug: 'volume-by-period',
  window: 'day',
  date_from: '2026-03-01',
  date_to: '2026-03-31',
  requested_by: 'finance',
  actor: 'local',
  status: 'pending',
  progress: { done: 0, total: 31 },
  requested_at: '2026-04-01T08:00:00.000Z',
}

const Run = z.object({ data: RecomputeRun }).meta({ examples: [{ data: EXAMPLE }] })
const RunsPage = z
  .object({ data: z.array(RecomputeRun), meta: z.object({ total: z.int().describe('Runs of all pages.') }) })
  .meta({ examples: [{ data: [EXAMPLE], meta: { total: 1 } }] })
const RunId = z.object({
  id: z
    .uuid()
    .toLowerCase()
    .meta({ examples: [EXAMPLE.id] })
    .describe('The id of the run.'),
})
const RunsQuery = RunsRequest.extend({
  limit: wholeNumberOfText(1, 100).default(50).describe('Runs of the page.'),
  offset: wholeNumberOfText(0, OFFSET_MAX).default(0).describe('Runs before the page.'),
})
const Body = RequestRun.meta({
  examples: [
    { report_slug: 'volume-by-period', window: 'day', date_from: '2026-03-01', date_to: '2026-03-31', requested_by: 'finance' },
  ],
})

const REQUEST = {
  config: { access: 'manage' },
  schema: {
    operationId: 'requestRecomputation',
    summary: 'Recompute a report',
    description:
      'Rebuilds every bucket of the range from the recorded events, in steps; readers see each bucket as it was before or after. The range is widened to whole buckets: days of UTC, and weeks from Monday. At most 366 days.',
    tags: ['reports'],
    headers: ActorHeader,
    body: Body,
    querystring: z.strictObject({}),
    response: {
      202: Run.describe('The run, which continues by itself.'),
      400: ErrorBody.describe(
        'The body is not as described, the days are in the wrong order, too many, in the future, not kept, or before the first event that is left.',
      ),
      404: ErrorBody.describe('There is no such report.'),
      409: ErrorBody.describe('The same buckets are being recomputed; `details.id` is the run that does it.'),
      503: ErrorBody.describe('Outcome unknown: ask for the runs, or ask for it again.'),
    },
  },
} as const satisfies RouteShorthandOptions

const RUNS = {
  config: { access: 'read' },
  schema: {
    operationId: 'recomputations',
    summary: 'Runs',
    description: 'Newest first, including the runs that Footfall started by itself (kinds `refresh` and `scheduled`).',
    tags: ['reports'],
    querystring: RunsQuery,
    response: { 200: RunsPage.describe('A page of runs.') },
  },
} as const satisfies RouteShorthandOptions

const RUN = {
  config: { access: 'read' },
  schema: {
    operationId: 'recomputation',
    summary: 'A run',
    description: 'Its progress, and its outcome.',
    tags: ['reports'],
    params: RunId,
    querystring: z.strictObject({}),
    response: { 200: Run.describe('The run.'), 404: ErrorBody.describe('There is no run of this id.') },
  },
} as const satisfies RouteShorthandOptions

const CANCEL = {
  config: { access: 'manage' },
  schema: {
    operationId: 'cancelRecomputation',
    summary: 'Cancel a run',
    description: 'It ends between two steps. The buckets that it has rebuilt stay. Cancelling it again changes nothing.',
    tags: ['reports'],
    headers: ActorHeader,
    params: RunId,
    querystring: z.strictObject({}),
    response: {
      200: Run.describe('The run, which is cancelled.'),
      404: ErrorBody.describe('There is no run of this id.'),
      409: ErrorBody.describe('It has completed or failed; `details.id` is the run.'),
      503: ErrorBody.describe('Outcome unknown: cancel it again.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** A few hundred bytes. */
const NO_BODY = new Uint8Array()

export function recomputationRoutes({ lines, ingress, recording }: RouteDeps): RoutePlugin {
  const client = createRecomputeRunsClient(ingress)
  /** Runs a call in turn with those of other callers. */
  const inTurn = (request: FastifyRequest, call: () => Promise<RecomputeRun>) =>
    recording.gate({ caller: callerIdOf(request), signal: hangUpOf(request), body: NO_BODY }, call).catch(refuseRun)
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post('/api/v1/recomputations', REQUEST, async (request, reply) => {
      const { requested_by: requestedBy, ...scope } = request.body
      const run = { ...scope, ...byOf(request, requestedBy) }
      const data = await inTurn(request, () => client.start(run))
      return reply.code(202).send({ data })
    })

    routes.get('/api/v1/recomputations', RUNS, async (request) => {
      const { runs, total } = await lines.long.read(taskCallerOf(request), (db) => listRuns(db, request.query))
      return { data: runs, meta: { total } }
    })

    routes.get('/api/v1/recomputations/:id', RUN, async (request) => {
      const { id } = request.params
      const data = await lines.short.read(taskCallerOf(request), (db) => findRun(db, id))
      if (data === undefined) throw notFound(`there is no run ${id}`)
      return { data }
    })

    routes.delete('/api/v1/recomputations/:id', CANCEL, async (request) => {
      return { data: await inTurn(request, () => client.cancel(request.params.id, byOf(request))) }
    })
  }
}
