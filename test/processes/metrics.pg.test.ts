import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { expect, vi } from 'vitest'
import { backlogMetrics } from '../../src/main/metrics/backlog.ts'
import { poolMetrics } from '../../src/main/metrics/pools.ts'
import { statementSpans } from '../../src/main/tracing/statement-spans.ts'
import { type Backlog, backlog } from '../../src/store/log/backlog.ts'
import { connect } from '../../src/store/database/connection.ts'
import { foldDeltas } from '../../src/store/metrics/fold.ts'
import { waitingDeltas } from '../../src/store/metrics/waiting-deltas.ts'
import { interaction, record } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { exposedBy, valueOf } from '../harness/clients/prometheus.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'

/** Sources that have nothing. */
const NOTHING = {
  backlog: async () => ({}) as Backlog,
  deltas: async () => ({ deltas: 0, oldestSeconds: null }),
  stuck: async () => ({ retrying: 0, paused: 0 }),
  recorders: async () => [],
}

test('the backlog has the waiting batches and the age of the oldest', async ({ db }) => {
  const batch = await record(db, [interaction(), interaction()])
  await record(db, [interaction()])
  await sql`update interaction_batch set received_at = now() - interval '100 s', fed_at = now() where batch_id = ${batch.batchId}`.execute(
    db,
  )
  const registry = new Registry()
  backlogMetrics(registry, { ...NOTHING, backlog: () => backlog(db) })
  const text = await registry.metrics()
  const of = (name: string, target: string) => valueOf(text, `footfall_backlog_${name}`, { target })
  expect([of('batches', 'popularity'), of('events', 'popularity')]).toEqual([2, 3])
  expect([of('batches', 'profiles'), of('events', 'profiles')]).toEqual([1, 1])
  expect(of('oldest_seconds', 'popularity')).toBeCloseTo(100, -1)
  expect(of('oldest_seconds', 'profiles')).toBeLessThan(60)
})

test('changes of metrics wait, with the age of the oldest, until they are folded', async ({ db }) => {
  await upsert(db, [product({ seller_id: 'north', category: 'k' })])
  await sql`update product_metric_delta set changed_at = now() - interval '100 s' where key = 'CATEGORY#k'`.execute(db)
  const measured = async () => {
    const registry = new Registry()
    backlogMetrics(registry, { ...NOTHING, deltas: () => waitingDeltas(db) })
    const text = await registry.metrics()
    return [valueOf(text, 'footfall_metric_deltas'), Math.round(valueOf(text, 'footfall_metric_deltas_oldest_seconds') / 10)]
  }
  expect(await measured()).toEqual([2, 10])
  await foldDeltas(db)
  expect(await measured()).toEqual([0, 0])
})

test('concurrent scrapers cost one query', async ({ db }) => {
  const question = vi.fn<() => ReturnType<typeof backlog>>(() => backlog(db))
  const registry = new Registry()
  backlogMetrics(registry, { ...NOTHING, backlog: question })
  await Promise.all(Array.from({ length: 5 }, () => registry.metrics()))
  expect(question).toHaveBeenCalledTimes(1)
})

test('without PostgreSQL and Restate a scrape succeeds without their gauges, and counts a failure', async ({ database }) => {
  const wire = await startTcpProxy(database.url)
  await wire.cut()
  const away = connect({ url: wire.url, name: 'test' })
  const registry = new Registry()
  backlogMetrics(registry, {
    backlog: () => backlog(away),
    deltas: () => waitingDeltas(away),
    stuck: () => Promise.reject(new Error('away')),
    recorders: NOTHING.recorders,
  })
  const text = await registry.metrics()
  expect(text).not.toMatch(/^footfall_backlog_(batches|events|oldest_seconds)\{/m)
  expect(text).not.toMatch(/^footfall_invocations\{/m)
  expect(text).not.toMatch(/^footfall_metric_deltas/m)
  // This scrape may have been read before, but the next one has them.
  const next = await registry.metrics()
  expect(valueOf(next, 'footfall_backlog_scrape_errors_total')).toBe(2)
  expect(valueOf(next, 'footfall_invocations_scrape_errors_total')).toBe(1)
  await away.destroy()
})

test('a pool reports its connections, its waiting callers and their waiting time', async ({ database }) => {
  const registry = new Registry()
  const db = connect({ url: database.url, name: 'test', connectionsMax: 1, observer: poolMetrics(registry)('small') })
  let seen = ''
  await db.transaction().execute(async (tx) => {
    const second = sql`select 1`.execute(db)
    await sql`select pg_sleep(0.05)`.execute(tx)
    seen = await registry.metrics()
    void second.catch(() => undefined)
  })
  await sql`select 2`.execute(db)
  expect(valueOf(seen, 'footfall_database_waiting', { pool: 'small' })).toBe(1)
  expect(valueOf(seen, 'footfall_database_connections', { pool: 'small', state: 'busy' })).toBe(1)
  const after = await registry.metrics()
  expect(valueOf(after, 'footfall_database_wait_seconds_count', { pool: 'small' })).toBe(3)
  expect(valueOf(after, 'footfall_database_wait_seconds_sum', { pool: 'small' })).toBeGreaterThan(0.04)
  expect(exposedBy(after).get('footfall_database_wait_seconds_bucket')).toEqual(new Set(['pool', 'le']))
  await db.destroy()
})

test("a statement is a span of its caller's trace without values, and has no span without a trace", async ({ database }) => {
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const tracer = provider.getTracer('test')
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  const db = connect({ url: database.url, name: 'test', observer: { queried: statementSpans(tracer) } })
  await sql`select 1`.execute(db)
  expect(exporter.getFinishedSpans()).toEqual([])

  const asking = tracer.startSpan('asking')
  await context.with(trace.setSpan(context.active(), asking), () =>
    db
      .transaction()
      .execute(async (tx) => {
        await sql`select ${'secret'}::text as it from interaction_batch`.execute(tx)
        await expect(sql`select ${'secret'}::int`.execute(tx)).rejects.toThrow('secret')
      })
      .catch(() => undefined),
  )
  context.disable()
  const spans = exporter.getFinishedSpans()
  expect(spans.map(({ name }) => name)).toEqual(['begin', 'select interaction_batch', 'select', 'commit'])
  expect(spans.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(spans.map(() => asking.spanContext().spanId))
  expect(spans[1]!.attributes).toEqual({
    'db.system.name': 'postgresql',
    'db.query.text': 'select $1::text as it from interaction_batch',
  })
  expect(spans[2]!.attributes['db.response.status_code']).toBe('22P02')
  expect(JSON.stringify(spans.map(({ attributes, status }) => ({ attributes, status })))).not.toContain('secret')
  await db.destroy()
})
