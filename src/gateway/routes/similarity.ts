import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { OFFSET_MAX } from '../../contract/fields/page.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import {
  RequestSimilarityRun,
  SimilarityRun,
  SimilarityRunsRequest,
  SimilarityVersion,
  SimilarityVersionsResponse,
} from '../../contract/similarity-run.ts'
import { createSimilarityRunsClient } from '../../ingress/similarity-runs-client.ts'
import { findSimilarityRun, listSimilarityRuns } from '../../store/similarity/run-list.ts'
import { similarityVersions } from '../../store/similarity/version.ts'
import { callerIdOf, hangUpOf, taskCallerOf } from '../access/caller.ts'
import type { Tag } from '../http/openapi.ts'
import { ActorHeader, byOf, refuseRun } from '../recording/run-calls.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const SIMILARITY_TAG: Tag = {
  name: 'similarity',
  description: 'Which products are similar: runs that compute it from the log, and the versions that they made.',
}

const EXAMPLE: SimilarityRun = {
  id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11',
  kind: 'requested',
  requested_by: 'merchandising',
  actor: 'local',
  status: 'running',
  stage: 'counting',
  progress: { done: 180, total: 768 },
  requested_at: '2026-04-01T08:00:00.000Z',
  started_at: '2026-04-01T08:00:00.020Z',
}
const EXAMPLE_VERSION: SimilarityVersion = {
  version: 7,
  is_in_force: true,
  run_id: EXAMPLE.id,
  read_at: '2026-04-01T08:00:00.030Z',
  made_at: '2026-04-01T08:00:21.400Z',
  products: 41_200,
  shoppers: 118_000,
  events: 2_150_000,
  pairs: 2_940_000,
  bots: 3,
  content_weight: 0.083,
  event_types: ['add_to_cart', 'purchase', 'view'],
  settings_version: 0,
  settings: { window: 20, neighboursMax: 100 },
}

const Run = z.object({ data: SimilarityRun }).meta({ examples: [{ data: EXAMPLE }] })
const RunsPage = z
  .object({ data: z.array(SimilarityRun), meta: z.object({ total: z.int().describe('Runs of all pages.') }) })
  .meta({ examples: [{ data: [EXAMPLE], meta: { total: 1 } }] })
const RunId = z.object({
  id: z
    .uuid()
    .toLowerCase()
    .meta({ examples: [EXAMPLE.id] })
    .describe('The id of the run.'),
})
const RunsQuery = SimilarityRunsRequest.extend({
  limit: wholeNumberOfText(1, 100).default(50).describe('Runs of the page.'),
  offset: wholeNumberOfText(0, OFFSET_MAX).default(0).describe('Runs before the page.'),
})
const Version = z.object({ data: SimilarityVersion }).meta({ examples: [{ data: EXAMPLE_VERSION }] })
const VersionNumber = z.object({
  version: wholeNumberOfText(1, Number.MAX_SAFE_INTEGER)
    .meta({ examples: [EXAMPLE_VERSION.version] })
    .describe('One of the last two versions.'),
})
const NoQuery = z.strictObject({})

const REQUEST = {
  config: { access: 'manage' },
  schema: {
    operationId: 'requestSimilarityRun',
    summary: 'Compute similar products',
    description:
      'Reads the log and puts a new version of all similar products in force at once. Answers use the version before until then. Footfall does it by itself every SIMILARITY_HOURS.',
    tags: ['similarity'],
    headers: ActorHeader,
    body: RequestSimilarityRun.nullish().meta({ examples: [{ requested_by: 'merchandising' }] }),
    querystring: NoQuery,
    response: {
      202: Run.describe('The run, which continues by itself.'),
      409: ErrorBody.describe('A run is open; `details.id` is the run.'),
      503: ErrorBody.describe('Outcome unknown: ask for the runs, or ask for it again.'),
    },
  },
} as const satisfies RouteShorthandOptions

