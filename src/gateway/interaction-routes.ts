import { randomBytes } from 'node:crypto'
import { HttpCallError } from '@restatedev/restate-sdk-clients'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../contract/error.ts'
import { uuidV7 } from '../contract/event-id.ts'
import { BODY_BYTES_MAX, CreateInteractionRequest, CreateInteractionResponse } from '../contract/interaction.ts'
import { writable } from '../contract/text.ts'
import { instantOf, millisecondsOf } from '../contract/time.ts'
import { Problem } from './problem.ts'

/** Hands a batch to Restate; resolves when it is recorded. */
export type RecordInteractions = (request: CreateInteractionRequest) => Promise<CreateInteractionResponse>

export function interactionRoutes(deps: { record: RecordInteractions }) {
  return async (app: FastifyInstance) => {
    app.withTypeProvider<ZodTypeProvider>().post(
      '/api/v1/analytic/interaction',
      {
        schema: {
          summary: 'Record interactions',
          description: 'Each item is judged alone: valid ones are recorded, refused ones are listed with their index and field.',
          tags: ['interactions'],
          body: CreateInteractionRequest,
          querystring: z.strictObject({}),
          response: {
            200: z.object({ data: CreateInteractionResponse }),
            400: ErrorBody.describe('The body is not a list of 1 to 10,000 items.'),
            413: ErrorBody.describe('The body is over 16 MiB.'),
            503: ErrorBody.describe('Outcome unknown; details.events has the ids to resend with.'),
          },
        },
      },
      async (request) => ({ data: await recordIdentified(deps.record, request.body) }),
    )
  }
}

interface GivenIdentity {
  index: number
  event_id: string
  occurred_at: string
}

async function recordIdentified(record: RecordInteractions, body: CreateInteractionRequest): Promise<CreateInteractionResponse> {
  const { interactions, given } = withEventIds(body.interactions, Date.now())
  try {
    return await record({ interactions })
  } catch (error) {
    if (error instanceof HttpCallError && error.status === 413) {
      throw new Problem(
        'too_large',
        `the body and the event ids that it lacks are over ${BODY_BYTES_MAX} bytes: send fewer at once`,
      )
    }
    if (!isOutage(error)) throw error
    throw new Problem('unavailable', 'outcome unknown, resend the same events', { details: { events: given }, cause: error })
  }
}

/** Restate does not answer, or not in time, or says that it cannot. Anything else is a fault of ours. */
function isOutage(error: unknown): boolean {
  return (
    error instanceof HttpCallError || error instanceof DOMException || (error instanceof TypeError && error.cause !== undefined)
  )
}

/**
 * Gives an id to each event that has none, before anything durable happens: whoever resends with it after an unknown
 * outcome is counted once. An item whose time cannot be read stays as it is, to be refused with its index.
 */
export function withEventIds(items: readonly unknown[], nowMs: number): { interactions: unknown[]; given: GivenIdentity[] } {
  const given: GivenIdentity[] = []
  const interactions = items.map((sent, index) => {
    const item = writable(sent)
    if (typeof item !== 'object' || item === null || Array.isArray(item) || 'event_id' in item) return item
    const time = 'occurred_at' in item ? timeOf(item.occurred_at) : nowMs
    if (time === undefined) return item
    const event_id = uuidV7(time, randomBytes(10))
    given.push({ index, event_id, occurred_at: instantOf(time) })
    return { ...item, event_id }
  })
  return { interactions, given }
}

/** 48 bits of milliseconds fit into a UUIDv7. */
const UUID_MS_MAX = 2 ** 48 - 1

function timeOf(value: unknown): number | undefined {
  const milliseconds = typeof value === 'string' ? millisecondsOf(value) : Number.NaN
  return milliseconds >= 0 && milliseconds <= UUID_MS_MAX ? milliseconds : undefined
}
