import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as clients from '@restatedev/restate-sdk-clients'
import type { CreateInteractionRequest, CreateInteractionResponse } from '../contract/interaction.ts'
import type { RecordSearchesRequest } from '../contract/search.ts'
import { analyticApi } from '../contract/services.ts'
import { traceHeaders } from './tracing.ts'

const RECORD_MS_MAX = 10_000

/** A CreateInteractionRequest or a RecordSearchesRequest as JSON. */
export type EventsBody = Buffer

/** What a request brings, by the name of its list. */
export type ListName = 'interactions' | 'searches'

/** The body of a request with these items, given as JSON with commas between them. */
export function bodyOfItems(items: readonly string[], list: ListName = 'interactions'): EventsBody {
  return Buffer.from(`{"${list}":[${items.join(',')}]}`)
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
  list: ListName
  /** How long an answer is waited for, retries included. */
  deadlineMs: number
  /** Resolves when the events are recorded. */
  record: (body: EventsBody, options?: CallOptions) => Promise<CreateInteractionResponse>
  /** Resolves as soon as Restate has the events; `isNew` is false when it had a call with this key before. */
  submit: (body: EventsBody, options?: CallOptions) => Promise<{ invocationId: string; isNew: boolean }>
}

/** The deadline is one for all attempts of a call; a `timeout` would be each attempt's. */
export function recorder(ingressUrl: string, deadlineMs = RECORD_MS_MAX, list: ListName = 'interactions'): Recorder {
  const ingress = clients.connect({ url: ingressUrl, retry: true })
  const analytic = ingress.client(analyticApi)
  const sending = ingress.sendClient(analyticApi)
  const optionsOf = ({ idempotencyKey = randomUUID(), signal = AbortSignal.timeout(deadlineMs) }: CallOptions = {}) => ({
    idempotencyKey,
    signal,
    headers: traceHeaders(),
  })
  return {
    list,
    deadlineMs,
    record: (body, options) => {
      const common = optionsOf(options)
      if (list === 'searches')
        return analytic.RecordSearches(NO_SEARCHES, clients.rpc.opts({ ...common, input: given(body, NO_SEARCHES) }))
      return analytic.CreateInteraction(NO_EVENTS, clients.rpc.opts({ ...common, input: given(body, NO_EVENTS) }))
    },
    submit: async (body, options) => {
      const common = optionsOf(options)
      const { invocationId, status } =
        list === 'searches'
          ? await sending.RecordSearches(NO_SEARCHES, clients.rpc.sendOpts({ ...common, input: given(body, NO_SEARCHES) }))
          : await sending.CreateInteraction(NO_EVENTS, clients.rpc.sendOpts({ ...common, input: given(body, NO_EVENTS) }))
      return { invocationId, isNew: status === 'Accepted' }
    },
  }
}

/** Each stands for an input that is JSON already. */
const NO_EVENTS: CreateInteractionRequest = { interactions: [] }
const NO_SEARCHES: RecordSearchesRequest = { searches: [] }

function given<Request>(body: EventsBody, request: Request): clients.Serde<Request> {
  return { contentType: 'application/json', serialize: () => body, deserialize: () => request }
}
