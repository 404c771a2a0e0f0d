import { randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import { shopperApi } from '../../src/contract/services.ts'
import type { LiveEvents } from '../../src/external/live-events.ts'
import { createRedisEvents } from '../../src/external/redis-events.ts'
import { until } from '../../src/main/embedded/until.ts'
import { rowsWith } from '../harness/items/erased.ts'
import { product, upsert } from '../harness/items/products.ts'
import { shopperEvent } from '../harness/items/shopper-events.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { answering, NO_REDIS, startTestRedis } from '../harness/servers/redis.ts'
import { settled, type Stack, startStack } from '../harness/servers/stack.ts'

/** A context waits a second for PostgreSQL and 250 ms for Redis; the rest is for a busy machine. */
const ANSWER_MS_MAX = 5_000

/** The gateway and the services have one Redis, and reach PostgreSQL through a proxy. */
const test = proxiedTest
  .extend('redis', { scope: 'file' }, async ({}, { onCleanup }) => {
    const redis = await startTestRedis()
    onCleanup(redis.stop)
    return redis
  })
  .extend('newLive', { scope: 'file' }, ({ redis }, { onCleanup }) => {
    const opened: LiveEvents[] = []
    onCleanup(async () => void (await Promise.all(opened.map((live) => live.stop()))))
    return async () => {
      const options = { url: redis.url, idleMs: 15 * 60_000, itemsMax: 20, onFailed: () => undefined }
      const live = createRedisEvents(options)
      opened.push(live)
      return answering(live)
    }
  })
  .extend('stack', { scope: 'file' }, async ({ proxied, newLive }, { onCleanup }) => {
    const sharedEvents = await newLive()
    const forget = async (ids: readonly string[]) => {
      if (!(await sharedEvents.forget(ids))) throw new Error('not forgotten')
    }
    const stack = await startStack(proxied, { sharedEvents, forget })
    onCleanup(stack.stop)
    return stack
  })
  .extend('gateway', { scope: 'file' }, async ({ proxy, stack, newLive }, { onCleanup }) => {
    const gateway = await startGateway(proxy.url, stack, { live: await newLive() })
    onCleanup(gateway.stop)
    return gateway
  })

function post(gateway: TestGateway, path: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${gateway.url}/api/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

interface Context {
  products: (string | null)[][]
  isPartial: boolean
}

/** The context of a shopper over HTTP and through Restate, which must be the same. */
async function contextOf(gateway: TestGateway, stack: Stack, shopper_id: string): Promise<Context> {
  const answer = await fetch(`${gateway.url}/api/v1/shoppers/${encodeURIComponent(shopper_id)}/context`)
  expect(answer.status).toBe(200)
  const { data, meta } = (await answer.json()) as { data: object; meta: object }
  const handled = await stack.ingress.client(shopperApi).Context({ shopper_id })
  expect(handled).toEqual({ ...data, meta })
  return {
    products: handled.recent_products.map(({ product_id, category }) => [product_id, category]),
    isPartial: handled.meta.is_partial,
  }
}

describe.skipIf(NO_REDIS !== undefined)('with one Redis', () => {
  test('a context is the union of what is fed and of the Redis, over HTTP and through Restate', async ({
    db,
    gateway,
    stack,
    newLive,
  }) => {
    await upsert(db, [product({ product_id: 'lamp', category: 'lights', brand: 'Glow' })])
    const interactions = [{ session_id: 'u', event_type: 'view', ref_type: 'Product', ref_id: 'fed' }]
    expect((await post(gateway, 'analytic/interaction', { interactions })).status).toBe(200)
    await settled(db)
    expect((await post(gateway, 'shoppers/session:u/merge', { account_id: 'una' })).status).toBe(200)
    // Of another gateway, which did not know the product; it is recorded later.
    await (await newLive()).keep('session:u', shopperEvent({ productId: 'lamp' }))
    for (const shopper of ['session:u', 'account:una']) {
      const context = await contextOf(gateway, stack, shopper)
      expect(context).toEqual({
        products: [
          ['lamp', 'lights'],
          ['fed', null],
        ],
        isPartial: false,
      })
    }
  })

  test('while PostgreSQL is away, a context has the events of the Redis', async ({ gateway, stack, proxy, db }) => {
    await proxy.cut()
    try {
      expect((await post(gateway, 'event', { session_id: 'away', asin: 'live', event_type: 'view' })).status).toBe(202)
      expect(await contextOf(gateway, stack, 'session:away')).toEqual({ products: [['live', null]], isPartial: true })
    } finally {
      await proxy.mend()
    }
    const isWhole = async () => !(await contextOf(gateway, stack, 'session:away')).isPartial
    expect(await until(isWhole, 30_000)).toBe(true)
    await settled(db)
    expect(await contextOf(gateway, stack, 'session:away')).toEqual({ products: [['live', null]], isPartial: false })
  })

  test('while the Redis answers nothing, requests answer in time with what is fed, and say so', async ({
    db,
    gateway,
    stack,
    redis,
    newLive,
  }) => {
    const interactions = [{ session_id: 'p', event_type: 'view', ref_type: 'Product', ref_id: 'fed' }]
    expect((await post(gateway, 'analytic/interaction', { interactions })).status).toBe(200)
    await settled(db)
    redis.pause()
    try {
      // Longer than the Redis may be silent, so that the connection is given up meanwhile.
      for (const endMs = performance.now() + 4_000; performance.now() < endMs;) {
        const askedMs = performance.now()
        expect(await contextOf(gateway, stack, 'session:p')).toEqual({ products: [['fed', null]], isPartial: true })
        expect(performance.now() - askedMs).toBeLessThan(ANSWER_MS_MAX)
      }
      const sentMs = performance.now()
      expect((await post(gateway, 'event', { session_id: 'p', asin: 'paused', event_type: 'view' })).status).toBe(202)
      expect((await post(gateway, 'shoppers/session:p/merge', { account_id: 'pia' })).status).toBe(200)
      expect(performance.now() - sentMs).toBeLessThan(ANSWER_MS_MAX)
    } finally {
      redis.resume()
    }
    await newLive()
    const products = [
      ['paused', null],
      ['fed', null],
    ]
    const isWhole = async () => {
      const context = await contextOf(gateway, stack, 'account:pia')
      return !context.isPartial && JSON.stringify(context.products) === JSON.stringify(products)
    }
    expect(await until(isWhole, 30_000)).toBe(true)
  })

  test('keys of another type in the Redis fail no request', async ({ gateway, stack, redis, newLive }) => {
    const live = await newLive()
    await redis.command('SET', 'user:session:w:recent_events', 'a text')
    expect((await post(gateway, 'event', { session_id: 'w', asin: 'lamp', event_type: 'view' })).status).toBe(202)
    const isFed = async () => (await contextOf(gateway, stack, 'session:w')).products.length === 1
    expect(await until(isFed, 30_000)).toBe(true)
    expect((await contextOf(gateway, stack, 'session:w')).isPartial).toBe(true)
    // The others do not notice.
    await live.keep('session:v', shopperEvent())
    expect(await until(async () => !(await contextOf(gateway, stack, 'session:v')).isPartial, 30_000)).toBe(true)
  })

  test('an erasure forgets the shopper and its sessions in the Redis, once the Redis answers', async ({ db, gateway, redis }) => {
    const occurred_at = new Date(Date.now() - 1_000).toISOString()
    for (const id of [{ account_id: 'erin-of-redis' }, { session_id: 'first-of-erin' }, { session_id: 'second-of-erin' }]) {
      const event = { ...id, asin: 'rug', event_type: 'view', event_id: randomUUID(), occurred_at }
      expect((await post(gateway, 'event', event)).status).toBe(202)
    }
    for (const session of ['first-of-erin', 'second-of-erin']) {
      const merged = await post(gateway, `shoppers/session:${session}/merge`, { account_id: 'erin-of-redis' })
      expect(merged.status).toBe(200)
    }
    await settled(db)
    const keysOfErin = async () => (await redis.command('KEYS', '*erin*')) as string[]
    // The events, products and last activity of each, two accounts and one list of sessions.
    expect(await keysOfErin()).toHaveLength(3 * 3 + 3)
    redis.pause()
    let run: { id: string; status: string; step: string }
    const statusOf = async () => {
      const answer = await fetch(`${gateway.url}/api/v1/erasures/${run.id}`)
      return ((await answer.json()) as { data: typeof run }).data
    }
    try {
      const answer = await fetch(`${gateway.url}/api/v1/shoppers/session:first-of-erin`, { method: 'DELETE' })
      expect(answer.status).toBe(202)
      run = ((await answer.json()) as { data: typeof run }).data
      expect(await until(async () => (await statusOf()).step === 'context', 30_000)).toBe(true)
      expect((await statusOf()).status).toBe('running')
    } finally {
      redis.resume()
    }
    expect(await until(async () => (await statusOf()).status === 'completed', 30_000)).toBe(true)
    expect(await keysOfErin()).toEqual([])
    expect(await rowsWith(db, ['erin-of-redis', 'first-of-erin', 'second-of-erin'])).toEqual([])
  })
})
