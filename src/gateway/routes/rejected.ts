import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { invalidField, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import {
  RejectedCodesResponse,
  RejectedEventResponse,
  rejectedKeyOf,
  RejectedRequest,
  RejectedResponse,
} from '../../contract/rejected.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { rejectedCodes, rejectedInteraction, rejectedPage, rejectedPositionOf } from '../../store/log/rejected-item.ts'
import { taskCallerOf } from '../access/caller.ts'
import { invalidCursor } from '../http/problem.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const { shape } = RejectedRequest
const RejectedQuery = RejectedRequest.extend({
  limit: wholeNumberOfText(1, 100).default(20).describe(shape.limit.description!),
  replayed: z.enum(['true', 'false']).default('false').describe(shape.replayed.description!),
  ignored: z.enum(['true', 'false']).default('false').describe(shape.ignored.description!),
})
const RejectedId = z.object({
  id: z
    .string()
    .meta({ examples: ['1.2'] })
    .describe('The id of the event, `<batch_id>.<index>`.'),
})

const config = { access: 'manage' } as const
const tags = ['interactions'] as const

const REJECTED = {
  config: { ...config, isPersonal: true },
  schema: {
    operationId: 'rejectedInteractions',
    summary: 'Rejected events',
    description: 'Newest first. By default only those not yet replayed; a page has at most 16 MiB of items.',
    tags,
    querystring: RejectedQuery,
    response: { 200: RejectedResponse.describe('A page of rejected events.') },
  },
} as const satisfies RouteShorthandOptions

const CODES = {
  config,
  schema: {
    operationId: 'rejectedCodes',
    summary: 'Rejected events by their codes',
    description:
      'How many of each code and kind were not replayed yet, the most frequent first. Webhooks that an adapter ignored are left out.',
    tags,
    querystring: z.strictObject({}),
    response: { 200: RejectedCodesResponse.describe('The codes.') },
  },
} as const satisfies RouteShorthandOptions

const ONE = {
  config: { ...config, isPersonal: true },
  schema: {
    operationId: 'rejectedInteraction',
    summary: 'A rejected event',
    description: 'With the item as it was sent, the reason, and when it was replayed.',
    tags,
    params: RejectedId,
    querystring: z.strictObject({}),
    response: {
      200: RejectedEventResponse.describe('The event.'),
      404: ErrorBody.describe('There is no rejected event of this id.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** Callers that ask so long after a read began share it, because it reads all open events. */
const CODES_JOIN_MS = 1_000

export function rejectedRoutes({ lines }: RouteDeps): RoutePlugin {
  const codes = lines.long.shared({
    read: (db, _question: undefined) => rejectedCodes(db),
    keyOf: () => '',
    joinMs: CODES_JOIN_MS,
  })
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/analytic/rejected', REJECTED, async (request) => {
      const { limit, cursor, replayed, ignored } = request.query
      const after = cursor === undefined ? undefined : rejectedPositionOf(cursor)
      if (cursor !== undefined && after === undefined) throw invalidCursor()
      const page = { limit, after, replayed: replayed === 'true', ignored: ignored === 'true' }
      return lines.long.read(taskCallerOf(request), (db) => rejectedPage(db, page))
    })

    routes.get('/api/v1/analytic/rejected/codes', CODES, async (request) => ({
      data: await codes(undefined, taskCallerOf(request)),
    }))

    routes.get('/api/v1/analytic/rejected/:id', ONE, async (request) => {
      const { id } = request.params
      const key = rejectedKeyOf(id)
      if (key === undefined) throw invalidField('id', 'is not the id of a rejected event, e.g. 12.0')
      const data = await lines.short.read(taskCallerOf(request), (db) => rejectedInteraction(db, key))
      if (data === undefined) throw notFound(`there is no rejected event ${id}`)
      return { data }
    })
  }
}
