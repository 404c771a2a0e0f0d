import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { takeLock } from '../../src/store/database/locks.ts'
import { refreshTrending, repairTrending } from '../../src/store/popularity/trending-window.ts'
import { clear } from '../harness/servers/database.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { failingAt } from '../harness/servers/failing-store.ts'
import { until } from '../../src/main/embedded/until.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const WINDOW_HOURS = 168
const HALF_LIFE_HOURS = 72
/** How long before now the story of each run begins. */
const STORY_HOURS = 12
const TYPES = ['view', 'purchase', 'dislike', 'unheard_of'] as const

type Step =
  | { what: 'count'; ages: number[] }
  /** The task moves the edge and is killed before it repairs anything. */
  | { what: 'move'; hours: number }
  /** A repair that is killed after this number of statements. */
  | { what: 'repair'; diesAt: number }
  | { what: 'refresh' }

const age = fc.oneof(
  fc.double({ min: 0, max: 3, noNaN: true }),
  fc.double({ min: WINDOW_HOURS - STORY_HOURS, max: WINDOW_HOURS + STORY_HOURS, noNaN: true }),
  fc.double({ min: 0, max: 400 * 24, noNaN: true }),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('count' as const), ages: fc.array(age, { minLength: 1, maxLength: 12 }) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('move' as const), hours: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('repair' as const), diesAt: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('refresh' as const) }) },
)

interface Seen {
  product: string
  trending: number
  events: { type: string; at: number }[]
}

/** Every counted product of the log with its trending, and the rules in force: instants in milliseconds. */
async function look(db: Database): Promise<{ products: Seen[]; edge: number; repairedTo: number; landmark: number }> {
  const { rows: products } = await sql<Seen>`
    select p.product_id as product, p.trending, json_agg(json_build_object('type', i.event_type,
      'at', (extract(epoch from i.occurred_at) * 1000)::float8)) as events
    from product_popularity p join interaction i on i.ref_id = p.product_id group by 1, 2`.execute(db)
  const { rows } = await sql<{ edge: Date; repairedTo: Date; landmark: Date }>`
    select edge, repaired_to as "repairedTo", landmark from popularity_rules`.execute(db)
  const { edge, repairedTo, landmark } = rows[0]!
  return { products, edge: edge.getTime(), repairedTo: repairedTo.getTime(), landmark: landmark.getTime() }
}

const hourOf = (ms: number) => Math.floor(ms / HOUR_MS) * HOUR_MS

/** The plain formula, as of the landmark, over the chosen events. */
function plain(
  events: Seen['events'],
  landmark: number,
  isIn: (at: number) => boolean,
  size = (weight: number) => weight,
): number {
  const weights: Record<string, number> = PRESETS.balanced
  return events
    .filter(({ at }) => isIn(at))
    .reduce((sum, { type, at }) => sum + size(weights[type] ?? 0) * 2 ** ((at - landmark) / HOUR_MS / HALF_LIFE_HOURS), 0)
}

async function check(db: Database): Promise<void> {
  const { products, edge, repairedTo, landmark } = await look(db)
  const windowStart = Date.now() - WINDOW_HOURS * HOUR_MS
  expect(repairedTo).toBeLessThanOrEqual(edge)
  expect(edge).toBeLessThanOrEqual(hourOf(windowStart))
  for (const { product, trending, events } of products) {
    const spread = plain(events, landmark, (at) => hourOf(at) >= repairedTo, Math.abs)
    // Only events that left the window since the last repair may still be counted, each once.
    const leaving = plain(events, landmark, (at) => hourOf(at) >= repairedTo && hourOf(at) < edge, Math.abs)
    const inside = plain(events, landmark, (at) => hourOf(at) >= edge)
    expect(Math.abs(trending - inside), `${product} inside`).toBeLessThanOrEqual(leaving + 1e-9 * spread)
    // Compared with the exact window, only the edge hour and the time since the last task may differ.
    const exact = plain(events, landmark, (at) => at >= windowStart)
    const atEdge = plain(events, landmark, (at) => hourOf(at) >= repairedTo && hourOf(at) <= hourOf(windowStart), Math.abs)
    expect(Math.abs(trending - exact), `${product} exact`).toBeLessThanOrEqual(atEdge + 1e-9 * spread)
  }
}

