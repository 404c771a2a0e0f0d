import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LiveEvents } from '../../src/external/live-events.ts'
import { createProcessEvents } from '../../src/external/process-events.ts'
import { createRedisEvents } from '../../src/external/redis-events.ts'
import { SHOPPER_EVENTS_MAX, type ShopperEvent } from '../../src/ranking/shopper-event.ts'
import { shopperEvent } from '../harness/items/shopper-events.ts'
import { answering, NO_REDIS, startTestRedis, type TestRedis } from '../harness/servers/redis.ts'

const IDLE_MS = 15 * 60_000

let redis: TestRedis
beforeAll(async () => {
  if (NO_REDIS === undefined) redis = await startTestRedis()
})
afterAll(() => redis?.stop())

const newRedisEvents = () =>
  createRedisEvents({ url: redis.url, idleMs: IDLE_MS, itemsMax: 20, onFailed: () => undefined, deadlineMs: 5_000 })

let shoppers = 0
const newShopper = () => `session:${++shoppers} of ${process.pid}`
const idsOf = (events: readonly ShopperEvent[] | undefined) => events?.map(({ eventId }) => eventId).toSorted()

const LAYERS = [
  {
    name: 'in the process',
    skipped: false,
    make: () => createProcessEvents({ shoppersMax: 1_000, bytesMax: 2 ** 24, idleMs: IDLE_MS }),
  },
  // Without Debian's redis-server this layer is not tested.
  { name: 'in Redis', skipped: NO_REDIS !== undefined, make: () => newRedisEvents() },
]

for (const { name, skipped, make } of LAYERS) {
  describe.skipIf(skipped)(`live events ${name}`, () => {
    let live: LiveEvents
    beforeAll(async () => {
      live = await answering(make())
    })
    afterAll(() => live?.stop())

    test('are read as they were kept, with what the catalog says or without', async () => {
      const shopper = newShopper()
      const bare = shopperEvent({ productId: 'ö: "x"\n🛒', eventType: 'add_to_cart' })
      const whole = shopperEvent({ category: 'lights', brand: 'Glow' })
      await live.keep(shopper, bare)
      await live.keep(shopper, whole)
      const events = await live.read([shopper])
      expect(events).toHaveLength(2)
      expect(events).toEqual(expect.arrayContaining([expect.objectContaining(bare), expect.objectContaining(whole)]))
      expect(events!.find(({ eventId }) => eventId === bare.eventId)!.category).toBeUndefined()
    })

    test('a resent event changes nothing, whatever it says now', async () => {
      const shopper = newShopper()
      const event = shopperEvent()
      await live.keep(shopper, event)
      const before = await live.read([shopper])
      await live.keep(shopper, { ...event, productId: 'another', occurredAtMs: 0 })
      expect(await live.read([shopper])).toEqual(before)
    })

    test('the newest hundred stay, whatever the order in which they come', async () => {
      const times = Array.from({ length: SHOPPER_EVENTS_MAX + 20 }, (_, place) => (place * 37) % (SHOPPER_EVENTS_MAX + 20))
      const nowMs = Date.now()
      const events = times.map((time) => shopperEvent({ occurredAtMs: nowMs - time * 1_000 }))
      const shopper = newShopper()
      for (const event of events) await live.keep(shopper, event)
      const newest = events.toSorted((one, other) => other.occurredAtMs - one.occurredAtMs).slice(0, SHOPPER_EVENTS_MAX)
      expect(idsOf(await live.read([shopper]))).toEqual(idsOf(newest))
      // A resent one that was dropped is dropped again.
      await live.keep(
        shopper,
        events.find((event) => !newest.includes(event))!,
      )
      expect(idsOf(await live.read([shopper]))).toEqual(idsOf(newest))
    })

    test('category and brand are added to a kept event once, and to no other', async () => {
      const shopper = newShopper()
      const event = shopperEvent()
      await live.describe(shopper, { ...event, category: 'early' })
      expect(await live.read([shopper])).toEqual([])
      await live.keep(shopper, event)
      await live.describe(shopper, { ...event, category: 'lights', brand: 'Glow' })
      await live.describe(shopper, { ...event, category: 'other', brand: 'Dim' })
      expect(await live.read([shopper])).toEqual([expect.objectContaining({ ...event, category: 'lights', brand: 'Glow' })])
    })

    test('a merged session and its account are one shopper, also for events that come later', async () => {
      const [session, other, account] = [newShopper(), newShopper(), newShopper().replace('session', 'account')]
      const idOf = (shopper: string) => shopper.slice(shopper.indexOf(':') + 1)
      const events = [shopperEvent(), shopperEvent(), shopperEvent()] as const
      await live.keep(session, events[0])
      await live.merged(idOf(session), idOf(account))
      await live.merged(idOf(other), idOf(account))
      await live.merged(idOf(session), idOf(account))
      // The first account stays.
      await live.merged(idOf(session), 'another')
      await live.keep(account, events[1])
      await live.keep(other, events[2])
      for (const shopper of [session, other, account]) expect(idsOf(await live.read([shopper]))).toEqual(idsOf(events))
      expect(idsOf(await live.read([account, session, other]))).toEqual(idsOf(events))
      expect(await live.read(['account:another'])).toEqual([])
    })

    test('what is forgotten is gone, and shoppers next to it stay', async () => {
      const [session, neighbour] = [newShopper(), `${newShopper()}:recent_events`]
      const kept = shopperEvent()
      await live.keep(session, shopperEvent())
      await live.keep(neighbour, kept)
      await live.merged(session.slice('session:'.length), `of ${session}`)
      expect(await live.forget([session, `account:of ${session}`])).toBe(true)
      expect(await live.forget([])).toBe(true)
      expect(await live.read([session, `account:of ${session}`])).toEqual([])
      expect(idsOf(await live.read([neighbour]))).toEqual([kept.eventId])
    })

    test('of a forgotten shopper, events from before that are not kept again, and later ones are', async () => {
      const shopper = newShopper()
      const before = shopperEvent({ occurredAtMs: Date.now() - 60_000 })
      await live.keep(shopper, before)
      await live.forget([shopper])
      await live.keep(shopper, before)
      await live.keep(shopper, shopperEvent({ occurredAtMs: before.occurredAtMs + 1 }))
      expect(await live.read([shopper])).toEqual([])
      const later = shopperEvent({ occurredAtMs: Date.now() + 60_000 })
      await live.keep(shopper, later)
      expect(idsOf(await live.read([shopper]))).toEqual([later.eventId])
    })
  })
}