const RUNS = {
  config: { access: 'read' },
  schema: {
    operationId: 'similarityRuns',
    summary: 'Runs',
    description: 'Newest first, including the runs that Footfall started by itself.',
    tags: ['similarity'],
    querystring: RunsQuery,
    response: { 200: RunsPage.describe('A page of runs.') },
  },
} as const satisfies RouteShorthandOptions

const RUN = {
  config: { access: 'read' },
  schema: {
    operationId: 'similarityRun',
    summary: 'A run',
    description: 'Its progress, and its outcome.',
    tags: ['similarity'],
    params: RunId,
    querystring: NoQuery,
    response: { 200: Run.describe('The run.'), 404: ErrorBody.describe('There is no run of this id.') },
  },
} as const satisfies RouteShorthandOptions

const CANCEL = {
  config: { access: 'manage' },
  schema: {
    operationId: 'cancelSimilarityRun',
    summary: 'Cancel a run',
    description: 'It ends within a second or so, and the version in force stays. Cancelling it again changes nothing.',
    tags: ['similarity'],
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

const VERSIONS = {
  config: { access: 'read' },
  schema: {
    operationId: 'similarityVersions',
    summary: 'Versions',
    description: 'The last two, the one in force first, with what each was made from. Older ones are deleted.',
    tags: ['similarity'],
    querystring: NoQuery,
    response: { 200: SimilarityVersionsResponse.meta({ examples: [{ data: [EXAMPLE_VERSION] }] }).describe('The versions.') },
  },
} as const satisfies RouteShorthandOptions

const PROMOTE = {
  config: { access: 'manage' },
  schema: {
    operationId: 'promoteSimilarityVersion',
    summary: 'Put a version in force',
    description:
      'Goes back to the version before, or forward again. The next run makes a newer one all the same. Promoting the version in force changes nothing.',
    tags: ['similarity'],
    headers: ActorHeader,
    params: VersionNumber,
    querystring: NoQuery,
    response: {
      200: Version.describe('The version, which is in force.'),
      404: ErrorBody.describe('It is none of the last two.'),
      503: ErrorBody.describe('Outcome unknown: promote it again.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** A few hundred bytes. */
const NO_BODY = new Uint8Array()

export function similarityRoutes({ lines, ingress, recording }: RouteDeps): RoutePlugin {
  const client = createSimilarityRunsClient(ingress)
  /** Runs a call in turn with those of other callers. */
  const inTurn = <T>(request: FastifyRequest, call: () => Promise<T>) =>
    recording.gate({ caller: callerIdOf(request), signal: hangUpOf(request), body: NO_BODY }, call).catch(refuseRun)
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post('/api/v1/similarity-runs', REQUEST, async (request, reply) => {
      const by = byOf(request, request.body?.requested_by)
      return reply.code(202).send({ data: await inTurn(request, () => client.start(by)) })
    })

    routes.get('/api/v1/similarity-runs', RUNS, async (request) => {
      const { runs, total } = await lines.short.read(taskCallerOf(request), (db) => listSimilarityRuns(db, request.query))
      return { data: runs, meta: { total } }
    })

    routes.get('/api/v1/similarity-runs/:id', RUN, async (request) => {
      const { id } = request.params
      const data = await lines.short.read(taskCallerOf(request), (db) => findSimilarityRun(db, id))
      if (data === undefined) throw notFound(`there is no similarity run ${id}`)
      return { data }
    })

    routes.delete('/api/v1/similarity-runs/:id', CANCEL, async (request) => ({
      data: await inTurn(request, () => client.cancel(request.params.id, byOf(request))),
    }))

    routes.get('/api/v1/similarity-versions', VERSIONS, async (request) => ({
      data: await lines.short.read(taskCallerOf(request), similarityVersions),
    }))

    routes.post('/api/v1/similarity-versions/:version/promote', PROMOTE, async (request) => {
      const { version } = request.params
      return { data: await inTurn(request, () => client.promote({ version, ...byOf(request) })) }
    })
  }
}
