import { DecidedError } from '../../contract/decided-error.ts'
import { BODY_BYTES_MAX, type CreateInteractionResponse } from '../../contract/interaction.ts'
import { type EventsBody, recordedOrPaced, type Recorder } from '../../ingress/recorder.ts'
import type { Database } from '../../store/database/connection.ts'
import type { CallGate, GatedCall } from './call-gate.ts'
import { refuseFalseAnswer } from './first-answer.ts'
import { DIRECT, type RecorderRoom } from './recorder-room.ts'
import { TOO_LARGE } from './unknown-outcome.ts'

/** A request that is sent as a durable call of its own, because it has an idempotency key. */
export interface OwnCall extends GatedCall {
  body: EventsBody
  key: string
  /** The positions of items of which little is kept when they are rejected. */
  keptShort?: readonly number[] | undefined
}

export interface OwnCalls {
  /** Resolves when the events are recorded, once for the key. `isNew` is false when it was used before. */
  record: (call: OwnCall) => Promise<{ answer: CreateInteractionResponse; isNew: boolean }>
  /** Resolves to the invocation as soon as Restate has the events. */
  submit: (call: OwnCall) => Promise<string>
}

export interface OwnCallDeps {
  db: Database
  recorder: Recorder
  /** For callers that wait for the outcome. */
  gate: CallGate
  /** For respond-async callers: nothing else limits their rate. */
  submitGate: CallGate
  room: Pick<RecorderRoom, 'take'>
}

export function createOwnCalls({ db, recorder, gate, submitGate, room }: OwnCallDeps): OwnCalls {
  /** All calls of a request share one deadline. */
  const begin = async ({ body, key, keptShort }: OwnCall) => {
    const signal = AbortSignal.timeout(recorder.deadlineMs)
    // Never refused, because Restate would answer the key with the refusal for an hour.
    const options = { signal, idempotencyKey: key, keptShort, isAcknowledged: true }
    const place = await room.take(DIRECT, body.length)
    const { invocationId, isNew } = await recorder.submit(body, options).catch((error: unknown) => {
      place.giveBack()
      throw error
    })
    const answer = async () => {
      const recorded = await recorder.record(body, options).catch((error: unknown) => {
        void place.sent(invocationId)
        throw error
      })
      place.giveBack()
      if (!isNew) await refuseFalseAnswer(db, invocationId, body)
      return recorded
    }
    return { invocationId, isNew, answer }
  }

  return {
    record: (call) =>
      withinLimit(call, gate, async () => {
        const { isNew, answer } = await begin(call)
        return { answer: await answer(), isNew }
      }),
    submit: (call) => {
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      withinLimit(call, submitGate, async () => {
        const { invocationId, isNew, answer } = await begin(call)
        // The body of the first call is known only when that call has ended.
        if (!isNew) await answer()
        resolve(invocationId)
        if (isNew) await recordedOrPaced(answer())
      }).catch(reject)
      return promise
    },
  }
}

/** The handler checks the size too, but after a respond-async caller has its answer. */
async function withinLimit<T>(call: OwnCall, gate: CallGate, work: () => Promise<T>): Promise<T> {
  if (call.body.length > BODY_BYTES_MAX) throw new DecidedError('too_large', TOO_LARGE)
  return gate(call, work)
}
