import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Privacy } from '../../admission/privacy.ts'
import type { ItemList } from '../../admission/request-items.ts'
import { NOTHING_RECORDED } from '../../admission/split-items.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { BODY_BYTES_MAX, CreateInteractionResponse, SubmittedResponse } from '../../contract/interaction.ts'
import { KINDS, type KindWith } from '../../contract/kinds.ts'
import { type BatchAnswered, bodyOfItems, type EventsBody } from '../../ingress/recorder.ts'
import { hangUpOf, senderIdOf } from '../access/caller.ts'
import type { EventRate } from '../access/event-rate.ts'
import { IdempotencyKey, keyOf } from '../http/idempotency-key.ts'
import type { GatewayObserver } from '../http/observer.ts'
import type { RequestEvents } from './flush.ts'
import type { LargeItems } from './large-items.ts'
import type { OwnCall } from './own-call.ts'
import { readyItems } from './ready-items.ts'
import { senderOf } from './sender.ts'
import { TOO_LARGE, unknownOutcome } from './unknown-outcome.ts'
import type { Recording, RecordingWays } from './ways.ts'

const NOT_KEPT =
  'some events are invalid, and the rejected events of this hour are too many to be kept: send only valid events, or send without an Idempotency-Key'

export interface RecordingDeps {
  recording: Pick<Recording, 'ways' | 'rejections'>
  settings: { privacy: Privacy; publishableDaysMax: number }
  observer: Pick<GatewayObserver, 'recorded' | 'notKept'>
  largeItems: LargeItems
  eventRate: EventRate
}

/** A request that records: its items, or the list of the body that has them. */
export interface RecordedRequest {
  kind: KindWith<'isBatched'>
  items: readonly unknown[] | ItemList
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
export function recordingAnswers(texts: { recorded: string; accepted: number; notOne: string; largest: string }) {
  const answer = { accepted: texts.accepted, duplicates: 0, duplicate_indexes: [], rejected: [] }
  return {
    200: z.object({ data: CreateInteractionResponse }).meta({ description: texts.recorded, examples: [{ data: answer }] }),
    202: Submitted,
    400: ErrorBody.describe(`${texts.notOne}; \`details\` names the fields.`),
    409: ErrorBody.describe('The Idempotency-Key was used with another body; `details.id` is the invocation of the first.'),
    413: ErrorBody.describe(`The body is over ${texts.largest}; with a publishable key, over 64 KiB or 1,000 items.`),
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
  { recording, settings, observer, largeItems, eventRate }: RecordingDeps,
  { kind, items, request, reply }: RecordedRequest,
): Promise<{ data: CreateInteractionResponse }> {
  const ways = recording.ways[kind]
  const key = keyOf(request)
  // For a call with a key Restate generates the ids: the same in every attempt.
  const idsAtMs = key === undefined ? Date.now() : undefined
  const deps = { rejections: recording.rejections, largeItems, publishableDaysMax: settings.publishableDaysMax, eventRate }
  // Text takes a fifth of the memory of objects, and many requests may wait.
  const ready = await readyItems(deps, { kind, items, request, privacy: settings.privacy, idsAtMs })
  const { json, count, partEnds, keptShort, rejectedHere, settle } = ready
  // Without these items the body would be another one, and the key's first answer a conflict.
  if (key !== undefined && ready.isBeyondBound) throw new DecidedError('rate_limited', NOT_KEPT)
  const ownCall = key === undefined ? undefined : { key, signal: hangUpOf(request), caller: senderIdOf(request) }
  const events: EventsText = { kind, json, count, partEnds, keptShort, ownCall, ...senderOf(request) }
  observer.notKept(rejectedHere)
  try {
    // A 202 could not name the rejected items, which are not kept either.
    if (prefersAsync(request) && rejectedHere === 0) {
      const data = { invocation_id: await submit(ways, events) }
      settle('unknown')
      return await reply.code(202).header('preference-applied', 'respond-async').send({ data })
    }
    const { answer, isNew } = await record(ways, events)
    // The first call with the key had its items kept.
    settle(isNew ? answer.rejected : [])
    const data = ready.wholeAnswer(answer)
    if (isNew) observer.recorded(data, kind)
    return { data }
  } catch (error) {
    if (error instanceof DecidedError) {
      // The gateway decides before anything is sent, or after Restate had the key with another body: nothing of this one was recorded.
      settle([])
      throw error
    }
    settle('unknown')
    const advice = key === undefined ? 'resend the same events' : 'send the same again with the same Idempotency-Key'
    throw unknownOutcome(error, advice, { details: { events: ready.assigned() } })
  }
}

interface EventsText extends RequestEvents {
  kind: BatchAnswered
  /** Of a request with an idempotency key. */
  ownCall: Pick<OwnCall, 'key' | 'signal' | 'caller'> | undefined
}

async function record({ groupCommit, ownCalls }: RecordingWays, { ownCall, ...events }: EventsText) {
  if (events.count === 0) return { answer: NOTHING_RECORDED, isNew: true }
  // Its parts would fit into calls of their own, but not all ways of recording make parts.
  if (events.json.length > BODY_BYTES_MAX) throw new DecidedError('too_large', TOO_LARGE)
  return ownCall === undefined
    ? { answer: await groupCommit.record(events), isNew: true }
    : ownCalls.record({ ...events, ...ownCall, body: bodyOf(events) })
}

function submit({ groupSubmit, ownCalls }: RecordingWays, { ownCall, ...events }: EventsText): Promise<string> {
  const body = bodyOf(events)
  // Checked here, because the caller has its answer before the handler checks it.
  if (body.length > BODY_BYTES_MAX) throw new DecidedError('too_large', TOO_LARGE)
  return ownCall === undefined ? groupSubmit.record(events) : ownCalls.submit({ ...events, ...ownCall, body })
}

function bodyOf({ kind, json }: Pick<EventsText, 'kind' | 'json'>): EventsBody {
  return bodyOfItems([json], KINDS[kind].list)
}

/** RFC 7240: preferences are a list, in one header or several. */
function prefersAsync({ headers: { prefer } }: FastifyRequest): boolean {
  const preferences = [prefer ?? []].flat().join(',').split(',')
  return preferences.some((preference) => preference.split(';')[0]!.trim().toLowerCase() === 'respond-async')
}
