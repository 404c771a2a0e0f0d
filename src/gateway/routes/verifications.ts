import type { FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import {
  LatestVerification,
  RequestVerification,
  VerificationRun,
  VerificationsRequest,
  VerificationsResponse,
} from '../../contract/verification-run.ts'
import { VerifyResponse } from '../../contract/verify.ts'
import { createVerificationRunsClient } from '../../ingress/verification-runs-client.ts'
import { findVerification, latestVerification, listVerifications } from '../../store/proof/run-list.ts'
import { callerIdOf, hangUpOf, taskCallerOf } from '../access/caller.ts'
import type { Tag } from '../http/openapi.ts'
import { invalidCursor } from '../http/problem.ts'
import { ActorHeader, byOf, lastOf, refuseRun } from '../recording/run-calls.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const VERIFICATION_TAG: Tag = {
  name: 'verification',
  description: 'The proof of every number: runs that replay the log against each cell.',
}

const EXAMPLE_RESULT: VerifyResponse = {
  ...{ drift: [], drift_count: 0, cells: 561_734, events: 550_000, analytics_events: 0, horizon: '2000-01-01T00:00:00.000Z' },
}
const EXAMPLE: VerificationRun = {
  id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c12',
  requested_by: 'operations',
  actor: 'local',
  status: 'running',
  progress: { done: 4, total: 16, step: 'shopper_product' },
  requested_at: '2026-04-01T08:00:00.000Z',
  started_at: '2026-04-01T08:00:00.020Z',
}
const ENDED: VerificationRun = {
  ...EXAMPLE,
  ...{ status: 'completed', progress: { done: 16, total: 16 }, finished_at: '2026-04-01T08:01:28.300Z', result: EXAMPLE_RESULT },
}
const EXAMPLE_LATEST: LatestVerification = {
  ...{ id: EXAMPLE.id, finished_at: '2026-04-01T08:01:28.300Z' },
  ...{ events: 550_000, analytics_events: 0, cells: 561_734, drift_count: 0 },
}

const Run = z.object({ data: VerificationRun }).meta({ examples: [{ data: EXAMPLE }] })
const RunsPage = VerificationsResponse.meta({ examples: [{ data: [ENDED], meta: { next_cursor: null } }] })
const Latest = z
  .object({ data: LatestVerification.nullable().describe('Null before the first run has completed.') })
  .meta({ examples: [{ data: EXAMPLE_LATEST }] })
const Verified = z.object({ data: VerifyResponse }).meta({ examples: [{ data: EXAMPLE_RESULT }] })
const RunId = z.object({
  id: z
    .uuid()
    .toLowerCase()
    .meta({ examples: [EXAMPLE.id] })
    .describe('The id of the run.'),
})
const RunsQuery = VerificationsRequest.extend({ limit: wholeNumberOfText(1, 100).default(50).describe('Runs of the page.') })
const NoQuery = z.strictObject({})

const REQUEST = {
  config: { access: 'manage' },
  schema: {
    operationId: 'requestVerification',
    summary: 'Verify every number',
    description:
      'Replays the log in one snapshot and compares it with every aggregate. Recording and counting go on meanwhile. A process that dies begins again.',
    tags: ['verification'],
    headers: ActorHeader,
    body: RequestVerification.nullish().meta({ examples: [{ requested_by: 'operations' }] }),
    querystring: NoQuery,
    response: {
      202: Run.describe('The run, which continues by itself.'),
      409: ErrorBody.describe('A run is open; `details.id` is the run.'),
      503: ErrorBody.describe('Outcome unknown: ask for the runs, or ask for it again.'),
    },
  },
} as const satisfies RouteShorthandOptions

const RUNS = {
  config: { access: 'manage' },
  schema: {
    operationId: 'verifications',
    summary: 'Verifications',
    description: 'Newest first.',
    tags: ['verification'],
    querystring: RunsQuery,
    response: { 200: RunsPage.describe('A page of runs.') },
  },
} as const satisfies RouteShorthandOptions

const LATEST = {
  config: { access: 'read' },
  schema: {
    operationId: 'latestVerification',
    summary: 'The last completed verification',
    description: 'When it ended, and how many cells it compared and found different.',
    tags: ['verification'],
    querystring: NoQuery,
    response: { 200: Latest.describe('What it found.') },
  },
} as const satisfies RouteShorthandOptions

