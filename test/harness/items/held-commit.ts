import { setImmediate as turn } from 'node:timers/promises'
import type { CreateInteractionResponse } from '../../../src/contract/interaction.ts'
import { createGroupCommit, type GroupCommitOptions } from '../../../src/gateway/recording/group-commit.ts'
import { answersOf } from '../../../src/gateway/recording/senders.ts'
import type { EventsBody } from '../../../src/ingress/recorder.ts'
import { SILENT_OBSERVER } from '../servers/silent-observer.ts'
import { watched } from '../watched.ts'

/** A call that the test answers. */
export interface Call {
  events: unknown[]
  answer: () => void
  fail: (error: Error) => void
}

export function heldCommit(changes: Partial<GroupCommitOptions<CreateInteractionResponse, CreateInteractionResponse>> = {}) {
  const calls: Call[] = []
  const send = (body: EventsBody) =>
    new Promise<{ answer: CreateInteractionResponse }>((resolve, reject) => {
      const events = eventsOf(body)
      calls.push({ events, answer: () => resolve({ answer: allAccepted(events) }), fail: reject })
    })
  const limits = { list: 'interactions', flushesMax: 4, queueEventsMax: 50_000, queueBytesMax: 10_000_000, deadlineMs: 60_000 }
  const commit = createGroupCommit({ ...limits, send, partsOf: answersOf, observer: SILENT_OBSERVER, ...changes })
  const record = (events: unknown[], connection: object = {}, caller = 'shop', fromMs = Infinity) => {
    const [json, count] = [JSON.stringify(events).slice(1, -1), events.length]
    return watched(commit.record({ json, count, caller, connection, partEnds: [{ count, length: json.length, fromMs }] }))
  }
  return { calls, commit, record }
}

/** Requests are answered in one turn of the event loop, and waiting ones are sent in the next. */
export async function nextTurn(): Promise<void> {
  await turn()
  await turn()
}

export function eventsOf(body: EventsBody): unknown[] {
  return (JSON.parse(body.toString()) as { interactions: unknown[] }).interactions
}

export function allAccepted(events: readonly unknown[]): CreateInteractionResponse {
  return { accepted: events.length, duplicates: 0, duplicate_indexes: [], rejected: [] }
}

export const many = (count: number, name: string) => Array.from({ length: count }, (_, index) => `${name}${index}`)
