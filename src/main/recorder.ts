import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { analyticApi } from '../contract/services.ts'
import type { RecordInteractions } from '../gateway/interaction-routes.ts'
import { contextOfRequest, inFlushSpan, traceHeaders } from '../gateway/tracing.ts'

const RECORD_MS_MAX = 10_000

/**
 * Hands batches to Restate. The idempotency key makes the client's own retries safe: Restate runs the call once. The
 * deadline is one for all of them; a `timeout` would be each attempt's.
 */
export function recorder(ingressUrl: string, deadlineMs = RECORD_MS_MAX): RecordInteractions {
  const analytic = clients.connect({ url: ingressUrl, retry: true }).client(analyticApi)
  return (request) =>
    inFlushSpan([contextOfRequest()], { 'footfall.events': request.interactions.length }, () =>
      analytic.CreateInteraction(
        request,
        clients.rpc.opts({
          idempotencyKey: randomUUID(),
          signal: AbortSignal.timeout(deadlineMs),
          headers: traceHeaders(),
        }),
      ),
    )
}