const RUN = {
  config: { access: 'manage' },
  schema: {
    operationId: 'verification',
    summary: 'A verification',
    description: 'Its progress, and once it has completed what it found, with at most 100 cells that differ.',
    tags: ['verification'],
    params: RunId,
    querystring: NoQuery,
    response: { 200: Run.describe('The run.'), 404: ErrorBody.describe('There is no run of this id.') },
  },
} as const satisfies RouteShorthandOptions

const CANCEL = {
  config: { access: 'manage' },
  schema: {
    operationId: 'cancelVerification',
    summary: 'Cancel a verification',
    description: 'It ends within a second or so. Cancelling it again changes nothing.',
    tags: ['verification'],
    headers: ActorHeader,
    params: RunId,
    querystring: NoQuery,
    response: {
      200: Run.describe('The run, which is cancelled.'),
      404: ErrorBody.describe('There is no run of this id.'),
      409: ErrorBody.describe('It has completed or failed; `details.id` is the run.'),
      503: ErrorBody.describe('Outcome unknown: cancel it again.'),
    },
  },
} as const satisfies RouteShorthandOptions

const VERIFY = {
  config: { access: 'manage' },
  schema: {
    operationId: 'verify',
    summary: 'Verify every number, and wait for it',
    description:
      'Starts a run or joins the open one, and waits up to five minutes for its result. `drift` is empty when every number is right.',
    tags: ['verification'],
    headers: ActorHeader,
    querystring: NoQuery,
    response: {
      200: Verified.describe('What the replay found.'),
      503: ErrorBody.describe('The run goes on, and `details.id` is the run; or it failed, or was cancelled.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** A few hundred bytes. */
const NO_BODY = new Uint8Array()
/** How long GET /api/v1/analytic/verify waits for a run. */
const WAIT = { msMax: 300_000, pollMs: 250 }
const RETRY_AFTER_SECONDS = 30

export function verificationRoutes({ lines, ingress, recording }: RouteDeps): RoutePlugin {
  const client = createVerificationRunsClient(ingress)
  /** Runs a call in turn with those of other callers. */
  const inTurn = (request: FastifyRequest, call: () => Promise<VerificationRun>) =>
    recording.gate({ caller: callerIdOf(request), signal: hangUpOf(request), body: NO_BODY }, call).catch(refuseRun)
  const find = async (request: FastifyRequest, id: string): Promise<VerificationRun> => {
    const run = await lines.short.read(taskCallerOf(request), (db) => findVerification(db, id))
    if (run === undefined) throw notFound(`there is no verification ${id}`)
    return run
  }
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post('/api/v1/verifications', REQUEST, async (request, reply) => {
      const by = byOf(request, request.body?.requested_by)
      return reply.code(202).send({ data: await inTurn(request, () => client.start(by)) })
    })

    routes.get('/api/v1/verifications', RUNS, async (request) => {
      const page = await lines.short.read(taskCallerOf(request), (db) => listVerifications(db, request.query))
      if (page === undefined) throw invalidCursor()
      return page
    })

    routes.get('/api/v1/verifications/latest', LATEST, async (request) => ({
      data: (await lines.short.read(taskCallerOf(request), latestVerification)) ?? null,
    }))

    routes.get('/api/v1/verifications/:id', RUN, async (request) => ({ data: await find(request, request.params.id) }))

    routes.delete('/api/v1/verifications/:id', CANCEL, async (request) => ({
      data: await inTurn(request, () => client.cancel(request.params.id, byOf(request))),
    }))

    routes.get('/api/v1/analytic/verify', VERIFY, async (request, reply) => {
      const started = inTurn(request, () => client.start(byOf(request)))
      const id = await started.then((run) => run.id, openRunOf)
      const run = await lastOf(() => find(request, id), { ...WAIT, signal: hangUpOf(request) })
      return { data: resultOf(run, reply) }
    })
  }
}

/** The open run that a refusal names. */
function openRunOf(error: unknown): string {
  if (error instanceof DecidedError && error.code === 'conflict') return String((error.details as { id: unknown }).id)
  throw error
}

function resultOf({ id, status, result, error_message: message }: VerificationRun, reply: FastifyReply): VerifyResponse {
  if (result !== undefined) return result
  void reply.header('retry-after', RETRY_AFTER_SECONDS)
  const problem =
    status === 'pending' || status === 'running'
      ? `verification ${id} goes on; ask for it at /api/v1/verifications/${id}`
      : `verification ${id} has ${status}${message === undefined ? '' : `: ${message}`}; try again`
  throw new DecidedError('unavailable', problem, { details: { id } })
}
