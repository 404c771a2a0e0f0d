import { createClient } from '@redis/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRedisEvents, type RedisEventsOptions } from '../../src/external/redis-events.ts'
import { until } from '../../src/main/embedded/until.ts'
import { shopperEvent } from '../harness/items/shopper-events.ts'
import { answering, NO_REDIS, startTestRedis, type TestRedis } from '../harness/servers/redis.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'

const IDLE_MS = 15 * 60_000

let redis: TestRedis
const failures: unknown[] = []
beforeAll(async () => {
  if (NO_REDIS === undefined) redis = await startTestRedis()
})
afterAll(() => redis?.stop())

const newRedisEvents = (changes: Partial<RedisEventsOptions> = {}) =>
  createRedisEvents({
    url: redis.url,
    idleMs: IDLE_MS,
    itemsMax: 20,
    onFailed: (error) => failures.push(error),
    deadlineMs: 5_000,
    ...changes,
  })

/** Asks the Redis itself, as other programs do. */
async function asked<T>(ask: (client: ReturnType<typeof newClient>) => Promise<T>): Promise<T> {
  const client = newClient()
  await client.connect()
  try {
    return await ask(client)
  } finally {
    client.destroy()
  }
}

const newClient = () => createClient({ url: redis.url })

describe.skipIf(NO_REDIS !== undefined)('in Redis', () => {
  test('other services read the products, the categories and the last activity, which expire after 15 minutes', async () => {
    const live = await answering(newRedisEvents())
    const nowMs = Date.now()
    const event = (agoMs: number, productId: string, category?: string) =>
      shopperEvent({ occurredAtMs: nowMs - agoMs, productId, category })
    // The last one is of the visit before.
    for (const each of [
      event(60_000, 'lamp', 'lights'),
      event(0, 'desk'),
      event(120_000, 'desk', 'office'),
      event(30 * 60_000, 'old', 'old'),
    ]) {
      await live.keep('account:ada', each)
      await live.keep('account:ada', each)
    }
    const last = event(-60_000, 'lamp', 'lights')
    await live.keep('account:ada', last)
    const key = (name: string) => `user:account:ada:${name}`
    const { items, categories, lastActive, ttls } = await asked(async (client) => ({
      items: await client.lRange(key('recent_items'), 0, -1),
      categories: { ...(await client.hGetAll(key('recent_categories'))) },
      lastActive: await client.get(key('last_active')),
      ttls: await Promise.all(
        ['recent_items', 'recent_categories', 'last_active', 'recent_events'].map((name) => client.ttl(key(name))),
      ),
    }))
    expect(items).toEqual(['lamp', 'desk'])
    expect(categories).toEqual({ lights: '2', office: '1' })
    // Of a clock that is fast: the time at which it came.
    expect(Date.parse(lastActive!)).toBeGreaterThanOrEqual(nowMs)
    expect(Date.parse(lastActive!)).toBeLessThan(last.occurredAtMs)
    for (const ttl of ttls) expect(ttl).toBeOneOf([899, 900])
    await live.stop()
  })

  test('while Redis is away calls answer and say so, and go on when it is back', async () => {
    const live = await answering(newRedisEvents())
    await live.keep('session:r', shopperEvent())
    await redis.kill()
    failures.length = 0
    const before = performance.now()
    await live.keep('session:r', shopperEvent())
    expect(await live.read(['session:r'])).toBeUndefined()
    expect(await live.forget(['session:r'])).toBe(false)
    expect(performance.now() - before).toBeLessThan(5_000)
    expect(failures.length).toBeGreaterThanOrEqual(3)
    await redis.restart()
    await answering(live)
    // It kept nothing, and the script is sent again.
    expect(await live.read(['session:r'])).toEqual([])
    await live.keep('session:r', shopperEvent())
    expect(await live.read(['session:r'])).toHaveLength(1)
    await live.stop()
  })

  test('a Redis that takes everything and answers nothing holds up no call, and is connected to again', async () => {
    const proxy = await startTcpProxy(redis.url)
    const live = await answering(newRedisEvents({ url: proxy.url, deadlineMs: 50 }))
    proxy.hold()
    expect(await live.read(['session:h'])).toBeUndefined()
    proxy.release()
    await answering(live, 20_000)
    await live.stop()
    await proxy.cut()
  })

  test('a password and a user of the address are used', async () => {
    const locked = await startTestRedis(['--requirepass', 'a/b:c@d%'])
    const url = new URL(locked.url)
    url.password = encodeURIComponent('a/b:c@d%')
    const live = await answering(newRedisEvents({ url: url.href }))
    failures.length = 0
    const refused = newRedisEvents({ url: locked.url })
    expect(await refused.read(['session:p'])).toBeUndefined()
    expect(await until(async () => (await refused.read(['session:p'])) === undefined && failures.length > 0, 5_000)).toBe(true)
    await Promise.all([live.stop(), refused.stop()])
    await locked.stop()
  })

  test('a connection that gets no answer from its beginning is made again', async () => {
    const proxy = await startTcpProxy(redis.url)
    proxy.hold()
    const live = newRedisEvents({ url: proxy.url, deadlineMs: 50 })
    expect(await until(async () => proxy.connections() > 0, 10_000)).toBe(true)
    proxy.release()
    await answering(live, 40_000)
    await live.stop()
    await proxy.cut()
  })

  test('keys of other programs, of any type, fail no call, and hide no other shopper', async () => {
    const live = await answering(newRedisEvents())
    const shoppers = ['account:1', 'session:2', 'account:3', 'session:4', 'session:5', 'session:6', 'session:7']
    const key = (shopper: string, name: string) => `user:${shopper}:${name}`
    await asked(async (client) => {
      await client.set(key('account:1', 'recent_events'), 'a text')
      await client.rPush(key('session:2', 'account'), 'a list')
      await client.set(key('account:3', 'sessions'), 'a text')
      await client.hSet(key('session:4', 'recent_items'), 'a', 'hash')
      await client.rPush(key('session:5', 'recent_categories'), 'a list')
      await client.rPush(key('session:6', 'last_active'), 'a list')
      await client.xAdd(key('session:7', 'recent_events'), '*', { a: 'stream' })
    })
    failures.length = 0
    await live.merged('2', 'of them')
    for (const shopper of shoppers) {
      await live.keep(shopper, shopperEvent())
      const isWrong = ['account:1', 'session:2', 'account:3', 'session:7'].includes(shopper)
      expect([shopper, (await live.read([shopper])) === undefined]).toEqual([shopper, isWrong])
    }
    for (const error of failures) expect(String(error)).toMatch(/WRONGTYPE/)
    expect(failures).not.toEqual([])
    // An error is an answer: the connection stays, also when nothing else answers for longer than a silent one would.
    const before = await connectionsMade()
    const endMs = performance.now() + 3_500
    do expect(await live.read(['account:1'])).toBeUndefined()
    while (performance.now() < endMs)
    expect(await connectionsMade()).toBe(before + 1)
    expect(await live.forget([...shoppers, 'account:of them'])).toBe(true)
    for (const shopper of shoppers) {
      await live.keep(shopper, shopperEvent({ occurredAtMs: Date.now() + 60_000 }))
      expect(await live.read([shopper])).toHaveLength(1)
    }
    await live.stop()
  })

  test('fields of other programs in the hash of events are neither read nor counted, and stay', async () => {
    const live = await answering(newRedisEvents())
    const fields = {
      text: 'no JSON',
      nothing: '',
      null: 'null',
      list: '[1]',
      empty: '{}',
      late: JSON.stringify({ at: 1e300, occurred_at: '', product_id: 'p', event_type: 'view' }),
      category: JSON.stringify({ at: Date.now(), occurred_at: '', product_id: 7, event_type: 'view', category: {} }),
    }
    await asked((client) => client.hSet('user:session:f:recent_events', fields))
    expect(await live.read(['session:f'])).toEqual([])
    const events = Array.from({ length: 101 }, () => shopperEvent({ category: 'lights' }))
    failures.length = 0
    for (const event of events) await live.keep('session:f', event)
    expect(failures).toEqual([])
    expect(await live.read(['session:f'])).toHaveLength(100)
    const kept = await asked((client) => client.hKeys('user:session:f:recent_events'))
    expect(kept).toEqual(expect.arrayContaining(Object.keys(fields)))
    await live.stop()
  })

  test('a person with thousands of sessions is forgotten', async () => {
    const live = await answering(newRedisEvents())
    const shoppers = Array.from({ length: 3_000 }, (_each, n) => `session:many ${n}`)
    for (const shopper of [shoppers[0]!, shoppers[1_499]!, shoppers[2_999]!]) await live.keep(shopper, shopperEvent())
    expect(await live.forget(shoppers)).toBe(true)
    expect(await asked((client) => client.keys('user:session:many *'))).toEqual([])
    await live.stop()
  })

  /** Connections that the Redis took so far, with the one that asks. */
  async function connectionsMade(): Promise<number> {
    const info = await asked((client) => client.info('stats'))
    return Number(/total_connections_received:(\d+)/.exec(info)![1])
  }
})
