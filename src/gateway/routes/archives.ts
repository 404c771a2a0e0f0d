import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { ArchivesRequest, ArchivesResponse } from '../../contract/archived-month.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { listArchives } from '../../store/archive/archived-month.ts'
import { taskCallerOf } from '../access/caller.ts'
import { invalidCursor } from '../http/problem.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const ArchivesQuery = ArchivesRequest.extend({ limit: wholeNumberOfText(1, 100).default(50).describe('Months of the page.') })

const ARCHIVES = {
  config: { access: 'manage' },
  schema: {
    operationId: 'archives',
    summary: 'Archived months of the log',
    description:
      'The latest month first, each table by itself: how many rows, where, and since when. The archive itself is not read; `footfall archive verify` does that.',
    tags: ['process'],
    querystring: ArchivesQuery,
    response: { 200: ArchivesResponse.describe('A page of months.') },
  },
} as const satisfies RouteShorthandOptions

export function archiveRoutes({ lines }: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/archives', ARCHIVES, async (request) => {
      const page = await lines.short.read(taskCallerOf(request), (db) => listArchives(db, request.query))
      if (page === undefined) throw invalidCursor()
      return page
    })
  }
}
