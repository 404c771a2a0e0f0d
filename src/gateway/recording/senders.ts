import { randomUUID } from 'node:crypto'
import type { CreateInteractionResponse, ItemWarning, UnweightedType } from '../../contract/interaction.ts'
import { KINDS } from '../../contract/kinds.ts'
import type { RecordPaymentResponse, RecordPaymentsResponse } from '../../contract/payment.ts'
import { analyticApi } from '../../contract/services.ts'
import type { Ingress } from '../../ingress/clients.ts'
import { type EventsBody, recordedOrPaced, type Recorder } from '../../ingress/recorder.ts'
import type { RequestEvents, SendOptions } from './flush.ts'
import type { RecorderRoom } from './recorder-room.ts'

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

/**
 * Answers as soon as Restate has the events in the inbox of a recorder, if that has room. The next call still waits until they are
 * recorded, for 1 s at most.
 */
export function submissionsOf(client: Recorder, room: Pick<RecorderRoom, 'take'>) {
  return {
    send: async (body: EventsBody, { keptShort, recorder }: SendOptions) => {
      const place = await room.take(recorder, body.length)
      try {
        const { invocationId } = await client.submitTo(recorder, body, { idempotencyKey: randomUUID(), keptShort })
        return { answer: invocationId, nextAllowed: recordedOrPaced(place.sent(invocationId)) }
      } catch (error) {
        place.giveBack()
        throw error
      }
    },
    partsOf: (group: Group, invocationId: string) => group.map(() => invocationId),
    list: KINDS[client.kind].list,
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
  const { duplicate_indexes: duplicateIndexes, rejected, warnings = [], unweighted = [] } = answer
  let offset = 0
  let duplicate = 0
  let rejection = 0
  let warning = 0
  const parts = group.map(({ count }) => {
    const end = offset + count
    const part: CreateInteractionResponse = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }
    for (; duplicate < duplicateIndexes.length && duplicateIndexes[duplicate]! < end; duplicate++) {
      part.duplicate_indexes.push(duplicateIndexes[duplicate]! - offset)
    }
    for (; rejection < rejected.length && rejected[rejection]!.index < end; rejection++) {
      part.rejected.push(shifted(-offset)(rejected[rejection]!))
    }
    for (; warning < warnings.length && warnings[warning]!.index < end; warning++) {
      part.warnings ??= []
      part.warnings.push(shifted(-offset)(warnings[warning]!))
    }
    part.duplicates = part.duplicate_indexes.length
    part.accepted = count - part.duplicates - part.rejected.length
    offset = end
    return part
  })
  if (unweighted.length > 0) divideTypes(group, parts, unweighted)
  return parts
}

/** Gives each part its positions of the types without a weight. */
function divideTypes(group: Group, parts: readonly CreateInteractionResponse[], unweighted: readonly UnweightedType[]): void {
  // A flush may have as many types as requests, so the parts are not searched for each type.
  const placeOf = group.flatMap(({ count }, place) => Array<number>(count).fill(place))
  let end = 0
  const offsets = group.map(({ count }) => (end += count) - count)
  for (const { event_type: type, indexes } of unweighted) {
    for (const index of indexes) {
      const place = placeOf[index]!
      const types = (parts[place]!.unweighted ??= [])
      if (types.at(-1)?.event_type !== type) types.push({ event_type: type, indexes: [] })
      types.at(-1)!.indexes.push(index - offsets[place]!)
    }
  }
}

/** The answer to a request of several parts, with its own indexes: the inverse of answersOf. */
export function answerOf(parts: Group, answers: readonly CreateInteractionResponse[]): CreateInteractionResponse {
  const whole: CreateInteractionResponse = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }
  const warnings: ItemWarning[] = []
  const types = new Map<string, number[]>()
  let offset = 0
  for (const [place, answer] of answers.entries()) {
    whole.accepted += answer.accepted
    whole.duplicates += answer.duplicates
    for (const index of answer.duplicate_indexes) whole.duplicate_indexes.push(offset + index)
    for (const rejection of answer.rejected) whole.rejected.push(shifted(offset)(rejection))
    for (const warning of answer.warnings ?? []) warnings.push(shifted(offset)(warning))
    for (const { event_type: type, indexes } of answer.unweighted ?? []) {
      const all = types.get(type) ?? []
      types.set(type, all)
      for (const index of indexes) all.push(offset + index)
    }
    offset += parts[place]!.count
  }
  const unweighted = Array.from(types, ([event_type, indexes]) => ({ event_type, indexes }))
  return { ...whole, ...(warnings.length > 0 && { warnings }), ...(unweighted.length > 0 && { unweighted }) }
}

function shifted(offset: number) {
  return <Item extends { index: number }>(item: Item): Item => ({ ...item, index: item.index + offset })
}
