import { HttpCallError } from '@restatedev/restate-sdk-clients'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../contract/error.ts'
import {
  BODY_BYTES_MAX,
  CreateInteractionRequest,
  CreateInteractionResponse,
  SubmittedResponse,
} from '../contract/interaction.ts'
import type { Privacy } from '../store/privacy.ts'
import { type GivenIdentity, storable, withEventIds } from './event-identity.ts'
import type { GroupCommit } from './group-commit.ts'
import type { GatewayObserver } from './observer.ts'
import { type OwnCalls, TOO_LARGE } from './own-call.ts'
import { Problem } from './problem.ts'
import { bodyOfItems } from './recorder.ts'

export interface InteractionDeps {
  groupCommit: GroupCommit
  /** For those who do not wait for the outcome. */
  groupSubmit: GroupCommit<string>
  ownCalls: OwnCalls
  privacy: Privacy
  observer: Pick<GatewayObserver, 'recorded'>
}

const IDEMPOTENCY_KEY_CHARACTERS_MAX = 255

/** It becomes a header of the call to Restate: printable ASCII, no blank at its ends. */
const IDEMPOTENCY_KEY_PATTERN = /^[!-~]([ -~]*[!-~])?$/

const Headers = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(IDEMPOTENCY_KEY_CHARACTERS_MAX)
    .regex(IDEMPOTENCY_KEY_PATTERN, { error: 'must be printable ASCII' })
    .optional()
    .describe(
      'A text of yours, such as `checkout-4711`. The same key and body get the first answer again, for an hour; events without ids are then recorded once.',
    ),
  prefer: z
    .string()
    .optional()
    .describe('`respond-async`: answer 202 as soon as the events are safe, before they are recorded. Anything else is ignored.'),
})

const Recorded = z.object({ data: CreateInteractionResponse }).meta({
  description: 'What became of each interaction, also when every one was refused.',
  examples: [{ data: { accepted: 2, duplicates: 0, duplicate_indexes: [], rejected: [] } }],
})

const Submitted = z.object({ data: SubmittedResponse }).meta({
  description: 'Restate has the events and will record them, whatever dies.',
  headers: { 'preference-applied': { type: 'string', description: 'respond-async' } },
  examples: [{ data: { invocation_id: 'inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz' } }],
})

export function interactionRoutes(deps: InteractionDeps) {
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
          headers: Headers,
          body: CreateInteractionRequest,
          querystring: z.strictObject({ key: z.string().optional().describe('A publishable key, for a beacon.') }),
          response: {
            200: Recorded,
            202: Submitted,
            400: ErrorBody.describe('The body is not JSON, or not a list of 1 to 10,000 items; `details` names the fields.'),
            409: ErrorBody.describe(
              'The Idempotency-Key was used with another body; `details.id` is the invocation of the first.',
            ),
            413: ErrorBody.describe('The body is over 16 MiB; with a publishable key, over 64 KiB.'),
            503: ErrorBody.describe(
              'Outcome unknown: send the same events again; `details.events` has the ids that events without one were given. Or too much waits here already, and nothing was recorded.',
            ),
          },
        },
      },
      async (request, reply) => {
        const items = storable(request.body.interactions, deps.privacy)
        const key = keyOf(request)
        // Restate gives events without ids the same ones in every attempt of a call with this key.
        const { events, given } = key === undefined ? withEventIds(items, Date.now()) : { events: items, given: [] }
        // From here on the events are text, a fifth of what they are as objects; many may wait.
        const json = JSON.stringify(events).slice(1, -1)
        try {
          if (prefersAsync(request)) {
            const data = { invocation_id: await submit(deps, request, { json, count: events.length, key }) }
            return await reply.code(202).header('preference-applied', 'respond-async').send({ data })
          }
          const { answer, isNew } = await (key === undefined
            ? recordInGroup(deps.groupCommit, request, { json, count: events.length })
            : deps.ownCalls.record({ body: bodyOfItems([json]), key }))
          if (isNew) deps.observer.recorded(answer)
          return { data: answer }
        } catch (error) {
          throw problemOfRecording(error, given, key)
        }
      },
    )
  }
}

async function recordInGroup(groupCommit: GroupCommit, { raw }: FastifyRequest, items: { json: string; count: number }) {
  return { answer: await groupCommit.record({ ...items, connection: raw.socket }), isNew: true }
}

function submit(
  { groupSubmit, ownCalls }: InteractionDeps,
  { raw }: FastifyRequest,
  { json, count, key }: { json: string; count: number; key: string | undefined },
): Promise<string> {
  const body = bodyOfItems([json])
  // Nobody may be listening any more when the handler refuses it.
  if (body.length > BODY_BYTES_MAX) throw new Problem('too_large', TOO_LARGE)
  return key === undefined ? groupSubmit.record({ json, count, connection: raw.socket }) : ownCalls.submit({ body, key })
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

/** What the caller is told when the events could not be recorded, or nobody knows whether they were. */
function problemOfRecording(error: unknown, given: readonly GivenIdentity[], key: string | undefined): unknown {
  if (error instanceof HttpCallError && error.status === 413) return new Problem('too_large', TOO_LARGE)
  if (!isOutage(error)) return error
  const how = key === undefined ? 'resend the same events' : 'send the same again with the same Idempotency-Key'
  return new Problem('unavailable', `outcome unknown, ${how}`, { details: { events: given }, cause: error })
}

/** Restate does not answer, or not in time, or says that it cannot. Anything else is a fault of ours. */
function isOutage(error: unknown): boolean {
  return (
    error instanceof HttpCallError || error instanceof DOMException || (error instanceof TypeError && error.cause !== undefined)
  )
}
