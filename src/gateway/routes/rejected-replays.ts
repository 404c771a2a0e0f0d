import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { invalidField, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import {
  RejectedReplayRequest,
  RejectedReplayResponse,
  rejectedKeyOf,
  type ReplayRejectedResponse,
} from '../../contract/rejected.ts'
import { ReplayRun, ReplayRunsRequest, ReplayRunsResponse, RequestReplayRun } from '../../contract/replay-run.ts'
import { analyticApi } from '../../contract/services.ts'
import { createReplayRunsClient } from '../../ingress/replay-runs-client.ts'
import { findReplayRun, listReplayRuns } from '../../store/log/replay-run-list.ts'
import { callerIdOf, hangUpOf, taskCallerOf } from '../access/caller.ts'
import { invalidCursor } from '../http/problem.ts'
import { ActorHeader, byOf, refuseRun } from '../recording/run-calls.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const EXAMPLE: ReplayRun = {
  id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11',
  code: 'invalid',
  set: { ref_type: 'Product' },
  requested_by: 'ada',
  actor: 'local',
  status: 'pending',
  progress: { done: 0, total: 0 },
  ...{ accepted: 0, duplicates: 0, rejected: 0, skipped: 0 },
  requested_at: '2026-03-01T12:00:00.000Z',
}

const Run = z.object({ data: ReplayRun }).meta({ examples: [{ data: EXAMPLE }] })
const RunsPage = ReplayRunsResponse.meta({ examples: [{ data: [EXAMPLE], meta: { next_cursor: null } }] })
const RunId = z.object({
  id: z
    .uuid()
    .toLowerCase()
    .meta({ examples: [EXAMPLE.id] })
    .describe('The id of the run.'),
})
const RunsQuery = ReplayRunsRequest.extend({ limit: wholeNumberOfText(1, 100).default(20).describe('Runs of the page.') })
const RejectedId = z.object({
  id: z
    .string()
    .meta({ examples: ['1.2'] })
    .describe('The id of the event, `<batch_id>.<index>`.'),
})
const Body = RequestReplayRun.meta({ examples: [{ code: 'invalid', set: { ref_type: 'Product' }, requested_by: 'ada' }] })

/** What a run corrects may name a person. */
const config = { access: 'manage', isPersonal: true } as const
const tags = ['interactions'] as const
const UNKNOWN_RUN = 'Outcome unknown: ask for the runs, or ask for it again.'

const REPLAY = {
  config,
  schema: {
    operationId: 'replayRejected',
    summary: 'Send a rejected event again',
    description:
      'As it was sent, or corrected. An event counts once, however often it is replayed. The actor of its audit entry is the key.',
    tags,
    params: RejectedId,
    querystring: z.strictObject({}),
    body: RejectedReplayRequest,
    response: {
      200: RejectedReplayResponse.describe('What became of it.'),
      404: ErrorBody.describe('There is no rejected event of this id.'),
      409: ErrorBody.describe(
        'It was replayed before, is not kept whole, or is a webhook, which `./footfall rejected replay` maps.',
      ),
      503: ErrorBody.describe('Outcome unknown: replay it again.'),
    },
  },
} as const satisfies RouteShorthandOptions

const REQUEST = {
  config,
  schema: {
    operationId: 'requestRejectedReplay',
    summary: 'Send all rejected events of a code again',
    description:
      'A run replays every event of the code that there is when it begins, the oldest first. Events that are not kept whole, and webhooks, are left out.',
    tags,
    headers: ActorHeader,
    body: Body,
    querystring: z.strictObject({}),
    response: {
      202: Run.describe('The run, which continues by itself.'),
      409: ErrorBody.describe('A run of this code is open; `details.id` is that run.'),
      503: ErrorBody.describe(UNKNOWN_RUN),
    },
  },
} as const satisfies RouteShorthandOptions

