import { Readable } from 'node:stream'
import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { ShopperId } from '../../contract/fields/shopper-id.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { ExportsRequest, ExportsResponse } from '../../contract/person-export.ts'
import { exportPerson } from '../../store/erasure/export.ts'
import { listExports } from '../../store/erasure/export-list.ts'
import { taskCallerOf } from '../access/caller.ts'
import { invalidCursor } from '../http/problem.ts'
import { withinMs } from '../http/within-ms.ts'
import { ActorHeader, byOf } from '../recording/run-calls.ts'
import { inChunks, SILENT_MS_MAX } from '../shoppers/export-chunks.ts'
import { noteExport } from '../shoppers/noted-export.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const NDJSON = 'application/x-ndjson'
const Person = z.strictObject({
  shopper_id: ShopperId.describe(
    'The person. An account stands for its merged sessions too, and a merged session for its account.',
  ),
})
const ExportsQuery = ExportsRequest.extend({ limit: wholeNumberOfText(1, 100).default(50).describe('Exports of the page.') })

const EXPORT = {
  config: { access: 'manage', isPersonal: true },
  schema: {
    operationId: 'exportShopper',
    summary: 'Everything that is kept about a person',
    description:
      'One line of JSON per row, as `{"table": …, "row": {…}}`, with the columns of the database. It is empty for an unknown or erased shopper. A blank or an empty line every five seconds keeps the connection while no row is found. An answer that ends early was cut off: ask again. Its beginning and its end are in the audit trail.',
    tags: ['shoppers'],
    produces: [NDJSON],
    headers: ActorHeader,
    params: Person,
    querystring: z.strictObject({}),
    response: {
      200: z
        .string()
        .meta({
          examples: [
            '{"table":"shopper_product","row":{"shopper_id":"account:ada","product_id":"lamp","event_type":"view","events":2}}\n',
          ],
        })
        .describe('The rows.'),
      400: ErrorBody.describe('The address names no shopper.'),
      503: ErrorBody.describe('Nothing is exported, because Restate does not answer: ask again.'),
    },
  },
} as const satisfies RouteShorthandOptions

const EXPORTS = {
  config: { access: 'manage', isPersonal: true },
  schema: {
    operationId: 'exports',
    summary: 'Exports of what is kept about persons',
    description: 'Newest first: when, by whom, and whether they were sent whole. None names its shopper.',
    tags: ['shoppers'],
    querystring: ExportsQuery,
    response: { 200: ExportsResponse.describe('A page of exports.') },
  },
} as const satisfies RouteShorthandOptions

export function exportRoutes({ lines, ingress }: RouteDeps): RoutePlugin {
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/shoppers/:shopper_id/export', EXPORT, async (request, reply) => {
      const noted = await noteExport(ingress, byOf(request))
      const read = exportPerson((work) => lines.long.read(taskCallerOf(request), work), request.params.shopper_id)
      const rows = noted.counted(read)
      // A failure of the first reads is still an answer with its status.
      const first = rows.next()
      await withinMs(first, SILENT_MS_MAX).catch(async (error: unknown) => {
        await noted.cutOff()
        throw error
      })
      return reply.type(NDJSON).send(Readable.from(noted.sent(inChunks(rows, first))) as never)
    })

    routes.get('/api/v1/exports', EXPORTS, async (request) => {
      const page = await lines.short.read(taskCallerOf(request), (db) => listExports(db, request.query))
      if (page === undefined) throw invalidCursor()
      return page
    })
  }
}
