import type { ReceivedSpan } from './trace-receiver.ts'

const BAR_CHARACTERS = 40

/** A trace as text: each span below its parent, with its time since the first one, its length, and a bar on the time line. */
export function waterfall(spans: readonly ReceivedSpan[]): string {
  const startMs = Math.min(...spans.map((span) => span.startMs))
  const endMs = Math.max(...spans.map((span) => span.endMs))
  const lines = inOrder(spans).map(({ span, depth, isSentOn }) => {
    const label = `${'  '.repeat(depth)}${isSentOn ? '↪ ' : ''}${span.name}${span.isError ? ' (error)' : ''}`
    const offsetMs = span.startMs - startMs
    return { label, service: span.service, offsetMs, lengthMs: span.endMs - span.startMs }
  })
  const widest = Math.max(...lines.map((line) => line.label.length))
  const perMs = BAR_CHARACTERS / (endMs - startMs || 1)
  return lines
    .map(({ label, service, offsetMs, lengthMs }) => {
      const from = Math.min(BAR_CHARACTERS - 1, Math.floor(offsetMs * perMs))
      const bar = ' '.repeat(from) + '█'.repeat(Math.max(1, Math.min(BAR_CHARACTERS - from, Math.round(lengthMs * perMs))))
      const times = `${offsetMs.toFixed(1).padStart(7)} ${lengthMs.toFixed(1).padStart(7)} ms`
      return `${label.padEnd(widest)}  ${service.padEnd(17)} ${times} │${bar.padEnd(BAR_CHARACTERS)}│`
    })
    .join('\n')
}

interface Placed {
  span: ReceivedSpan
  depth: number
  /** It is below a span that it is linked to: a one-way send begins a trace of its own. */
  isSentOn: boolean
}

/** Parents before their children, siblings by time. A span whose parent was not received begins a tree of its own. */
function inOrder(spans: readonly ReceivedSpan[]): Placed[] {
  const known = new Set(spans.map((span) => span.spanId))
  const sorted = spans.toSorted((one, other) => one.startMs - other.startMs || one.endMs - other.endMs)
  const aboveOf = ({ parentSpanId, links }: ReceivedSpan) =>
    [parentSpanId, ...links.map((link) => link.spanId)].find((id) => known.has(id))
  const below = (parent: string | undefined, depth: number): Placed[] =>
    sorted
      .filter((span) => aboveOf(span) === parent)
      .flatMap((span) => {
        const isSentOn = parent !== undefined && span.parentSpanId !== parent
        return [{ span, depth, isSentOn }, ...below(span.spanId, depth + 1)]
      })
  return below(undefined, 0)
}
