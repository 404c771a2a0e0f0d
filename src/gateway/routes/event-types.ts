import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { EventTypesRequest, EventTypesResponse } from '../../contract/event-type.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { eventTypes } from '../../store/popularity/event-types.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

/** Callers that ask so long after a read of the same window began share it. */
const JOIN_MS = 1_000

const TYPES = {
  config: { access: 'read' },
  schema: {
    operationId: 'eventTypes',
    summary: 'Which types of events there are',
    description:
      'The types of all counted events of products, the 1,000 most frequent of them, and every type with a weight or a counter; the most frequent first. A type with many events and no weight is often misspelt.',
    tags: ['popularity'],
    querystring: EventTypesRequest.extend({
      days: wholeNumberOfText(1, 365).optional().describe(EventTypesRequest.shape.days.description!),
    }),
    response: { 200: EventTypesResponse.describe('The types.') },
  },
} as const satisfies RouteShorthandOptions

export function eventTypeRoutes({ lines }: RouteDeps): RoutePlugin {
  const typesIn = lines.long.shared({
    read: (db, days: number | undefined) => eventTypes(db, days, Date.now()),
    keyOf: String,
    joinMs: JOIN_MS,
  })
  return async (app) => {
    app
      .withTypeProvider<ZodTypeProvider>()
      .get('/api/v1/analytic/event-types', TYPES, (request) => typesIn(request.query.days, taskCallerOf(request)))
  }
}
