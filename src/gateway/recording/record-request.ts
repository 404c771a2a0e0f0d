import { DecidedError } from '../../contract/decided-error.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { BODY_BYTES_MAX, CreateInteractionResponse, SubmittedResponse } from '../../contract/interaction.ts'
import { KINDS } from '../../contract/kinds.ts'
import type { Privacy } from '../../admission/privacy.ts'
import { type AssignedIdentity, storableItems, withEventIds } from '../../admission/event-identity.ts'
import type { GroupCommit } from './group-commit.ts'
import { IdempotencyKey, keyOf } from '../http/idempotency-key.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { isOutage } from '../../ingress/outage.ts'
import { isTooLarge } from '../../ingress/refusal.ts'
import { type OwnCalls, TOO_LARGE } from './own-call.ts'

import { type BatchAnswered, bodyOfItems } from '../../ingress/recorder.ts'

/** The ways on which events of one kind are recorded. */
export interface RecordingWays {
  groupCommit: GroupCommit
  /** For those who do not wait for the outcome. */
  groupSubmit: GroupCommit<string>
  ownCalls: OwnCalls
}

export interface RecordingDeps {
  ways: RecordingWays
  kind: BatchAnswered
  privacy: Privacy
  observer: Pick<GatewayObserver, 'recorded'>
}

export const RecordingHeaders = z.object({
  'idempotency-key': IdempotencyKey.describe(
    'A text of yours, such as `checkout-4711`. The same key and body get the first answer again, for an hour; events without ids are then recorded once.',
  ),
  prefer: z
    .string()
    .optional()
    .describe('`respond-async`: answer 202 as soon as the events are safe, before they are recorded. Anything else is ignored.'),
})

export const RecordingQuery = z.strictObject({ key: z.string().optional().describe('A publishable key, for a beacon.') })

/** What a request that records can be answered; `accepted` is the number in the example. */
export function recordingAnswers(texts: { recorded: string; accepted: number; notOne: string }) {
  const answer = { accepted: texts.accepted, duplicates: 0, duplicate_indexes: [], rejected: [] }
  return {
    200: z.object({ data: CreateInteractionResponse }).meta({ description: texts.recorded, examples: [{ data: answer }] }),
    202: Submitted,
    400: ErrorBody.describe(`${texts.notOne}; \`details\` names the fields.`),
    409: ErrorBody.describe('The Idempotency-Key was used with another body; `details.id` is the invocation of the first.'),
    413: ErrorBody.describe('The body is over 16 MiB; with a publishable key, over 64 KiB.'),
    503: ErrorBody.describe(
      'Outcome unknown: send the same events again; `details.events` has the ids that events without one were given. Or too much waits here already, and nothing was recorded.',
    ),
  }
}

const Submitted = z.object({ data: SubmittedResponse }).meta({
  description: 'Restate has the events and will record them, whatever dies.',
  headers: { 'preference-applied': { type: 'string', description: 'respond-async' } },
  examples: [{ data: { invocation_id: 'inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz' } }],
})

/** Records the items of a request in the way that its headers ask for. @throws Problem when nobody knows whether they were. */
export async function recordRequest(
  deps: RecordingDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  given: readonly unknown[],
): Promise<{ data: CreateInteractionResponse }> {
  const items = storableItems(given, deps.privacy)
  const key = keyOf(request)
  // Restate gives events without ids the same ones in every attempt of a call with this key.
  const identified = key === undefined ? withEventIds(items, Date.now()) : { events: items, given: [] }
  const count = identified.events.length
  // From here on the events are text, a fifth of what they are as objects; many may wait.
  const json = JSON.stringify(identified.events).slice(1, -1)
  try {
    if (prefersAsync(request)) {
      const data = { invocation_id: await submit(deps, request, { json, count, key }) }
      return await reply.code(202).header('preference-applied', 'respond-async').send({ data })
    }
    const { answer, isNew } = await (key === undefined
      ? recordInGroup(deps.ways.groupCommit, request, { json, count })
      : deps.ways.ownCalls.record({ body: bodyOfItems([json], KINDS[deps.kind].list), key }))
    if (isNew) deps.observer.recorded(answer, deps.kind)
    return { data: answer }
  } catch (error) {
    throw problemOfRecording(error, identified.given, key)
  }
}

async function recordInGroup(groupCommit: GroupCommit, { raw }: FastifyRequest, items: { json: string; count: number }) {
  return { answer: await groupCommit.record({ ...items, connection: raw.socket }), isNew: true }
}

function submit(
  { ways: { groupSubmit, ownCalls }, kind }: RecordingDeps,
  { raw }: FastifyRequest,
  { json, count, key }: { json: string; count: number; key: string | undefined },
): Promise<string> {
  const body = bodyOfItems([json], KINDS[kind].list)
  // Nobody may be listening any more when the handler refuses it.
  if (body.length > BODY_BYTES_MAX) throw new DecidedError('too_large', TOO_LARGE)
  return key === undefined ? groupSubmit.record({ json, count, connection: raw.socket }) : ownCalls.submit({ body, key })
}

/** RFC 7240: preferences are a list, in one header or several. */
function prefersAsync({ headers: { prefer } }: FastifyRequest): boolean {
  const preferences = [prefer ?? []].flat().join(',').split(',')
  return preferences.some((preference) => preference.split(';')[0]!.trim().toLowerCase() === 'respond-async')
}

/** What the caller is told when the events could not be recorded, or nobody knows whether they were. */
function problemOfRecording(error: unknown, given: readonly AssignedIdentity[], key: string | undefined): unknown {
  if (isTooLarge(error)) return new DecidedError('too_large', TOO_LARGE)
  if (!isOutage(error)) return error
  const how = key === undefined ? 'resend the same events' : 'send the same again with the same Idempotency-Key'
  return new DecidedError('unavailable', `outcome unknown, ${how}`, { details: { events: given }, cause: error })
}
