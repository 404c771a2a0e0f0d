import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { expect } from 'vitest'
import type { RejectedKey } from '../../src/contract/rejected.ts'
import { analyticApi, popularityApi } from '../../src/contract/services.ts'
import { gatewayMetrics } from '../../src/main/metrics/gateway.ts'
import { handlerTimes } from '../../src/main/metrics/handler-times.ts'
import { serviceMetrics } from '../../src/main/metrics/services.ts'
import { startGateway } from '../harness/servers/gateway.ts'
import { valueOf } from '../harness/clients/prometheus.ts'
import { failingOnce } from '../harness/servers/fail-points.ts'
import { restateTest } from '../harness/fixtures.ts'

const registry = new Registry()
const failing = failingOnce()

const test = restateTest.extend(
  'services',
  { scope: 'file' },
  { deps: { observer: serviceMetrics(registry) }, hooks: [handlerTimes(registry), failing.hook] },
)

test.beforeEach(() => registry.resetMetrics())

const event = () => ({
  event_id: randomUUID(),
  occurred_at: new Date().toISOString(),
  account_id: 'a',
  event_type: 'view',
  ref_type: 'Product',
  ref_id: 'p',
})

async function counted() {
  const text = await registry.metrics()
  const outcome = (name: string) => valueOf(text, 'footfall_interactions_total', { outcome: name })
  const attempts = (handler: string, name: string) =>
    valueOf(text, 'footfall_handler_attempt_duration_seconds_count', { handler, outcome: name })
  return {
    accepted: outcome('accepted'),
    duplicate: outcome('duplicate'),
    rejected: outcome('rejected'),
    invalid: valueOf(text, 'footfall_rejections_total', { code: 'invalid' }),
    tooOld: valueOf(text, 'footfall_rejections_total', { code: 'too_old' }),
    batches: valueOf(text, 'footfall_batch_events_count'),
    events: valueOf(text, 'footfall_batch_events_sum'),
    scored: valueOf(text, 'footfall_group_events_sum', { target: 'popularity' }),
    fed: valueOf(text, 'footfall_group_events_sum', { target: 'profiles' }),
    successes: attempts('CreateInteraction', 'success'),
    errors: attempts('CreateInteraction', 'error'),
    terminal: attempts('Get', 'terminal'),
  }
}

test('counters equal what was sent, however often the handler is replayed', async ({ stack }) => {
  const [first, second] = [event(), event()]
  const analytic = stack.ingress.client(analyticApi)
  await analytic.CreateInteraction({ interactions: [first, second, { nonsense: 1 }] })
  await analytic.CreateInteraction({ interactions: [first, event(), { ...event(), occurred_at: '1999-01-01T00:00:00Z' }] })
  await stack.settled()
  expect(await counted()).toMatchObject({
    ...{ accepted: 3, duplicate: 1, rejected: 2, invalid: 1, tooOld: 1 },
    ...{ batches: 2, events: 6, successes: 2, errors: 0 },
  })
  // The backlog counts all valid events of a batch, duplicates included.
  expect(await counted()).toMatchObject({ scored: 4, fed: 4 })
})

test('an attempt that fails after its commit counts once with its repetition', async ({ stack }) => {
  for (const step of ['record the batch', 'count the batch', 'feed the profiles']) failing.left.add(step)
  await stack.ingress.client(analyticApi).CreateInteraction({ interactions: [event(), event()] })
  await stack.settled()
  expect([...failing.left]).toEqual([])
  const seen = await counted()
  expect(seen).toMatchObject({ accepted: 2, batches: 1, events: 2, scored: 2, fed: 2, successes: 1 })
  expect(seen.errors).toBeGreaterThan(0)
})

test('a rejected interaction counts as accepted when its replay succeeds', async ({ db, stack }) => {
  await stack.ingress.client(analyticApi).CreateInteraction({ interactions: [{ ...event(), ref_id: undefined }] })
  const { rows } = await sql<RejectedKey>`
    select batch_id, index from rejected_interaction order by batch_id desc limit 1`.execute(db)
  const replay = { ...rows[0]!, set: { ref_id: 'p' } }
  await stack.ingress.client(analyticApi).ReplayRejected(replay, clients.rpc.opts({ idempotencyKey: randomUUID() }))
  await stack.settled()
  expect(await counted()).toMatchObject({ accepted: 1, rejected: 1, batches: 2, scored: 1, fed: 1 })
})

test('concurrent requests are flushed together, and each interaction is counted once', async ({ database, stack }) => {
  const observer = gatewayMetrics(registry)
  const gateway = await startGateway(database.url, stack, { observer })
  const before = event()
  await stack.ingress.client(analyticApi).CreateInteraction({ interactions: [before] })
  const post = async () => {
    const answer = await fetch(`${gateway.url}/api/v1/analytic/interaction`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ interactions: [event(), before, { nonsense: 1 }] }),
    })
    expect(answer.status).toBe(200)
  }
  await Promise.all(Array.from({ length: 20 }, post))
  await gateway.stop()
  const text = await registry.metrics()
  const of = (name: string, labels = {}) => valueOf(text, `footfall_${name}`, labels)
  for (const outcome of ['accepted', 'duplicate', 'rejected']) expect(of('gateway_interactions_total', { outcome })).toBe(20)
  expect([of('gateway_flush_requests_sum'), of('gateway_flush_events_sum')]).toEqual([20, 60])
  expect(of('gateway_flush_requests_count')).toBeLessThan(20)
  const answered = { method: 'POST', route: '/api/v1/analytic/interaction', status: '200' }
  expect(of('http_request_duration_seconds_count', answered)).toBe(20)
  expect(await counted()).toMatchObject({ accepted: 21, duplicate: 20, rejected: 20 })
})

test('the metrics distinguish successes, decided errors and retried errors', async ({ stack }) => {
  await expect(stack.ingress.client(popularityApi).Get({ product_id: 'never seen' })).rejects.toMatchObject({ status: 404 })
  expect(await counted()).toMatchObject({ terminal: 1 })
})
