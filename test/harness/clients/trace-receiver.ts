import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeTraces } from './otlp-protobuf.ts'

/** A span as it arrived, from any process. Ids are hexadecimal, times in milliseconds. */
export interface ReceivedSpan {
  traceId: string
  spanId: string
  /** Empty when it has none. */
  parentSpanId: string
  name: string
  /** The process that made it. */
  service: string
  startMs: number
  endMs: number
  attributes: Record<string, string | number | boolean>
  links: { traceId: string; spanId: string }[]
  isError: boolean
}

export interface TraceReceiver {
  /** The value for OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string
  spans: ReceivedSpan[]
  stop: () => Promise<void>
}

/** Receives OTLP over HTTP: JSON from our processes, Protocol Buffers from Restate. */
export async function startTraceReceiver(): Promise<TraceReceiver> {
  const spans: ReceivedSpan[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const isJson = request.headers['content-type']?.includes('json') ?? false
      if (request.url === '/v1/traces') spans.push(...(isJson ? spansOfJson(body) : decodeTraces(body)))
      response.writeHead(200, { 'content-type': request.headers['content-type'] }).end(isJson ? '{}' : '')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stop = async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${port}`, spans, stop }
}

interface JsonValue {
  stringValue?: string
  intValue?: string | number
  doubleValue?: number
  boolValue?: boolean
}

interface JsonAttribute {
  key: string
  value: JsonValue
}

interface JsonSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes?: JsonAttribute[]
  links?: { traceId: string; spanId: string }[]
  status?: { code?: number }
}

interface JsonTraces {
  resourceSpans: { resource: { attributes: JsonAttribute[] }; scopeSpans: { spans: JsonSpan[] }[] }[]
}

function spansOfJson(body: Buffer): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(body.toString()) as JsonTraces
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(attributesOf(resource.attributes)['service.name'])
    return scopeSpans.flatMap((scope) => scope.spans).map((span) => spanOfJson(service, span))
  })
}

function spanOfJson(service: string, span: JsonSpan): ReceivedSpan {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId ?? '',
    name: span.name,
    service,
    startMs: Number(span.startTimeUnixNano) / 1e6,
    endMs: Number(span.endTimeUnixNano) / 1e6,
    attributes: attributesOf(span.attributes ?? []),
    links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
    isError: span.status?.code === 2,
  }
}

function attributesOf(list: readonly JsonAttribute[]): ReceivedSpan['attributes'] {
  const entries = list.map(({ key, value }) => [
    key,
    value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue),
  ])
  return Object.fromEntries(entries) as ReceivedSpan['attributes']
}
