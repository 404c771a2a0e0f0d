import { type Context, context, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api'
import type { Statement, StoreObserver } from '../../store/database/connection.ts'

/**
 * Makes a span for each ended statement of a traced request or step. Statements outside of both, e.g. of a probe, get no span, because
 * each would be a trace of its own.
 */
export function statementSpans(tracer: Tracer): NonNullable<StoreObserver['queried']> {
  return (statement) => {
    const parent = context.active()
    if (trace.getSpan(parent)?.isRecording()) addSpan(tracer, parent, statement)
  }
}

function addSpan(tracer: Tracer, parent: Context, { text, seconds, error }: Statement): void {
  const endTime = Date.now()
  const attributes = { 'db.system.name': 'postgresql', 'db.query.text': text.replace(/\s+/g, ' ').trim() }
  const options = { kind: SpanKind.CLIENT, startTime: endTime - seconds * 1_000, attributes }
  const span = tracer.startSpan(summaryOf(text), options, parent)
  if (error !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR })
    // Without the message, because PostgreSQL quotes values in it.
    if (error instanceof Error && 'code' in error) span.setAttribute('db.response.status_code', String(error.code))
  }
  span.end(endTime)
}

/** What a statement writes, or else reads, e.g. "update interaction_batch, insert product_hour, product_popularity", "begin". */
export function summaryOf(text: string): string {
  const tables = Map.groupBy(text.matchAll(/(?:^|[()])\s*(insert into|update|delete from)\s+"?(\w+)/g), ([, write]) => write)
  if (tables.size > 0) {
    const clauses = Array.from(tables, ([write, matches]) => {
      const names = matches.map(([, , table]) => table).join(', ')
      return `${write!.split(' ')[0]} ${names}`
    })
    return clauses.join(', ')
  }
  const [verb = 'statement'] = /\w+/.exec(text) ?? []
  const from = /\bfrom\s+"?(\w+)/.exec(text)?.[1]
  return from === undefined ? verb : `select ${from}`
}
