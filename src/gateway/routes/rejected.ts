import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { RejectedRequest, RejectedResponse } from '../../contract/rejected.ts'
import { wholeNumberOfText } from '../../contract/whole-number.ts'
import type { Database } from '../../store/database/connection.ts'
import { rejectedPage, rejectedPositionOf } from '../../store/log/rejected-item.ts'
import { invalidCursor } from '../http/problem.ts'

const RejectedQuery = RejectedRequest.extend({
  limit: wholeNumberOfText(1, 100).default(20).describe(RejectedRequest.shape.limit.description!),
  replayed: z.enum(['true', 'false']).default('false').describe(RejectedRequest.shape.replayed.description!),
})

export function rejectedRoutes(deps: { db: Database }) {
  return async (app: FastifyInstance) => {
    app.withTypeProvider<ZodTypeProvider>().get(
      '/api/v1/analytic/rejected',
      {
        config: { access: 'manage' },
        schema: {
          operationId: 'rejectedInteractions',
          summary: 'Refused interactions',
          description: 'Newest first. By default those that were not replayed; a page has at most 16 MiB of items.',
          tags: ['interactions'],
          querystring: RejectedQuery,
          response: { 200: RejectedResponse.describe('A page of refused interactions.') },
        },
      },
      async ({ query: { limit, cursor, replayed } }) => {
        const after = cursor === undefined ? undefined : rejectedPositionOf(cursor)
        if (cursor !== undefined && after === undefined) throw invalidCursor()
        return rejectedPage(deps.db, { limit, after, replayed: replayed === 'true' })
      },
    )
  }
}
