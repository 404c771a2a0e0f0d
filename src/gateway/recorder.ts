import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as clients from '@restatedev/restate-sdk-clients'
import type { CreateInteractionRequest, CreateInteractionResponse } from '../contract/interaction.ts'
import { analyticApi } from '../contract/services.ts'
import { traceHeaders } from './tracing.ts'

const RECORD_MS_MAX = 10_000

/** A CreateInteractionRequest as JSON. */
export type EventsBody = Buffer

/** The body of a request with these items, given as JSON with commas between them. */
export function bodyOfItems(items: readonly string[]): EventsBody {
  return Buffer.from(`{"interactions":[${items.join(',')}]}`)
}

/** A second's worth of events in one call is a pace that Restate bears for hours. */
const PACE_MS_MAX = 1_000

/**
 * When the next call for somebody who does not wait may go: when this one is recorded, so that Restate is not filled faster than
 * it is worked off, or after a second. PostgreSQL may be away; who does not wait must not notice.
 */
export async function paced(recorded: Promise<unknown>): Promise<void> {
  const done = new AbortController()
  const late = sleep(PACE_MS_MAX, undefined, { signal: done.signal })
  await Promise.race([recorded, late]).catch(() => undefined)
  done.abort()
}

export interface CallOptions {
  /** A random one when undefined. */
  idempotencyKey?: string | undefined
  /** The deadline's when there is none. */
  signal?: AbortSignal
}

/** Hands events to Restate. Its own retries are safe: all carry the same idempotency key, and Restate runs the call once. */
export interface Recorder {
  /** How long an answer is waited for, retries included. */
  deadlineMs: number
  /** Resolves when the events are recorded. */
  record: (body: EventsBody, options?: CallOptions) => Promise<CreateInteractionResponse>
  /** Resolves as soon as Restate has the events; `isNew` is false when it had a call with this key before. */
  submit: (body: EventsBody, options?: CallOptions) => Promise<{ invocationId: string; isNew: boolean }>
}

/** The deadline is one for all attempts of a call; a `timeout` would be each attempt's. */
export function recorder(ingressUrl: string, deadlineMs = RECORD_MS_MAX): Recorder {
  const ingress = clients.connect({ url: ingressUrl, retry: true })
  const call = ingress.client(analyticApi)
  const send = ingress.sendClient(analyticApi)
  const optionsOf = ({ idempotencyKey = randomUUID(), signal = AbortSignal.timeout(deadlineMs) }: CallOptions = {}) => ({
    idempotencyKey,
    signal,
    headers: traceHeaders(),
  })
  return {
    deadlineMs,
    record: (body, options) => call.CreateInteraction(AS_IT_IS, clients.rpc.opts({ ...optionsOf(options), input: given(body) })),
    submit: async (body, options) => {
      const opts = clients.rpc.sendOpts({ ...optionsOf(options), input: given(body) })
      const { invocationId, status } = await send.CreateInteraction(AS_IT_IS, opts)
      return { invocationId, isNew: status === 'Accepted' }
    },
  }
}

/** Stands for the input, which is JSON already. */
const AS_IT_IS: CreateInteractionRequest = { interactions: [] }

function given(body: EventsBody): clients.Serde<CreateInteractionRequest> {
  return { contentType: 'application/json', serialize: () => body, deserialize: () => AS_IT_IS }
}
