import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { fastify, type FastifyInstance } from 'fastify'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { contextOfRequest, inFlushSpan, traceRequests } from '../../src/gateway/http/tracing.ts'
import { summaryOf } from '../../src/main/tracing/statement-spans.ts'
import { traceHeaders } from '../../src/ingress/trace-headers.ts'

const exporter = new InMemorySpanExporter()
beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  // Only traces of callers that ask for one; other requests stand for those outside the sampling ratio.
  const sampler = new ParentBasedSampler({ root: new AlwaysOffSampler() })
  trace.setGlobalTracerProvider(new TracerProvider({ sampler, spanProcessors: [new SimpleSpanProcessor({ exporter })] }))
})

let app: FastifyInstance
beforeEach(() => {
  exporter.reset()
  app = fastify()
  traceRequests(app)
})
afterEach(() => app.close())

const traceIdOf = (n: number) => n.toString(16).padStart(32, '0')
const callerOf = (n: number) => `00-${traceIdOf(n)}-b7ad6b7169203331-01`
const spansNamed = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name)

test('concurrent handlers run in the spans of their own requests, bodies included', async () => {
  app.post('/api/:id', async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return traceHeaders()
  })
  app.get('/health', async () => traceHeaders())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const post = async (n: number) => {
    const headers = { traceparent: callerOf(n), 'content-type': 'application/json' }
    const answer = await fetch(`${url}/api/${n}`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ long: 'x'.repeat(100_000) }),
    })
    return ((await answer.json()) as { traceparent: string }).traceparent.split('-')[1]
  }
  const numbers = Array.from({ length: 20 }, (_, n) => n + 1)
  expect(await Promise.all(numbers.map(post))).toEqual(numbers.map(traceIdOf))
  expect(await (await fetch(`${url}/health`, { headers: { traceparent: callerOf(99) } })).json()).toEqual({})
  expect(spansNamed('POST /api/:id')).toHaveLength(20)
  expect(exporter.getFinishedSpans()).toHaveLength(20)
})

test('the flush of several requests is in the trace of the first sampled one, linked to all', async () => {
  const parents = [undefined, 1, 2, undefined, 3].map((n) => {
    const caller = n === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, { traceparent: callerOf(n) })
    return trace.setSpan(caller, trace.getTracer('test').startSpan('request', {}, caller))
  })
  const answer = await inFlushSpan(parents, { events: 7 }, async () => traceHeaders())
  for (const parent of parents) trace.getSpan(parent)!.end()
  const flush = spansNamed('flush')[0]!
  expect(answer['traceparent']).toBe(`00-${traceIdOf(1)}-${flush.spanContext().spanId}-01`)
  expect(flush.parentSpanContext?.spanId).toBe(trace.getSpanContext(parents[1]!)!.spanId)
  expect(flush.links.map((link) => link.context.traceId)).toEqual([traceIdOf(2), traceIdOf(3)])
  const linkedBack = spansNamed('request').filter((span) =>
    span.links.some((link) => link.context.spanId === flush.spanContext().spanId),
  )
  expect(linkedBack.map((span) => span.spanContext().traceId)).toEqual([traceIdOf(2), traceIdOf(3)])
})

test('a failed flush is a failed span, and fails its requests', async () => {
  const caller = propagation.extract(ROOT_CONTEXT, { traceparent: callerOf(1) })
  await expect(inFlushSpan([caller], {}, () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  expect(spansNamed('flush')[0]!.status).toEqual({ code: 2, message: 'away' })
  expect(contextOfRequest()).toBe(ROOT_CONTEXT)
})

test.each([
  ['begin', 'begin'],
  ['select 1', 'select'],
  ['select a, b from "product_popularity" where product_id = $1', 'select product_popularity'],
  ['select * from interaction_batch where batch_id = $1 for update', 'select interaction_batch'],
  [
    'with claimed as (\n insert into interaction_batch (a) values ($1) returning 1) select count(*) from claimed',
    'insert interaction_batch',
  ],
  [
    'with a as (update "x" set y = 1), b as (insert into y (z) values (1)) insert into z (x) values (1) on conflict (x) do update set x = 2',
    'update x, insert y, z',
  ],
  ['update interaction_batch set fed_at = now()', 'update interaction_batch'],
])('%s is called %s', (text, name) => {
  expect(summaryOf(text)).toBe(name)
})
