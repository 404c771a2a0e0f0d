import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as clients from '@restatedev/restate-sdk-clients'
import type { CreateInteractionResponse } from '../contract/interaction.ts'
import { type Kind, KINDS } from '../contract/kinds.ts'
import { analyticApi } from '../contract/services.ts'
import { JSON_INPUT } from './json-input.ts'
import { traceHeaders } from './trace-headers.ts'

const RECORD_MS_MAX = 10_000

/** A CreateInteractionRequest, a RecordSearchesRequest or a RecordEventsRequest as JSON. */
export type EventsBody = Buffer

/** The body of a request with these items, given as JSON with commas between them. */
export function bodyOfItems(items: readonly string[], list: string): EventsBody {
  return Buffer.from(`{"${list}":[${items.join(',')}]}`)
}

/** A second's worth of events in one call is a pace that Restate bears for hours. */
const PACE_MS_MAX = 1_000

/**
 * When the next call for somebody who does not wait may go: when this one is recorded, so that Restate is not filled faster than
 * it is worked off, or after a second. PostgreSQL may be away; who does not wait must not notice.
 */
export async function recordedOrPaced(recorded: Promise<unknown>): Promise<void> {
  const done = new AbortController()
  const late = sleep(PACE_MS_MAX, undefined, { signal: done.signal })
  await Promise.race([recorded, late]).catch(() => undefined)
  done.abort()
}

/** The kinds whose calls are answered as a whole; payments are answered one by one. */
export type BatchAnswered = Exclude<Kind, 'payment'>

export interface CallOptions {
  /** A random one when undefined. */
  idempotencyKey?: string | undefined
  /** The deadline's when there is none. */
  signal?: AbortSignal
}

/** Hands events to Restate. Its own retries are safe: all carry the same idempotency key, and Restate runs the call once. */
export interface Recorder {
  kind: BatchAnswered
  /** How long an answer is waited for, retries included. */
  deadlineMs: number
  /** Resolves when the events are recorded. */
  record: (body: EventsBody, options?: CallOptions) => Promise<CreateInteractionResponse>
  /** Resolves as soon as Restate has the events; `isNew` is false when it had a call with this key before. */
  submit: (body: EventsBody, options?: CallOptions) => Promise<{ invocationId: string; isNew: boolean }>
}

/** The deadline is one for all attempts of a call; a `timeout` would be each attempt's. */
export function createRecorder(ingressUrl: string, deadlineMs = RECORD_MS_MAX, kind: BatchAnswered = 'interaction'): Recorder {
  const ingress = clients.connect({ url: ingressUrl, retry: true })
  const analytic = ingress.client(analyticApi)
  const sending = ingress.sendClient(analyticApi)
  const optionsOf = ({ idempotencyKey = randomUUID(), signal = AbortSignal.timeout(deadlineMs) }: CallOptions = {}) => ({
    idempotencyKey,
    signal,
    headers: traceHeaders(),
    input: JSON_INPUT,
  })
  return {
    kind,
    deadlineMs,
    record: (body, options) => analytic[KINDS[kind].handler](body as never, clients.rpc.opts(optionsOf(options))),
    submit: async (body, options) => {
      const { invocationId, status } = await sending[KINDS[kind].handler](body as never, clients.rpc.sendOpts(optionsOf(options)))
      return { invocationId, isNew: status === 'Accepted' }
    },
  }
}
