import { randomBytes, randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { uuidV7 } from '../contract/event-id.ts'
import type { CancelRun, RecomputeRun, StartRun } from '../contract/recompute-run.ts'
import { recomputeRunApi } from '../contract/services.ts'
import { traceHeaders } from './trace-headers.ts'

/** Recomputations of reports: durable calls. What is refused is an HttpCallError, see `refusalOf`. */
export interface Runs {
  start: (request: StartRun) => Promise<RecomputeRun>
  cancel: (id: string, request: CancelRun) => Promise<RecomputeRun>
  status: (id: string) => Promise<RecomputeRun>
}

const ANSWER_MS_MAX = 10_000

/** The client's own retries are safe: all carry the same idempotency key, and Restate runs the call once. */
export function createRecomputeRunsClient(ingressUrl: string, deadlineMs = ANSWER_MS_MAX): Runs {
  const ingress = clients.connect({ url: ingressUrl, retry: true })
  const options = () => ({ signal: AbortSignal.timeout(deadlineMs), headers: traceHeaders() })
  const once = () => ({ ...options(), idempotencyKey: randomUUID() })
  return {
    start: (request) =>
      ingress.client(recomputeRunApi, uuidV7(Date.now(), randomBytes(10))).Start(request, clients.rpc.opts(once())),
    cancel: (id, request) => ingress.client(recomputeRunApi, id).Cancel(request, clients.rpc.opts(once())),
    status: (id) => ingress.client(recomputeRunApi, id).Status({}, clients.rpc.opts(options())),
  }
}
