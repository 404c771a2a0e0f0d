import { randomUUID } from 'node:crypto'
import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import { KINDS } from '../../contract/kinds.ts'
import type { RecordPaymentResponse, RecordPaymentsResponse } from '../../contract/payment.ts'
import { analyticApi } from '../../contract/services.ts'
import type { Ingress } from '../../ingress/clients.ts'
import { type EventsBody, recordedOrPaced, type Recorder, type RecordOptions } from '../../ingress/recorder.ts'
import type { RequestEvents } from './flush.ts'

type SendOptions = Pick<RecordOptions, 'keptShort'>
type Group = readonly Pick<RequestEvents, 'count'>[]

/** Records the events, and answers when they are recorded. */
export function recordsOf(recorder: Recorder) {
  return {
    send: async (body: EventsBody, { keptShort }: SendOptions) => ({ answer: await recorder.record(body, { keptShort }) }),
    partsOf: answersOf,
    wholeOf: answerOf,
    list: KINDS[recorder.kind].list,
  }
}

/** Answers as soon as Restate has the events. The next call still waits until they are recorded, for 1 s at most. */
export function submissionsOf(recorder: Recorder) {
  return {
    send: async (body: EventsBody, { keptShort }: SendOptions) => {
      const options = { idempotencyKey: randomUUID(), keptShort }
      const { invocationId } = await recorder.submit(body, options)
      return { answer: invocationId, nextAllowed: recordedOrPaced(recorder.record(body, options)) }
    },
    partsOf: (group: Group, invocationId: string) => group.map(() => invocationId),
    list: KINDS[recorder.kind].list,
  }
}

/** Records payment callbacks, and answers each of them on its own. */
export function paymentsOf(ingress: Ingress) {
  return {
    send: async (body: EventsBody) => ({ answer: await ingress.callWithJson(analyticApi, KINDS.payment.handler, body) }),
    partsOf: resultsOf,
    list: KINDS.payment.list,
  }
}

function resultsOf(group: Group, { results }: RecordPaymentsResponse): RecordPaymentResponse[][] {
  let end = 0
  return group.map(({ count }) => {
    end += count
    return results.slice(end - count, end)
  })
}

/** Each request's part of the answer to a flush, with indexes of that request. */
export function answersOf(group: Group, answer: CreateInteractionResponse): CreateInteractionResponse[] {
  const { duplicate_indexes: duplicateIndexes, rejected } = answer
  let offset = 0
  let duplicate = 0
  let rejection = 0
  return group.map(({ count }) => {
    const end = offset + count
    const part: CreateInteractionResponse = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }
    for (; duplicate < duplicateIndexes.length && duplicateIndexes[duplicate]! < end; duplicate++) {
      part.duplicate_indexes.push(duplicateIndexes[duplicate]! - offset)
    }
    for (; rejection < rejected.length && rejected[rejection]!.index < end; rejection++) {
      part.rejected.push({ ...rejected[rejection]!, index: rejected[rejection]!.index - offset })
    }
    part.duplicates = part.duplicate_indexes.length
    part.accepted = count - part.duplicates - part.rejected.length
    offset = end
    return part
  })
}

/** The answer to a request of several parts, with its own indexes: the inverse of answersOf. */
export function answerOf(parts: Group, answers: readonly CreateInteractionResponse[]): CreateInteractionResponse {
  const whole: CreateInteractionResponse = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }
  let offset = 0
  for (const [place, answer] of answers.entries()) {
    whole.accepted += answer.accepted
    whole.duplicates += answer.duplicates
    for (const index of answer.duplicate_indexes) whole.duplicate_indexes.push(offset + index)
    for (const rejection of answer.rejected) whole.rejected.push({ ...rejection, index: offset + rejection.index })
    offset += parts[place]!.count
  }
  return whole
}
