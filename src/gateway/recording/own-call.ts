import { DecidedError } from '../../contract/decided-error.ts'
import { BODY_BYTES_MAX, type CreateInteractionResponse } from '../../contract/interaction.ts'
import { callOf, isOtherBody } from '../../store/log/call.ts'
import type { Database } from '../../store/database/connection.ts'
import type { CallGate } from './call-gate.ts'

import { type EventsBody, recordedOrPaced, type Recorder } from '../../ingress/recorder.ts'

/** A request that is a durable call of its own, because it has an idempotency key or does not wait for the outcome. */
export interface OwnCall {
  body: EventsBody
  /** Undefined when the caller has none. */
  key: string | undefined
}

export interface OwnCalls {
  /** Resolves when the events are recorded, once for the key. `isNew` is false when it was used before. */
  record: (call: OwnCall) => Promise<{ answer: CreateInteractionResponse; isNew: boolean }>
  /** Resolves to the invocation as soon as Restate has the events. */
  submit: (call: OwnCall) => Promise<string>
}

export const TOO_LARGE = `the body and the event ids that it lacks are over ${BODY_BYTES_MAX} bytes: send fewer at once`

export interface OwnCallDeps {
  db: Database
  recorder: Recorder
  /** For those who wait for the outcome. */
  gate: CallGate
  /** For those who do not: nobody but this slows them down. */
  submitGate: CallGate
}

export function createOwnCalls({ db, recorder, gate, submitGate }: OwnCallDeps): OwnCalls {
  /** One deadline for all that a request asks for. */
  const begin = async ({ body, key }: OwnCall) => {
    const signal = AbortSignal.timeout(recorder.deadlineMs)
    const options = { signal, idempotencyKey: key }
    const { invocationId, isNew } = await recorder.submit(body, options)
    const answer = async () => {
      const recorded = await recorder.record(body, options)
      if (!isNew) await refuseOtherBody(db, invocationId, body)
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
        // Only the end of the first call tells whether this is the same one.
        if (!isNew) await answer()
        resolve(invocationId)
        if (isNew) await recordedOrPaced(answer())
      }).catch(reject)
      return promise
    },
  }
}

/** The handler would refuse it too, but nobody may be listening then. */
async function withinLimit<T>({ body }: OwnCall, gate: CallGate, work: () => Promise<T>): Promise<T> {
  if (body.length > BODY_BYTES_MAX) throw new DecidedError('too_large', TOO_LARGE)
  return gate(body.length, work)
}

/**
 * Restate gives a used key its first answer without looking at the body: events of another body would be lost in silence.
 * After a change of the privacy settings an honest repetition is another body too, as long as the key is remembered.
 */
async function refuseOtherBody(db: Database, invocationId: string, body: EventsBody): Promise<void> {
  if (!(await isOtherBody(db, callOf(invocationId, body)))) return
  throw new DecidedError('conflict', 'the Idempotency-Key was used with another body', { details: { id: invocationId } })
}
