import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { CALLBACKS_MAX, type RecordPaymentResponse, type RecordPaymentsResponse } from '../../contract/payment.ts'
import { analyticApi } from '../../contract/services.ts'
import type { EventWriterOptions } from './event-writer.ts'
import { createGroupCommit, type GroupCommit } from './group-commit.ts'
import { JSON_INPUT } from '../../ingress/json-input.ts'
import type { EventsBody } from '../../ingress/recorder.ts'
import { traceHeaders } from '../../ingress/trace-headers.ts'

/** Records the callbacks of a request. @returns what became of each, in their order. */
export type RecordPayments = GroupCommit<readonly RecordPaymentResponse[]>

const RECORD_MS_MAX = 10_000

/** Gathers what many requests bring into durable calls. The client's own retries are safe: all carry the same idempotency key. */
export function createPaymentWriter({ ingressUrl, deadlineMs = RECORD_MS_MAX, ...rest }: EventWriterOptions): RecordPayments {
  const analytic = clients.connect({ url: ingressUrl, retry: true }).client(analyticApi)
  const send = async (body: EventsBody) => {
    const options = {
      idempotencyKey: randomUUID(),
      signal: AbortSignal.timeout(deadlineMs),
      headers: traceHeaders(),
      input: JSON_INPUT,
    }
    return { answer: await analytic.RecordPayments(body as never, clients.rpc.opts(options)) }
  }
  return createGroupCommit({ ...rest, list: 'callbacks', flushEventsMax: CALLBACKS_MAX, deadlineMs, send, partsOf: resultsOf })
}

function resultsOf(group: readonly { count: number }[], { results }: RecordPaymentsResponse): RecordPaymentResponse[][] {
  let end = 0
  return group.map(({ count }) => {
    end += count
    return results.slice(end - count, end)
  })
}
