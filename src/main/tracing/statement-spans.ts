import { type Context, context, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api'
import type { Statement, StoreObserver } from '../../store/database/connection.ts'

/**
 * A span for each statement of a traced request or step, made when it has ended. What is asked outside of one, as by a
 * probe, gets none: it would be a trace of its own.
 */
export function statementSpans(tracer: Tracer): NonNullable<StoreObserver['queried']> {
  return (statement) => {
    const here = context.active()
    if (trace.getSpan(here)?.isRecording()) addSpan(tracer, here, statement)
  }
}

function addSpan(tracer: Tracer, parent: Context, { text, seconds, error }: Statement): void {
  const endTime = Date.now()
  const attributes = { 'db.system.name': 'postgresql', 'db.query.text': text.replace(/\s+/g, ' ').trim() }
  const options = { kind: SpanKind.CLIENT, startTime: endTime - seconds * 1_000, attributes }
  const span = tracer.startSpan(summaryOf(text), options, parent)
  if (error !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR })
    // Not the message: PostgreSQL quotes values in it.
    if (error instanceof Error && 'code' in error) span.setAttribute('db.response.status_code', String(error.code))
  }
  span.end(endTime)
}

/** What a statement writes, or else reads: "update interaction_batch, insert product_hour, product_popularity", "begin". */
export function summaryOf(text: string): string {
  const tables = Map.groupBy(text.matchAll(/(?:^|[()])\s*(insert into|update|delete from)\s+"?(\w+)/g), ([, write]) => write)
  if (tables.size > 0) {
    return Array.from(tables, ([write, of]) => `${write!.split(' ')[0]} ${of.map(([, , table]) => table).join(', ')}`).join(', ')
  }
  const [verb = 'statement'] = /\w+/.exec(text) ?? []
  const from = /\bfrom\s+"?(\w+)/.exec(text)?.[1]
  return from === undefined ? verb : `select ${from}`
}
