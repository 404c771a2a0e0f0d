import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { CreateInteractionRequest } from '../../contract/interaction.ts'
import {
  recordingAnswers,
  type RecordingDeps,
  RecordingHeaders,
  RecordingQuery,
  recordRequest,
} from '../recording/record-request.ts'

export function interactionRoutes(deps: Omit<RecordingDeps, 'kind'>) {
  return async (app: FastifyInstance) => {
    app.withTypeProvider<ZodTypeProvider>().post(
      '/api/v1/analytic/interaction',
      {
        config: { access: 'ingest' },
        schema: {
          operationId: 'recordInteractions',
          summary: 'Record interactions',
          description:
            'Each item is judged alone: valid ones are recorded, refused ones are listed with their index and field. Give every event an `event_id`, and resend whatever was not answered: it counts once. A body of text/plain is read as JSON too, for beacons, unless the key is a secret one.',
          tags: ['interactions'],
          consumes: ['application/json', 'text/plain'],
          headers: RecordingHeaders,
          body: CreateInteractionRequest,
          querystring: RecordingQuery,
          response: recordingAnswers({
            recorded: 'What became of each interaction, also when every one was refused.',
            accepted: 2,
            notOne: 'The body is not JSON, or not a list of 1 to 10,000 items',
          }),
        },
      },
      (request, reply) => recordRequest({ ...deps, kind: 'interaction' }, request, reply, request.body.interactions),
    )
  }
}
