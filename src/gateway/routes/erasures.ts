import { randomBytes } from 'node:crypto'
import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErasureRun, ErasuresRequest, ErasuresResponse } from '../../contract/erasure.ts'
import { ErrorBody } from '../../contract/error.ts'
import { uuidV7 } from '../../contract/fields/event-id.ts'
import { ShopperId } from '../../contract/fields/shopper-id.ts'
import { storableText } from '../../contract/fields/text.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { erasureApi } from '../../contract/services.ts'
import { decidedErrorOf } from '../../ingress/refusal.ts'
import { shoppersOfPerson } from '../../store/erasure/fence.ts'
import { findErasure, listErasures } from '../../store/erasure/run-list.ts'
import { noErasure } from '../../store/erasure/run-machine.ts'
import { callerIdOf, hangUpOf, taskCallerOf } from '../access/caller.ts'
import { invalidCursor } from '../http/problem.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const EXAMPLE: ErasureRun = {
  id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11',
  status: 'completed',
  step: 'certificate',
  actor: 'local',
  requested_by: 'privacy desk',
  requested_at: '2026-03-01T12:00:00.000Z',
  started_at: '2026-03-01T12:00:00.040Z',
  finished_at: '2026-03-01T12:00:01.310Z',
  certificate: {
    erased_at: '2026-03-01T12:00:00.052Z',
    tables: { interaction: 5, payment_callback: 1, shopper_product: 3 },
    sha256: 'b1f4c3a6f0f1c7d0a8f9f3a2c9a7c3d4e5f60718293a4b5c6d7e8f9a0b1c2d3e',
  },
}

const Run = z.object({ data: ErasureRun }).meta({ examples: [{ data: EXAMPLE }] })
const RunsPage = ErasuresResponse.meta({ examples: [{ data: [EXAMPLE], meta: { next_cursor: null } }] })
const RunsQuery = ErasuresRequest.extend({ limit: wholeNumberOfText(1, 100).default(50).describe('Runs of the page.') })
const Person = z.strictObject({
  shopper_id: ShopperId.describe(
    'The person. An account stands for its merged sessions too, and a merged session for its account.',
  ),
})
const RunId = z.object({
  id: z
    .uuid()
    .toLowerCase()
    .meta({ examples: [EXAMPLE.id] })
    .describe('The id of the run.'),
})

const ERASE = {
  config: { access: 'manage' },
  schema: {
    operationId: 'eraseShopper',
    summary: 'Erase a person',
    description:
      'Gives every row about the person the ids of another, random shopper, and removes addresses, user agents and metadata; numbers of products stay. It cannot be undone. The run continues by itself and ends with a certificate in the audit trail. While one is open for the shopper, it is the answer.',
    tags: ['shoppers'],
    headers: z.object({
      'x-actor': storableText(200).optional().describe('On whose behalf: recorded as the caller claims it.'),
    }),
    params: Person,
    querystring: z.strictObject({}),
    response: {
      202: Run.describe('The run, which continues by itself.'),
      400: ErrorBody.describe('The address names no shopper.'),
      503: ErrorBody.describe(
        'Outcome unknown: ask for it again. Or nothing is erased, as the message says: too many requests wait for PostgreSQL, or no endpoint has the key of ERASURE_KEY_FILE.',
      ),
    },
  },
} as const satisfies RouteShorthandOptions

const RUN = {
  config: { access: 'manage', isPersonal: true },
  schema: {
    operationId: 'erasure',
    summary: 'An erasure',
    description: 'How far it is, and its certificate when it is completed.',
    tags: ['shoppers'],
    params: RunId,
    querystring: z.strictObject({}),
    response: { 200: Run.describe('The run.'), 404: ErrorBody.describe('There is no run of this id.') },
  },
} as const satisfies RouteShorthandOptions

const RUNS = {
  config: { access: 'manage', isPersonal: true },
  schema: {
    operationId: 'erasures',
    summary: 'Erasures',
    description: 'Newest first, with the certificates of those that are completed. No run names its shopper.',
    tags: ['shoppers'],
    querystring: RunsQuery,
    response: { 200: RunsPage.describe('A page of runs.') },
  },
} as const satisfies RouteShorthandOptions

const NO_BODY = new Uint8Array()

export function erasureRoutes({ lines, ingress, recording, live }: RouteDeps): RoutePlugin {
  /** Requests the erasure in turn with the calls of other callers. */
  const start = (request: FastifyRequest, shopperId: string, requestedBy: string | undefined) => {
    const input = {
      shopper_id: shopperId,
      actor: request.apiKey?.name ?? 'local',
      ...(requestedBy !== undefined && { requested_by: requestedBy }),
    }
    const key = uuidV7(Date.now(), randomBytes(10))
    return recording
      .gate({ caller: callerIdOf(request), signal: hangUpOf(request), body: NO_BODY }, () =>
        ingress.call(erasureApi, 'Start', input, { key }),
      )
      .catch((error: unknown) => {
        throw decidedErrorOf(error) ?? unknownOutcome(error, 'ask for the erasure again')
      })
  }
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.delete('/api/v1/shoppers/:shopper_id', ERASE, async (request, reply) => {
      const { shopper_id: shopperId } = request.params
      // Before the run moves the merges. The run itself does not reach what this process keeps.
      const ids = await lines.short.read(taskCallerOf(request), (db) => shoppersOfPerson(db, shopperId)).catch(() => [shopperId])
      const data = await start(request, shopperId, request.headers['x-actor'])
      await live.forget(ids)
      return reply.code(202).send({ data })
    })

    routes.get('/api/v1/erasures', RUNS, async (request) => {
      const page = await lines.short.read(taskCallerOf(request), (db) => listErasures(db, request.query))
      if (page === undefined) throw invalidCursor()
      return page
    })

    routes.get('/api/v1/erasures/:id', RUN, async (request) => {
      const { id } = request.params
      const data = await lines.short.read(taskCallerOf(request), (db) => findErasure(db, id))
      if (data === undefined) throw noErasure(id)
      return { data }
    })
  }
}
