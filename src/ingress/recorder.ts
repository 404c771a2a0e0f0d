import { setTimeout as sleep } from 'node:timers/promises'
import type { CreateInteractionResponse } from '../contract/interaction.ts'
import { KINDS, type KindWith } from '../contract/kinds.ts'
import { ACKNOWLEDGED_HEADER } from '../contract/recorder.ts'
import { analyticApi, recorderApi } from '../contract/services.ts'
import { KEPT_SHORT_HEADER } from '../contract/rejected.ts'
import type { CallOptions, Ingress } from './clients.ts'

/** A CreateInteractionRequest, a RecordSearchesRequest or a RecordEventsRequest as JSON. */
export type EventsBody = Buffer

/** Items as JSON with commas between them. Those of a large request are bytes, because a text of them would be copied once more. */
export type ItemsJson = string | Buffer

/** The body of a request with these items. */
export function bodyOfItems(items: readonly ItemsJson[], list: string): EventsBody {
  const [head, tail] = [`{"${list}":[`, ']}']
  if (items.every((part) => typeof part === 'string')) return Buffer.from(head + items.join(',') + tail)
  const lengthOf = (part: ItemsJson) => (typeof part === 'string' ? Buffer.byteLength(part) : part.length)
  const parts = [head, ...items.flatMap((part, index) => (index === 0 ? [part] : [',', part])), tail]
  const body = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + lengthOf(part), 0))
  let end = 0
  for (const part of parts) end += typeof part === 'string' ? body.write(part, end) : part.copy(body, end)
  return body
}

/** One call a second with a second's worth of events is a rate that Restate bears for hours. */
const PACE_MS_MAX = 1_000

/**
 * Resolves when the next respond-async call may be sent: after this one is recorded, or after 1 s. That bounds Restate's backlog, yet
 * an outage of PostgreSQL delays no caller by more than 1 s.
 */
export async function recordedOrPaced(recorded: Promise<unknown>): Promise<void> {
  const done = new AbortController()
  const late = sleep(PACE_MS_MAX, undefined, { signal: done.signal })
  await Promise.race([recorded, late]).catch(() => undefined)
  done.abort()
}

/** The kinds whose calls are answered as a whole; payments are answered one by one. */
export type BatchAnswered = KindWith<'isAnsweredAsBatch'>

export interface RecordOptions extends Omit<CallOptions, 'headers' | 'key'> {
  /** The positions of items of which little is kept when they are rejected. */
  keptShort?: readonly number[] | undefined
  /** Whether the caller is told that its events are safe as soon as Restate has the call. */
  isAcknowledged?: boolean | undefined
}

/** Hands events of one kind to Restate. The options are those of one call; a repeated call runs once. */
export interface Recorder {
  kind: BatchAnswered
  /** How long to wait for an answer, retries included. */
  deadlineMs: number
  /** Resolves when the events are recorded. */
  record: (body: EventsBody, options?: RecordOptions) => Promise<CreateInteractionResponse>
  /** Resolves as soon as Restate has the events; `isNew` is false when it had a call with this key before. */
  submit: (body: EventsBody, options?: RecordOptions) => Promise<{ invocationId: string; isNew: boolean }>
  /** The same in the inbox of a recorder, which records one call after the other. */
  submitTo: (recorder: string, body: EventsBody, options?: RecordOptions) => Promise<{ invocationId: string }>
}

export function createRecorder(ingress: Ingress, kind: BatchAnswered): Recorder {
  const { handler } = KINDS[kind]
  return {
    kind,
    deadlineMs: ingress.deadlineMs,
    record: (body, options) => ingress.callWithJson(analyticApi, handler, body, callOptions(options)),
    submit: (body, options) => ingress.sendWithJson(analyticApi, handler, body, callOptions(options)),
    submitTo: (key, body, options) => ingress.sendWithJson(recorderApi, handler, body, { key, ...callOptions(options) }),
  }
}

function callOptions({ keptShort = [], isAcknowledged, ...options }: RecordOptions = {}): CallOptions {
  const headers = {
    ...(keptShort.length > 0 && { [KEPT_SHORT_HEADER]: keptShort.join(',') }),
    ...(isAcknowledged === true && { [ACKNOWLEDGED_HEADER]: '1' }),
  }
  return { ...options, headers }
}
