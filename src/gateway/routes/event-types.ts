import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { EventTypesRequest, EventTypesResponse } from '../../contract/event-type.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { WeightsResponse } from '../../contract/weights.ts'
import { eventTypes } from '../../store/popularity/event-types.ts'
import { weightsInForce } from '../../store/popularity/weights.ts'
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

const WEIGHTS = {
  config: { access: 'read' },
  schema: {
    operationId: 'weightsInForce',
    summary: 'The weights in force',
    description:
      'What an event of each type adds to the score of its product, and how fast trending decays, with the version of both. A type that is not named adds nothing. They change by `./footfall rescore`.',
    tags: ['popularity'],
    querystring: z.strictObject({}),
    response: {
      200: WeightsResponse.describe('The weights.'),
      404: ErrorBody.describe('The database has no weights yet: the endpoint never started on it.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** The tables that say what an event counts. */
export function eventTypeRoutes({ lines }: RouteDeps): RoutePlugin {
  const typesIn = lines.long.shared({
    read: (db, days: number | undefined) => eventTypes(db, days, Date.now()),
    keyOf: String,
    joinMs: JOIN_MS,
  })
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/analytic/event-types', TYPES, (request) => typesIn(request.query.days, taskCallerOf(request)))

    routes.get('/api/v1/analytic/weights', WEIGHTS, async (request) => {
      const data = await lines.short.read(taskCallerOf(request), weightsInForce)
      if (data === undefined) throw notFound('the database has no weights yet')
      return { data }
    })
  }
}
