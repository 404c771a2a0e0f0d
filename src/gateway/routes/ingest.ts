import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { INGEST_HOURS_MAX, IngestRequest, IngestResponse } from '../../contract/ingest.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { ingestHours } from '../../store/log/ingest-hours.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

/** Callers that ask so long after a read of the same hours began share it. */
const JOIN_MS = 1_000

const INGEST = {
  config: { access: 'manage' },
  schema: {
    operationId: 'ingest',
    summary: 'What came in by the hour',
    description:
      'Accepted items, duplicates and rejected items of each kind, by the hour in which they were received, whatever way they came. The numbers are exact: they are counted in the transactions that record, once for all attempts of a call. An item that is replayed counts again. Rejected items that the gateway does not keep are left out.',
    tags: ['process'],
    querystring: IngestRequest.extend({
      hours: wholeNumberOfText(1, INGEST_HOURS_MAX).default(24).describe(IngestRequest.shape.hours.description!),
    }),
    response: { 200: IngestResponse.describe('The hours, the oldest first.') },
  },
} as const satisfies RouteShorthandOptions

export function ingestRoutes({ lines }: RouteDeps): RoutePlugin {
  const hoursOf = lines.short.shared({ read: (db, hours: number) => ingestHours(db, hours), keyOf: String, joinMs: JOIN_MS })
  return async (app) => {
    app
      .withTypeProvider<ZodTypeProvider>()
      .get('/api/v1/ingest', INGEST, (request) => hoursOf(request.query.hours, taskCallerOf(request)))
  }
}
