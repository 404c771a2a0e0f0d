import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino'

/** Messages, stacks and fields of errors may have the text of a caller, of a database, or of an adapter. */
const TEXT_CHARACTERS_MAX = 2_000
const ENTRIES_MAX = 30
const DEPTH_MAX = 4

/** What waits in memory while stdout takes nothing, e.g. because its disk is full. Further lines are dropped. */
const WAITING_BYTES_MAX = 1024 * 1024

/** The log of a process, as JSON lines on stdout. A line is bounded, whatever is logged. */
export function createLog(name: string, level: string, stream: DestinationStream = standardOutput()): Logger {
  return pino(
    {
      name,
      level,
      serializers: { err: (error: unknown) => bounded(error instanceof Error ? stdSerializers.err(error) : error) },
      formatters: { log: (fields) => bounded(fields) as Record<string, unknown> },
      hooks: {
        logMethod(args, method) {
          method.apply(this, args.map((arg) => (typeof arg === 'string' ? cut(arg) : arg)) as Parameters<typeof method>)
        },
      },
    },
    stream,
  )
}

/** A full disk must not end the process: it goes on without a log, and writes again when there is space. */
function standardOutput(): DestinationStream {
  const destination = pino.destination({ fd: process.stdout.fd, sync: true, maxLength: WAITING_BYTES_MAX })
  destination.on('error', () => undefined)
  return destination
}

function cut(text: string): string {
  return text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, TEXT_CHARACTERS_MAX).toWellFormed()}…` : text
}

/** A copy without what is too long, too deep or too many. Errors stay, because the serializer reads them. */
function bounded(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return cut(value)
  if (typeof value !== 'object' || value === null || value instanceof Error || value instanceof Date) return value
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  if (depth === DEPTH_MAX) return '…'
  if (Array.isArray(value)) return value.slice(0, ENTRIES_MAX).map((each) => bounded(each, depth + 1))
  const entries = Object.entries(value).slice(0, ENTRIES_MAX)
  return Object.fromEntries(entries.map(([key, each]) => [cut(key), bounded(each, depth + 1)]))
}
