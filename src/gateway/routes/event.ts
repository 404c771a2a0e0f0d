import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { TrackedEventResponse, UncheckedTrackedEvent } from '../../contract/tracked-event.ts'
import { RecordingQuery } from '../recording/record-request.ts'
import { trackEvent } from '../shoppers/track-event.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const TRACK = {
  config: { access: 'ingest' },
  schema: {
    operationId: 'trackEvent',
    summary: 'Record one event, and show it in the context of its shopper',
    description:
      'Answers as soon as Restate has the event, also while PostgreSQL is away, and before the event is recorded. The context of the shopper has it from then on. Give the event an `event_id`, and resend what was not answered: it counts once. A wrong event is refused, and not kept. A body of text/plain is read as JSON too, for beacons, unless the key is a secret one.',
    tags: ['interactions'],
    consumes: ['application/json', 'text/plain'],
    headers: z.object({
      'idempotency-key': z
        .string()
        .optional()
        .describe('Refused for an event without event_id or event_key, because it is not kept.'),
    }),
    body: UncheckedTrackedEvent,
    querystring: RecordingQuery,
    response: {
      202: z.object({ data: TrackedEventResponse }).meta({
        description: 'Restate has the event and will record it, whatever dies.',
        examples: [{ data: { event_id: '01a0c3f4-9b2e-4d07-8c55-3f1e2d4c5b6a', occurred_at: '2026-03-01T12:00:00.000Z' } }],
      }),
      400: ErrorBody.describe('The body is not JSON, or not an event; `details` names the field.'),
      413: ErrorBody.describe('The body is over 64 KiB.'),
      503: ErrorBody.describe(
        'Outcome unknown: send the same event again; `details.events` has the id that an event without one was given. Or too much waits here already, and nothing was recorded.',
      ),
    },
  },
} as const satisfies RouteShorthandOptions

export function eventRoutes(deps: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().post('/api/v1/event', TRACK, async (request, reply) => {
      const data = await trackEvent(deps, request)
      return reply.code(202).send({ data })
    })
  }
}
