import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import type { CreateInteractionResponse } from '../contract/interaction.ts'
import { analyticApi } from '../contract/services.ts'
import { traceHeaders } from './tracing.ts'

const RECORD_MS_MAX = 10_000

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
  record: (events: unknown[], options?: CallOptions) => Promise<CreateInteractionResponse>
  /** Resolves as soon as Restate has the events; `isNew` is false when it had a call with this key before. */
  submit: (events: unknown[], options?: CallOptions) => Promise<{ invocationId: string; isNew: boolean }>
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
    record: (interactions, options) => call.CreateInteraction({ interactions }, clients.rpc.opts(optionsOf(options))),
    submit: async (interactions, options) => {
      const { invocationId, status } = await send.CreateInteraction({ interactions }, clients.rpc.sendOpts(optionsOf(options)))
      return { invocationId, isNew: status === 'Accepted' }
    },
  }
}