async function begin(db: Database): Promise<void> {
  await clear(db)
  await sql`
    update popularity_rules set edge = e.edge, repaired_to = e.edge
    from (select date_bin('1 hour', now() - ${WINDOW_HOURS + STORY_HOURS} * interval '1 hour', '2000-01-01') as edge) e`.execute(
    db,
  )
}

async function take(db: Database, one: Step): Promise<void> {
  if (one.what === 'count') await recordAndCount(db, one.ages.map(eventOf))
  if (one.what === 'move') {
    await sql`
      update popularity_rules set edge = least(edge + ${one.hours} * interval '1 hour',
        date_bin('1 hour', now() - window_hours * interval '1 hour', '2000-01-01'))`.execute(db)
  }
  if (one.what === 'repair') await repairTrending(failingAt(db, one.diesAt)).catch(ignoreKilled)
  if (one.what === 'refresh') await refreshTrending(db)
}

const eventOf = (hours: number, n: number) =>
  interaction({ refId: `p${n % 3}`, eventType: TYPES[n % TYPES.length]!, occurredAtMs: Math.floor(Date.now() - hours * HOUR_MS) })

function ignoreKilled(error: Error): void {
  if (error.message !== 'killed') throw error
}

test(
  'trending equals the formula over the log, except the edge hour and the time since the task',
  { timeout: 120_000 },
  async ({ db }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        await begin(db)
        for (const one of steps) {
          await take(db, one)
          await check(db)
        }
        await refreshTrending(db)
        const { edge, repairedTo } = await look(db)
        expect(repairedTo).toBe(edge)
        await check(db)
      }),
      { numRuns: 20 },
    )
  },
)

test('a product whose last hour leaves the window has no trending left', async ({ db }) => {
  await begin(db)
  await recordAndCount(db, [interaction({ refId: 'gone', occurredAtMs: Date.now() - (WINDOW_HOURS + 5) * HOUR_MS })])
  const trending = async () => (await look(db)).products[0]!.trending
  expect(await trending()).toBeGreaterThan(0)
  await refreshTrending(db)
  expect(await trending()).toBe(0)
})

test('a repair of more products than fit in a chunk recomputes each product once', async ({ db }) => {
  await begin(db)
  const products = Array.from({ length: 700 }, (_, n) => `many ${n}`)
  for (const hours of [1, WINDOW_HOURS + 5]) {
    await recordAndCount(
      db,
      products.map((refId) => interaction({ refId, occurredAtMs: Date.now() - hours * HOUR_MS })),
    )
  }
  expect((await refreshTrending(db)).repaired).toBe(700)
  await check(db)
  expect(await repairTrending(db)).toBe(0)
})

test('counting does not wait while the edge moves; the repair waits for counts by the old edge', async ({ db }) => {
  await begin(db)
  const leaving = Date.now() - (WINDOW_HOURS + 5) * HOUR_MS
  await recordAndCount(db, [interaction({ refId: 'before', occurredAtMs: leaving })])
  const [old, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const counting = db.transaction().execute(async (tx) => {
    await takeLock(tx, 'rules', 'shared')
    old.resolve()
    await done.promise
  })
  await old.promise
  const before = await look(db)
  const refreshed = refreshTrending(db)
  expect(await until(async () => (await look(db)).edge > before.edge, 10_000)).toBe(true)
  await recordAndCount(db, [interaction({ refId: 'meanwhile' })])
  expect((await look(db)).repairedTo).toBe(before.repairedTo)
  done.resolve()
  await counting
  expect((await refreshed).repaired).toBe(1)
  await check(db)
})

test('a product that is being counted is repaired too, after the other products', async ({ db }) => {
  await begin(db)
  const products = ['a', 'b', 'c']
  await recordAndCount(
    db,
    products.map((refId) => interaction({ refId, occurredAtMs: Date.now() - (WINDOW_HOURS + 5) * HOUR_MS })),
  )
  const [locked, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const trendingOf = async () => (await look(db)).products.filter(({ trending }) => trending !== 0).map(({ product }) => product)
  const counting = db.transaction().execute(async (tx) => {
    await sql`select from product_popularity where product_id = 'b' for update`.execute(tx)
    locked.resolve()
    await done.promise
  })
  await locked.promise
  const refreshed = refreshTrending(db)
  expect(await until(async () => (await trendingOf()).length === 1, 10_000)).toBe(true)
  expect(await trendingOf()).toEqual(['b'])
  done.resolve()
  await counting
  expect((await refreshed).repaired).toBe(3)
  expect(await trendingOf()).toEqual([])
})
