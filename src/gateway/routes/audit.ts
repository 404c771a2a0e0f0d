import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { AuditEntriesRequest, AuditEntriesResponse } from '../../contract/audit-entry.ts'
import { OFFSET_MAX } from '../../contract/report.ts'
import { wholeNumberOfText } from '../../contract/whole-number.ts'
import { auditEntries } from '../../store/audit/audit-entry.ts'
import type { Database } from '../../store/database/connection.ts'

const { shape } = AuditEntriesRequest
const AuditQuery = AuditEntriesRequest.extend({
  limit: wholeNumberOfText(1, 100).default(50).describe(shape.limit.description!),
  offset: wholeNumberOfText(0, OFFSET_MAX).default(0).describe(shape.offset.description!),
})

export function auditRoutes(deps: { db: Database }) {
  return async (app: FastifyInstance) => {
    app.withTypeProvider<ZodTypeProvider>().get(
      '/api/v1/audit-entries',
      {
        config: { access: 'manage' },
        schema: {
          operationId: 'auditEntries',
          summary: 'Who did what to the system',
          description: 'Newest first: keys, grants, and every transition of a run. Nothing in it is ever changed.',
          tags: ['process'],
          querystring: AuditQuery,
          response: { 200: AuditEntriesResponse.describe('A page of entries.') },
        },
      },
      async ({ query }) => {
        const { data, total } = await auditEntries(deps.db, query)
        return { data, meta: { row_count: total } }
      },
    )
  }
}
