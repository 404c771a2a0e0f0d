import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { BODY_BYTES_MAX, CreateInteractionRequest } from '../../contract/interaction.ts'
import { recordingAnswers, RecordingHeaders, RecordingQuery, recordRequest } from '../recording/record-request.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const INTERACTIONS_TAG = { name: 'interactions', description: 'What shoppers do: sent once, counted once.' }

const RECORD = {
  bodyLimit: BODY_BYTES_MAX,
  config: { access: 'ingest', list: 'interactions' },
  schema: {
    operationId: 'recordInteractions',
    summary: 'Record interactions',
    description:
      'Each item is judged alone: valid ones are recorded, rejected ones are listed with their index and field. Give every event an `event_id`, and resend what was not answered: it counts once. A body of text/plain is read as JSON too, for beacons, unless the key is a secret one.',
    tags: ['interactions'],
    consumes: ['application/json', 'text/plain'],
    headers: RecordingHeaders,
    body: CreateInteractionRequest,
    querystring: RecordingQuery,
    response: recordingAnswers({
      recorded: 'The outcome of each interaction, even if every one was rejected.',
      accepted: 2,
      notOne: 'The body is not JSON, or not a list of 1 to 10,000 items',
      largest: '16 MiB',
    }),
  },
} as const satisfies RouteShorthandOptions

export function interactionRoutes(deps: RouteDeps): RoutePlugin {
  return async (app) => {
    app
      .withTypeProvider<ZodTypeProvider>()
      .post('/api/v1/analytic/interaction', RECORD, (request, reply) =>
        recordRequest(deps, { kind: 'interaction', items: 'interactions', request, reply }),
      )
  }
}
