import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Its spans do nothing unless a tracer was registered at the start of the process. */
const tracer = trace.getTracer('footfall-gateway')

/** Probes and scrapes are not traced: they come every few seconds and show nothing. */
const TRACED_PREFIX = '/api/'

/** OpenTelemetry's default limit for a span. */
const LINKS_MAX = 128

interface Traced {
  span: Span
  context: Context
}

/**
 * Runs the work of each request in a span of its own, below the caller's when it sends a traceparent. The context is
 * entered before the handler and not when the request arrives, because the events of reading the body would leave it.
 */
export function traceRequests(app: FastifyInstance): void {
  const traced = new WeakMap<FastifyRequest, Traced>()

  app.addHook('onRequest', (request, _reply, done) => {
    if (request.url.startsWith(TRACED_PREFIX)) traced.set(request, startRequestSpan(request))
    done()
  })

  app.addHook('preHandler', (request, _reply, done) => {
    const here = traced.get(request)
    if (here === undefined) done()
    else context.with(here.context, done)
  })

  app.addHook('onResponse', (request, reply, done) => {
    const span = traced.get(request)?.span
    span?.setAttribute('http.response.status_code', reply.statusCode)
    if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR })
    span?.end()
    done()
  })

  app.addHook('onRequestAbort', (request, done) => {
    traced.get(request)?.span.setStatus({ code: SpanStatusCode.ERROR, message: 'the caller hung up' }).end()
    done()
  })
}

/** Names the span by the route's pattern, because names and attributes must have few values, and no ids. */
function startRequestSpan(request: FastifyRequest): Traced {
  const route = request.routeOptions.url
  const parent = propagation.extract(context.active(), request.headers)
  const attributes: Attributes = { 'http.request.method': request.method, 'footfall.request_id': request.id }
  if (route !== undefined) attributes['http.route'] = route
  const span = tracer.startSpan(`${request.method} ${route ?? 'unknown'}`, { kind: SpanKind.SERVER, attributes }, parent)
  return { span, context: trace.setSpan(parent, span) }
}

/** The context of a request, for the flush that will send its events. */
export function contextOfRequest(): Context {
  return context.active()
}

/**
 * Runs the call with the events of one or more requests in a span. It is a child of the first sampled request's span, with links to the
 * others and back, so that each request's trace leads to the flush that recorded it.
 */
export async function inFlushSpan<T>(parents: readonly Context[], attributes: Attributes, work: () => Promise<T>): Promise<T> {
  const first = parents.find(isSampled) ?? parents[0] ?? context.active()
  const others = parents.filter((parent) => parent !== first && isSampled(parent)).slice(0, LINKS_MAX)
  const links = others.map((other) => ({ context: trace.getSpanContext(other)! }))
  return tracer.startActiveSpan('flush', { kind: SpanKind.CLIENT, attributes, links }, first, async (span) => {
    for (const other of others) trace.getSpan(other)?.addLink({ context: span.spanContext() })
    try {
      return await work()
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) })
      throw error
    } finally {
      span.end()
    }
  })
}

function isSampled(parent: Context): boolean {
  return ((trace.getSpanContext(parent)?.traceFlags ?? TraceFlags.NONE) & TraceFlags.SAMPLED) !== 0
}
