import { context, propagation } from '@opentelemetry/api'

/** The headers that make the called side's spans children of the active one; none when nothing is traced. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {}
  propagation.inject(context.active(), headers)
  return headers
}
