import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { AuditEntriesRequest, AuditEntriesResponse } from '../../contract/audit-entry.ts'
import { OFFSET_MAX } from '../../contract/fields/page.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { auditEntries } from '../../store/audit/audit-entry.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const { shape } = AuditEntriesRequest
const AuditQuery = AuditEntriesRequest.extend({
  limit: wholeNumberOfText(1, 100).default(50).describe(shape.limit.description!),
  offset: wholeNumberOfText(0, OFFSET_MAX).default(0).describe(shape.offset.description!),
})

const ENTRIES = {
  config: { access: 'manage' },
  schema: {
    operationId: 'auditEntries',
    summary: 'Changes of the system, and their actors',
    description: 'Newest first: keys, grants, and every transition of a run. Entries never change.',
    tags: ['process'],
    querystring: AuditQuery,
    response: { 200: AuditEntriesResponse.describe('A page of entries.') },
  },
} as const satisfies RouteShorthandOptions

export function auditRoutes({ lines }: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/audit-entries', ENTRIES, async (request) => {
      const { data, total } = await lines.long.read(taskCallerOf(request), (db) => auditEntries(db, request.query))
      return { data, meta: { row_count: total } }
    })
  }
}
