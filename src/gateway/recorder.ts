import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import type { CreateInteractionResponse } from '../contract/interaction.ts'
import { analyticApi } from '../contract/services.ts'
import { traceHeaders } from './tracing.ts'

const RECORD_MS_MAX = 10_000

/** Hands events to Restate. Its own retries are safe: all carry the same idempotency key, and Restate runs the call once. */
export interface Recorder {
  /** How long an answer is waited for, retries included. */
  deadlineMs: number
  /** Resolves when the events are recorded. */
  record: (events: unknown[], idempotencyKey?: string) => Promise<CreateInteractionResponse>
  /** Resolves as soon as Restate has the events; `isNew` is false when it had a call with this key before. */
  submit: (events: unknown[], idempotencyKey?: string) => Promise<{ invocationId: string; isNew: boolean }>
}

/** The deadline is one for all attempts of a call; a `timeout` would be each attempt's. */
export function recorder(ingressUrl: string, deadlineMs = RECORD_MS_MAX): Recorder {
  const ingress = clients.connect({ url: ingressUrl, retry: true })
  const call = ingress.client(analyticApi)
  const send = ingress.sendClient(analyticApi)
  const optionsOf = (idempotencyKey: string = randomUUID()) => ({
    idempotencyKey,
    signal: AbortSignal.timeout(deadlineMs),
    headers: traceHeaders(),
  })
  return {
    deadlineMs,
    record: (interactions, idempotencyKey) =>
      call.CreateInteraction({ interactions }, clients.rpc.opts(optionsOf(idempotencyKey))),
    submit: async (interactions, idempotencyKey) => {
      const { invocationId, status } = await send.CreateInteraction(
        { interactions },
        clients.rpc.sendOpts(optionsOf(idempotencyKey)),
      )
      return { invocationId, isNew: status === 'Accepted' }
    },
  }
}