describe('in the process', () => {
  const at = (options: Partial<Parameters<typeof createProcessEvents>[0]> = {}) => {
    const clock = { ms: Date.UTC(2026, 0) }
    const live = createProcessEvents({ shoppersMax: 1_000, bytesMax: 2 ** 24, idleMs: IDLE_MS, now: () => clock.ms, ...options })
    return { clock, live }
  }

  test('a shopper is forgotten 15 minutes after its last new event, which a resent one is not', async () => {
    const { clock, live } = at()
    const event = shopperEvent({ occurredAtMs: clock.ms })
    await live.keep('session:a', event)
    clock.ms += IDLE_MS - 1
    await live.keep('session:a', event)
    await live.keep('session:b', shopperEvent())
    clock.ms += 1
    expect(await live.read(['session:a'])).toHaveLength(1)
    clock.ms += 1
    expect(await live.read(['session:a'])).toEqual([])
    expect(live.size().shoppers).toBe(1)
  })

  test('merges are bounded as events are, and the latest ones stay', async () => {
    const live = createProcessEvents({ shoppersMax: 1_000, bytesMax: 2 ** 20, idleMs: IDLE_MS })
    const bytes: number[] = []
    for (let session = 0; session < 5_000; session++) {
      await live.merged(`${session} ${'x'.repeat(100)}`, String(session % 3))
      bytes.push(live.size().bytes)
    }
    expect(bytes[99]).toBeGreaterThan(20_000)
    expect(Math.max(...bytes)).toBeLessThanOrEqual(2 ** 20 / 8)
    const event = shopperEvent()
    await live.keep(`session:4999 ${'x'.repeat(100)}`, event)
    expect(idsOf(await live.read(['account:1']))).toEqual([event.eventId])
  })

  test('the shopper with the oldest last event goes first, when there are too many or they take too much', async () => {
    const { live } = at({ shoppersMax: 2 })
    for (const shopper of ['session:a', 'session:b', 'session:a', 'session:c']) await live.keep(shopper, shopperEvent())
    // To read is no event.
    expect(await live.read(['session:b'])).toEqual([])
    expect(await live.read(['session:a'])).toHaveLength(2)

    const small = at({ bytesMax: 10_000 }).live
    for (let number = 0; number < 100; number++) await small.keep(`session:${number}`, shopperEvent())
    const { shoppers: left, bytes } = small.size()
    expect(bytes).toBeLessThanOrEqual(10_000)
    expect(left).toBeGreaterThan(10)
    expect(left).toBeLessThan(40)
    expect(await small.read(['session:99'])).toHaveLength(1)
    expect(await small.read(['session:0'])).toEqual([])
  })
})
