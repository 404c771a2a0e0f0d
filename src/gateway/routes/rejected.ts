import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { RejectedRequest, RejectedResponse } from '../../contract/rejected.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { rejectedPage, rejectedPositionOf } from '../../store/log/rejected-item.ts'
import { taskCallerOf } from '../access/caller.ts'
import { invalidCursor } from '../http/problem.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const { shape } = RejectedRequest
const RejectedQuery = RejectedRequest.extend({
  limit: wholeNumberOfText(1, 100).default(20).describe(shape.limit.description!),
  replayed: z.enum(['true', 'false']).default('false').describe(shape.replayed.description!),
  ignored: z.enum(['true', 'false']).default('false').describe(shape.ignored.description!),
})

const REJECTED = {
  config: { access: 'manage', isPersonal: true },
  schema: {
    operationId: 'rejectedInteractions',
    summary: 'Rejected events',
    description: 'Newest first. By default only those not yet replayed; a page has at most 16 MiB of items.',
    tags: ['interactions'],
    querystring: RejectedQuery,
    response: { 200: RejectedResponse.describe('A page of rejected events.') },
  },
} as const satisfies RouteShorthandOptions

export function rejectedRoutes({ lines }: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/analytic/rejected', REJECTED, async (request) => {
      const { limit, cursor, replayed, ignored } = request.query
      const after = cursor === undefined ? undefined : rejectedPositionOf(cursor)
      if (cursor !== undefined && after === undefined) throw invalidCursor()
      const page = { limit, after, replayed: replayed === 'true', ignored: ignored === 'true' }
      return lines.long.read(taskCallerOf(request), (db) => rejectedPage(db, page))
    })
  }
}
