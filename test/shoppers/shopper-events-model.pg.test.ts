import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { shopperOf } from '../../src/contract/fields/shopper-id.ts'
import type { LiveEvents } from '../../src/external/live-events.ts'
import { createProcessEvents } from '../../src/external/process-events.ts'
import { createRedisEvents } from '../../src/external/redis-events.ts'
import { readShopperEvents } from '../../src/external/shopper-events.ts'
import type { ReadLine } from '../../src/gateway/caching/read-line.ts'
import { shopperLayersOf } from '../../src/gateway/shoppers/shopper-layers.ts'
import { until } from '../../src/main/embedded/until.ts'
import { contextOf } from '../../src/ranking/shopper-context.ts'
import type { ShopperEvent } from '../../src/ranking/shopper-event.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { NO_REDIS, startTestRedis, type TestRedis } from '../harness/servers/redis.ts'

const IDLE_MS = 15 * 60_000
const CONTEXT = { idleMs: IDLE_MS, productsMax: 20 }

/** What happens, with small numbers that choose a shopper, an event or a time. */
type Step =
  | { do: 'track'; shopper: number; product: number; lagMs: number }
  | { do: 'resend' | 'record'; event: number }
  | { do: 'merge'; session: number; account: number }
  | { do: 'wait'; ms: number }
  | { do: 'killLayer' | 'killPostgres' | 'mendPostgres' }

const SHOPPERS = ['session:s', 'session:t', 'account:a', 'account:b']
const small = fc.nat({ max: 1_000 })
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('track' as const),
        shopper: small,
        product: fc.nat({ max: 5 }),
        lagMs: fc.integer({ min: -240_000, max: 120_000 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('resend' as const), event: small }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('record' as const), event: small }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('merge' as const), session: fc.nat({ max: 1 }), account: fc.nat({ max: 1 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 20 * 60_000 }) }) },
    fc.record({ do: fc.constantFrom('killLayer' as const, 'killPostgres' as const, 'mendPostgres' as const) }),
  ),
  { minLength: 5, maxLength: 40 },
)

interface Tracked {
  shopper: string
  event: ShopperEvent
  isRecorded: boolean
  /** Whether the layer has it. */
  isLive: boolean
}

/** The obvious world: every acknowledged event, where it is, and which session is whose. */
class Model {
  events: Tracked[] = []
  merges = new Map<string, string>()
  liveMerges = new Map<string, string>()
  isPostgresAway = false
  keptMs = new Map<string, number>()

  /** All ids of the person, as far as these merges say. */
  idsOf(shopper: string, merges: ReadonlyMap<string, string>): string[] {
    const account = merges.get(shopper) ?? shopper
    return [shopper, account, ...[...merges].flatMap(([session, owner]) => (owner === account ? [session] : []))]
  }

  visible(shopper: string, isAlive: (shopper: string) => boolean): ShopperEvent[] {
    const durable = this.isPostgresAway ? [] : this.idsOf(shopper, this.merges)
    const asked = this.isPostgresAway ? [shopper] : durable
    const live = new Set(asked.flatMap((id) => this.idsOf(id, this.liveMerges)))
    return this.events
      .filter(
        (tracked) =>
          (tracked.isRecorded && durable.includes(tracked.shopper)) ||
          (tracked.isLive && live.has(tracked.shopper) && isAlive(tracked.shopper)),
      )
      .map(({ event }) => event)
  }
}

interface Layer {
  live: LiveEvents
  /** Ends it with all that it has. */
  kill: () => Promise<Layer>
  /** Whether it forgets shoppers by the clock of the test. */
  expires: boolean
}

type World = { db: Database; layer: Layer; model: Model; clock: { ms: number }; prefix: string }

const named = (prefix: string, shopper: string) => shopper.replace(':', `:${prefix} `)

