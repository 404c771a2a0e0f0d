import { HttpCallError } from '@restatedev/restate-sdk-clients'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../contract/error.ts'
import {
  BODY_BYTES_MAX,
  CreateInteractionRequest,
  CreateInteractionResponse,
  SubmittedResponse,
} from '../contract/interaction.ts'
import { callOf, isOtherBody } from '../store/call.ts'
import type { Store } from '../store/database.ts'
import type { Privacy } from '../store/privacy.ts'
import { type GivenIdentity, storable, withEventIds } from './event-identity.ts'
import type { GroupCommit } from './group-commit.ts'
import type { GatewayObserver } from './observer.ts'
import { Problem } from './problem.ts'
import type { Recorder } from './recorder.ts'

export interface InteractionDeps {
  db: Store
  recorder: Recorder
  groupCommit: GroupCommit
  privacy: Privacy
  observer: Pick<GatewayObserver, 'recorded'>
}

const IDEMPOTENCY_KEY_CHARACTERS_MAX = 255

const Headers = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(IDEMPOTENCY_KEY_CHARACTERS_MAX)
    .optional()
    .describe('The same key and body get the first answer again, for an hour; events without ids are then recorded once.'),
  prefer: z.string().optional().describe('respond-async: answer 202 as soon as the events are safe, before they are recorded.'),
})

export function interactionRoutes(deps: InteractionDeps) {
  return async (app: FastifyInstance) => {
    app.withTypeProvider<ZodTypeProvider>().post(
      '/api/v1/analytic/interaction',
      {
        config: { access: 'ingest' },
        schema: {
          summary: 'Record interactions',
          description: 'Each item is judged alone: valid ones are recorded, refused ones are listed with their index and field.',
          tags: ['interactions'],
          headers: Headers,
          body: CreateInteractionRequest,
          querystring: z.strictObject({ key: z.string().optional().describe('A publishable key, for a beacon.') }),
          response: {
            200: z.object({ data: CreateInteractionResponse }),
            202: z.object({ data: SubmittedResponse }),
            400: ErrorBody.describe('The body is not a list of 1 to 10,000 items.'),
            409: ErrorBody.describe('The idempotency key was used with another body.'),
            413: ErrorBody.describe('The body is over 16 MiB.'),
            503: ErrorBody.describe('Outcome unknown; details.events has the ids to resend with.'),
          },
        },
      },
      async (request, reply) => {
        const items = storable(request.body.interactions, deps.privacy)
        const key = keyOf(request)
        // Restate gives events without ids the same ones in every attempt of a call with this key.
        const { events, given } = key === undefined ? withEventIds(items, Date.now()) : { events: items, given: [] }
        try {
          if (prefersAsync(request)) return await submit(deps, reply, { events, key })
          const answer = await (key === undefined
            ? deps.groupCommit.record({ events, bytes: request.bodyBytes, connection: request.raw.socket })
            : recordOnce(deps, events, key))
          deps.observer.recorded(answer)
          return { data: answer }
        } catch (error) {
          throw problemOfRecording(error, given)
        }
      },
    )
  }
}

/** Keys of different callers never meet. */
function keyOf({ headers, apiKey }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key']
  return typeof key === 'string' ? `${apiKey?.keyId ?? 'local'} ${key}` : undefined
}

/** RFC 7240: preferences are a list, in one header or several. */
function prefersAsync({ headers: { prefer } }: FastifyRequest): boolean {
  const preferences = [prefer ?? []].flat().join(',').split(',')
  return preferences.some((preference) => preference.split(';')[0]!.trim().toLowerCase() === 'respond-async')
}

async function submit(deps: InteractionDeps, reply: FastifyReply, call: { events: unknown[]; key: string | undefined }) {
  const { invocationId, isNew } = await deps.recorder.submit(call.events, call.key)
  if (!isNew) await refuseOtherBody(deps.db, invocationId, call.events)
  reply.code(202).header('preference-applied', 'respond-async')
  return { data: { invocation_id: invocationId } }
}

/** Records a request in a call of its own, once for its key. */
async function recordOnce({ db, recorder }: InteractionDeps, events: unknown[], key: string): Promise<CreateInteractionResponse> {
  const { invocationId, isNew } = await recorder.submit(events, key)
  const answer = await recorder.record(events, key)
  if (!isNew) await refuseOtherBody(db, invocationId, events)
  return answer
}

/** Restate gives a used key its first answer without looking at the body: events of another body would be lost in silence. */
async function refuseOtherBody(db: Store, invocationId: string, events: unknown[]): Promise<void> {
  const call = callOf(invocationId, Buffer.from(JSON.stringify({ interactions: events })))
  if (!(await isOtherBody(db, call))) return
  throw new Problem('conflict', 'the Idempotency-Key was used with another body', { details: { id: invocationId } })
}

/** What the caller is told when the events could not be recorded, or nobody knows whether they were. */
function problemOfRecording(error: unknown, given: readonly GivenIdentity[]): unknown {
  if (error instanceof HttpCallError && error.status === 413) {
    const message = `the body and the event ids that it lacks are over ${BODY_BYTES_MAX} bytes: send fewer at once`
    return new Problem('too_large', message)
  }
  if (!isOutage(error)) return error
  return new Problem('unavailable', 'outcome unknown, resend the same events', { details: { events: given }, cause: error })
}

/** Restate does not answer, or not in time, or says that it cannot. Anything else is a fault of ours. */
function isOutage(error: unknown): boolean {
  return (
    error instanceof HttpCallError || error instanceof DOMException || (error instanceof TypeError && error.cause !== undefined)
  )
}
