import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { storableItems, withEventIds } from '../../admission/event-identity.ts'
import { KEPT_SHORT_BYTES_MAX } from '../../admission/kept-item.ts'
import type { Privacy } from '../../admission/privacy.ts'
import { ageProblem } from '../../admission/time-problem.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { BODY_BYTES_MAX, CreateInteractionResponse, SubmittedResponse } from '../../contract/interaction.ts'
import { KINDS } from '../../contract/kinds.ts'
import { type BatchAnswered, bodyOfItems, type EventsBody } from '../../ingress/recorder.ts'
import { IdempotencyKey, keyOf } from '../http/idempotency-key.ts'
import type { GatewayObserver } from '../http/observer.ts'
import type { RequestEvents } from './flush.ts'
import { admitItems } from './kept-rejections.ts'
import { senderOf } from './sender.ts'
import { NOTHING_RECORDED, type SplitItems, splitItems, wholeAnswer } from './split-items.ts'
import { TOO_LARGE, unknownOutcome } from './unknown-outcome.ts'
import type { Recording, RecordingWays } from './ways.ts'

/** Of UTF-8, for a UTF-16 unit. */
const BYTES_PER_CHARACTER_MAX = 3

const NOT_KEPT =
  'some events are invalid, and the rejected events of this hour are too many to be kept: send only valid events, or send without an Idempotency-Key'

export interface RecordingDeps {
  recording: Pick<Recording, 'ways' | 'rejections'>
  settings: { privacy: Privacy; publishableDaysMax: number }
  observer: Pick<GatewayObserver, 'recorded' | 'notKept'>
}

/** The items of one request. */
export interface RecordedRequest {
  kind: BatchAnswered
  items: readonly unknown[]
  request: FastifyRequest
  reply: FastifyReply
}

export const RecordingHeaders = z.object({
  'idempotency-key': IdempotencyKey.describe(
    'A text of yours, such as `checkout-4711`. The same key and body get the first answer again, for an hour; events without ids are then recorded once.',
  ),
  prefer: z
    .string()
    .optional()
    .describe(
      '`respond-async`: answer 202 as soon as the events are safe, before they are recorded. It is ignored when an event is rejected and not kept, e.g. as too old for its publishable key, and so is anything else.',
    ),
})

export const RecordingQuery = z.strictObject({ key: z.string().optional().describe('A publishable key, for a beacon.') })

/** The answers to a request that records; `accepted` is the number in the example. */
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

/** Records the items in the way that the request's headers ask for. @throws DecidedError when the outcome is unknown. */
export async function recordRequest(
  { recording, settings, observer }: RecordingDeps,
  { kind, items, request, reply }: RecordedRequest,
): Promise<{ data: CreateInteractionResponse }> {
  const ways = recording.ways[kind]
  const split = splitItemsOf(request, items, settings.publishableDaysMax)
  const stored = storableItems(split.recorded, settings.privacy)
  const key = keyOf(request)
  // For a call with a key Restate generates the ids: the same in every attempt.
  const identified = key === undefined ? withEventIds(stored, Date.now()) : { events: stored, assigned: [] }
  // Text takes a fifth of the memory of objects, and many requests may wait.
  const json = JSON.stringify(identified.events).slice(1, -1)
  const admitted = await admitItems(recording.rejections, { kind, sender: request, items: identified.events, json })
  const isWhole = admitted.split.rejected.length === 0
  // Without these items the body would be another one, and the key's first answer a conflict.
  if (key !== undefined && !isWhole) throw new DecidedError('rate_limited', NOT_KEPT)
  const keptShort = request.apiKey?.isPublishable ? largeItemsOf(admitted.split.recorded, json.length) : undefined
  const events: EventsText = {
    ...{ kind, keptShort, key, count: admitted.split.recorded.length },
    json: isWhole ? json : JSON.stringify(admitted.split.recorded).slice(1, -1),
    ...senderOf(request),
  }
  observer.notKept(split.rejected.length + admitted.split.rejected.length)
  try {
    // A 202 could not name the rejected items, which are not kept either.
    if (prefersAsync(request) && split.rejected.length === 0 && isWhole) {
      const data = { invocation_id: await submit(ways, events) }
      admitted.settle('unknown')
      return await reply.code(202).header('preference-applied', 'respond-async').send({ data })
    }
    const { answer, isNew } = await record(ways, events)
    // The first call with the key had its items kept.
    admitted.settle(isNew ? answer.rejected : [])
    const data = wholeAnswer(split, wholeAnswer(admitted.split, answer))
    if (isNew) observer.recorded(data, kind)
    return { data }
  } catch (error) {
    admitted.settle('unknown')
    const advice = key === undefined ? 'resend the same events' : 'send the same again with the same Idempotency-Key'
    const assigned = identified.assigned.map((identity) => ({ ...identity, index: split.indexes[identity.index]! }))
    throw unknownOutcome(error, advice, { details: { events: assigned } })
  }
}

/** A publishable key can be copied from a page, and events of many months would each need a partition of the log. */
function splitItemsOf({ apiKey }: FastifyRequest, items: readonly unknown[], daysMax: number): SplitItems {
  const nowMs = Date.now()
  return splitItems(items, (item) => (apiKey?.isPublishable ? ageProblem(item, daysMax, nowMs) : undefined))
}

/** The positions of items that are kept whole only if their sender has a secret key. */
function largeItemsOf(items: readonly unknown[], charactersOfAll: number): number[] {
  if (charactersOfAll <= KEPT_SHORT_BYTES_MAX / BYTES_PER_CHARACTER_MAX) return []
  return items.flatMap((item, index) => (Buffer.byteLength(JSON.stringify(item)) > KEPT_SHORT_BYTES_MAX ? [index] : []))
}

interface EventsText extends RequestEvents {
  kind: BatchAnswered
  /** The caller's idempotency key, if it has one. */
  key: string | undefined
}

async function record({ groupCommit, ownCalls }: RecordingWays, { key, ...events }: EventsText) {
  if (events.count === 0) return { answer: NOTHING_RECORDED, isNew: true }
  return key === undefined
    ? { answer: await groupCommit.record(events), isNew: true }
    : ownCalls.record({ ...events, body: bodyOf(events), key })
}

function submit({ groupSubmit, ownCalls }: RecordingWays, { key, ...events }: EventsText): Promise<string> {
  const body = bodyOf(events)
  // Checked here, because the caller has its answer before the handler checks it.
  if (body.length > BODY_BYTES_MAX) throw new DecidedError('too_large', TOO_LARGE)
  return key === undefined ? groupSubmit.record(events) : ownCalls.submit({ ...events, body, key })
}

function bodyOf({ kind, json }: Pick<EventsText, 'kind' | 'json'>): EventsBody {
  return bodyOfItems([json], KINDS[kind].list)
}

/** RFC 7240: preferences are a list, in one header or several. */
function prefersAsync({ headers: { prefer } }: FastifyRequest): boolean {
  const preferences = [prefer ?? []].flat().join(',').split(',')
  return preferences.some((preference) => preference.split(';')[0]!.trim().toLowerCase() === 'respond-async')
}