async function take(world: World, step: Step): Promise<void> {
  const { db, model, clock, prefix } = world
  const { live } = world.layer
  const isAlive = (shopper: string) => !world.layer.expires || (model.keptMs.get(shopper) ?? -Infinity) >= clock.ms - IDLE_MS
  const keep = async (tracked: Tracked) => {
    const { shopper } = tracked
    await live.keep(shopper, tracked.event)
    if (!isAlive(shopper)) for (const other of model.events) if (other.shopper === shopper) other.isLive = false
    if (tracked.isLive) return
    tracked.isLive = true
    model.keptMs.set(shopper, clock.ms)
  }
  const chosen = (number: number) => model.events[number % Math.max(1, model.events.length)]
  switch (step.do) {
    case 'track': {
      const shopper = named(prefix, SHOPPERS[step.shopper % SHOPPERS.length]!)
      const event = {
        eventId: randomUUID(),
        occurredAtMs: clock.ms - step.lagMs,
        productId: `p${step.product}`,
        eventType: 'view',
      }
      const tracked = { shopper, event, isRecorded: false, isLive: false }
      model.events.push(tracked)
      return keep(tracked)
    }
    case 'resend': {
      const tracked = chosen(step.event)
      return tracked && keep(tracked)
    }
    case 'record': {
      const tracked = chosen(step.event)
      if (tracked === undefined || tracked.isRecorded || model.isPostgresAway) return
      const { kind, id } = shopperOf(tracked.shopper)!
      const { eventId, occurredAtMs, productId } = tracked.event
      const who = kind === 'account' ? { accountId: id, sessionId: null } : { accountId: null, sessionId: id }
      await recordAndCount(db, [interaction({ eventId, occurredAtMs, refId: productId, ...who })])
      tracked.isRecorded = true
      return
    }
    case 'merge': {
      if (model.isPostgresAway) return
      const [session, account] = [named(prefix, SHOPPERS[step.session]!), named(prefix, SHOPPERS[2 + step.account]!)]
      const [session_id, account_id] = [session, account].map((shopper) => shopperOf(shopper)!.id) as [string, string]
      const merged = await mergeSession(db, { session_id, account_id, asked_at_ms: Date.now() })
      const isOther = merged.account_id !== account_id
      expect(isOther).toBe(model.merges.has(session) && model.merges.get(session) !== account)
      if (isOther) return
      model.merges.set(session, account)
      await live.merged(session_id, account_id)
      model.liveMerges.set(session, account)
      return
    }
    case 'wait':
      clock.ms += step.ms
      return
    case 'killLayer':
      world.layer = await world.layer.kill()
      model.liveMerges.clear()
      model.keptMs.clear()
      for (const tracked of model.events) tracked.isLive = false
      return
    case 'killPostgres':
    case 'mendPostgres':
      model.isPostgresAway = step.do === 'killPostgres'
  }
}

async function checkAll({ db, layer, model, clock, prefix }: World): Promise<void> {
  const read: ReadLine['read'] = async (_caller, work) => {
    if (model.isPostgresAway) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    return work(db)
  }
  const catalogEntries = { known: () => undefined, load: async () => undefined }
  const deps = { lines: { short: { read } as ReadLine }, live: layer.live, catalogEntries }
  const layers = shopperLayersOf(deps, { id: 'test', hasShare: false })
  const isAlive = (shopper: string) => !layer.expires || (model.keptMs.get(shopper) ?? -Infinity) >= clock.ms - IDLE_MS
  for (const shopper of SHOPPERS.map((each) => named(prefix, each))) {
    const { events, isPartial } = await readShopperEvents(layers, shopperOf(shopper)!)
    expect(isPartial).toBe(model.isPostgresAway)
    expect(contextOf(events, clock.ms, CONTEXT)).toEqual(contextOf(model.visible(shopper, isAlive), clock.ms, CONTEXT))
  }
}

const processLayer = (clock: { ms: number }): Layer => ({
  live: createProcessEvents({ shoppersMax: 1_000, bytesMax: 2 ** 24, idleMs: IDLE_MS, now: () => clock.ms }),
  kill: async () => processLayer(clock),
  expires: true,
})

let redis: TestRedis | undefined
beforeAll(async () => {
  if (NO_REDIS === undefined) redis = await startTestRedis()
})
afterAll(() => redis?.stop())

async function redisLayer(clock: { ms: number }): Promise<Layer> {
  const options = {
    url: redis!.url,
    idleMs: IDLE_MS,
    itemsMax: 20,
    onFailed: () => undefined,
    deadlineMs: 5_000,
    now: () => clock.ms,
  }
  const live = createRedisEvents(options)
  const isThere = () => until(async () => (await live.read(['session:none'])) !== undefined, 10_000)
  const layer: Layer = {
    live,
    kill: async () => {
      await redis!.kill()
      await redis!.restart()
      expect(await isThere()).toBe(true)
      return layer
    },
    expires: false,
  }
  expect(await isThere()).toBe(true)
  return layer
}

const LAYERS = [
  {
    name: 'in the process, whose gateway is killed',
    skipped: false,
    layerOf: async (clock: { ms: number }) => processLayer(clock),
    runs: 60,
  },
  { name: 'in Redis, which is killed', skipped: NO_REDIS !== undefined, layerOf: redisLayer, runs: 25 },
]

for (const { name, skipped, layerOf, runs } of LAYERS) {
  describe.skipIf(skipped)(`with live events ${name}`, () => {
    test('every context is that of all acknowledged events which a layer has, at any time', async ({ db }) => {
      const property = fc.asyncProperty(steps, async (taken) => {
        const clock = { ms: Date.now() }
        const layer = await layerOf(clock)
        const world: World = { db, layer, model: new Model(), clock, prefix: randomUUID() }
        try {
          for (const step of taken) {
            await take(world, step)
            await checkAll(world)
          }
        } finally {
          await world.layer.live.stop()
        }
      })
      await fc.assert(property, { numRuns: runs })
    }, 300_000)
  })
}