const RUNS = {
  config,
  schema: {
    operationId: 'rejectedReplays',
    summary: 'Runs that send rejected events again',
    description: 'Newest first.',
    tags,
    querystring: RunsQuery,
    response: { 200: RunsPage.describe('A page of runs.') },
  },
} as const satisfies RouteShorthandOptions

const RUN = {
  config,
  schema: {
    operationId: 'rejectedReplay',
    summary: 'A run that sends rejected events again',
    description: 'Its progress, and its outcome.',
    tags,
    params: RunId,
    querystring: z.strictObject({}),
    response: { 200: Run.describe('The run.'), 404: ErrorBody.describe('There is no run of this id.') },
  },
} as const satisfies RouteShorthandOptions

const CANCEL = {
  config,
  schema: {
    operationId: 'cancelRejectedReplay',
    summary: 'Cancel a run that sends rejected events again',
    description: 'It ends within 50 events. What it has replayed stays. Cancelling it again changes nothing.',
    tags,
    headers: ActorHeader,
    params: RunId,
    querystring: z.strictObject({}),
    response: {
      200: Run.describe('The run, which is cancelled.'),
      404: ErrorBody.describe('There is no run of this id.'),
      409: ErrorBody.describe('It has completed or failed; `details.id` is the run.'),
      503: ErrorBody.describe(UNKNOWN_RUN),
    },
  },
} as const satisfies RouteShorthandOptions

/** A few hundred bytes. */
const NO_BODY = new Uint8Array()

export function rejectedReplayRoutes({ lines, ingress, recording }: RouteDeps): RoutePlugin {
  const client = createReplayRunsClient(ingress)
  /** Runs a call in turn with those of other callers. */
  const inTurn = <T>(request: FastifyRequest, call: () => Promise<T>) =>
    recording.gate({ caller: callerIdOf(request), signal: hangUpOf(request), body: NO_BODY }, call)
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post('/api/v1/analytic/rejected/:id/replay', REPLAY, async (request) => {
      const key = rejectedKeyOf(request.params.id)
      if (key === undefined) throw invalidField('id', 'is not the id of a rejected event, e.g. 12.0')
      const { set } = request.body
      const replay = { ...key, ...(set !== undefined && { set }), actor: byOf(request).actor }
      const answer = await inTurn(request, () => ingress.call(analyticApi, 'ReplayRejected', replay)).catch((error: unknown) => {
        throw unknownOutcome(error, 'replay it again')
      })
      return { data: countsOf(answer) }
    })

    routes.post('/api/v1/analytic/rejected-replays', REQUEST, async (request, reply) => {
      const { requested_by: requestedBy, ...scope } = request.body
      const run = { ...scope, ...byOf(request, requestedBy) }
      return reply.code(202).send({ data: await inTurn(request, () => client.start(run)).catch(refuseRun) })
    })

    routes.get('/api/v1/analytic/rejected-replays', RUNS, async (request) => {
      const page = await lines.short.read(taskCallerOf(request), (db) => listReplayRuns(db, request.query))
      if (page === undefined) throw invalidCursor()
      return page
    })

    routes.get('/api/v1/analytic/rejected-replays/:id', RUN, async (request) => {
      const { id } = request.params
      const data = await lines.short.read(taskCallerOf(request), (db) => findReplayRun(db, id))
      if (data === undefined) throw notFound(`there is no replay run ${id}`)
      return { data }
    })

    routes.delete('/api/v1/analytic/rejected-replays/:id', CANCEL, async (request) => {
      return { data: await inTurn(request, () => client.cancel(request.params.id, byOf(request))).catch(refuseRun) }
    })
  }
}

function countsOf({ outcome, rejection, event_id }: ReplayRejectedResponse): RejectedReplayResponse['data'] {
  return {
    accepted: outcome === 'accepted' ? 1 : 0,
    duplicates: outcome === 'duplicate' ? 1 : 0,
    rejected: rejection === undefined ? [] : [rejection],
    ...(event_id !== undefined && { event_id }),
  }
}
