import { sql } from 'kysely'
import { expect } from 'vitest'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { currentRules, rescore } from '../../src/store/popularity/popularity-rules.ts'
import { refreshTrending, repairTrending } from '../../src/store/popularity/trending-window.ts'
import { popularityOf } from '../../src/store/popularity/top-list.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { BALANCED } from '../harness/servers/database.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'

/** Events of 20 products from now to 9 days back. */
const spread = () =>
  Array.from({ length: 400 }, (_, n) =>
    interaction({
      refId: `p${n % 20}`,
      eventType: ['view', 'purchase', 'dislike', 'wishlisted'][n % 4]!,
      occurredAtMs: Date.now() - n * 0.55 * HOUR_MS,
    }),
  )

test('a rescore with other weights equals counting with them from the start', async ({ db }) => {
  await recordAndCount(db, spread())
  const before = await popularityOf(db, 'p0')
  const result = await rescore(db, { ...BALANCED, weightsName: 'storefront', weights: PRESETS.storefront })
  expect(result).toEqual({ products: 20, weightsVersion: 2 })
  expect((await verify(db)).drift).toEqual([])
  const after = await popularityOf(db, 'p0')
  expect(after).toMatchObject({ score: 40, view_count: before!.view_count, date_updated: before!.date_updated })
  await rescore(db, BALANCED, 'ada')
  expect(await popularityOf(db, 'p0')).toMatchObject({ score: before!.score })
  const { rows } = await sql`
    select actor, resource_id, metadata from audit_entry where action = 'weights.change' order by audit_id desc limit 1`.execute(
    db,
  )
  const metadata = { name: 'balanced', half_life_hours: 72, window_hours: 168, products: 20 }
  expect(rows).toEqual([{ actor: 'ada', resource_id: '3', metadata }])
})

test('an event type that gets a weight later counts with its old events', async ({ db }) => {
  await recordAndCount(db, [
    interaction({ refId: 'x', eventType: 'wishlisted' }),
    interaction({ refId: 'x', eventType: 'wishlisted' }),
  ])
  expect(await popularityOf(db, 'x')).toMatchObject({ score: 0, trending_score: 0 })
  await rescore(db, { ...BALANCED, weightsName: 'own', weights: { wishlisted: 1.25 } })
  expect(await popularityOf(db, 'x')).toMatchObject({ score: 2.5 })
})

test('a new half-life and window rebuild the hours and trending', async ({ db }) => {
  await recordAndCount(db, spread())
  await rescore(db, { ...BALANCED, halfLifeHours: 5, windowHours: 24 })
  expect((await verify(db)).drift).toEqual([])
  expect(await currentRules(db)).toMatchObject({ halfLifeHours: 5, windowHours: 24 })
  await recordAndCount(
    db,
    spread().map((event) => ({ ...event, refId: 'late' })),
  )
  expect((await verify(db)).drift).toEqual([])
})

test('a new half-life is refused after part of the log was dropped', async ({ db }) => {
  await sql`update log_horizon set horizon = '2020-01-01'`.execute(db)
  await expect(rescore(db, { ...BALANCED, halfLifeHours: 5 })).rejects.toThrow('needs the whole log')
  expect(await currentRules(db)).toMatchObject({ halfLifeHours: 72 })
})

test('moving the edge drops the hours that left the window, and a killed repair is continued', async ({ db }) => {
  await sql`update popularity_rules set edge = edge - interval '3 days', repaired_to = edge - interval '3 days'`.execute(db)
  await recordAndCount(db, spread())
  const outside = await sql<{
    n: number
  }>`select count(*)::int as n from product_hour, popularity_rules where hour < edge + interval '3 days' and hour >= edge`.execute(
    db,
  )
  expect(outside.rows[0]!.n).toBeGreaterThan(10)
  // The edge moves without a repair, as after a kill.
  await sql`update popularity_rules set edge = edge + interval '1 day'`.execute(db)
  await refreshTrending(db)
  expect((await verify(db)).drift).toEqual([])
  expect(await repairTrending(db)).toBe(0)
})

test('counting while the window moves leaves no drift', async ({ db }) => {
  await recordAndCount(db, spread())
  for (let round = 0; round < 5; round++) {
    // Ten days are in the window and seven should be: the refresh has three to repair.
    await rescore(db, { ...BALANCED, windowHours: 240 })
    await sql`update popularity_rules set window_hours = 168`.execute(db)
    await Promise.all([
      ...Array.from({ length: 6 }, () => recordAndCount(db, spread())),
      refreshTrending(db),
      rescore(db, { ...BALANCED, windowHours: 48 }),
      refreshTrending(db),
    ])
    await repairTrending(db)
    expect((await verify(db)).drift).toEqual([])
  }
})

test('moving a landmark that is far behind does not change trending', async ({ db }) => {
  await recordAndCount(db, spread())
  const before = await popularityOf(db, 'p0')
  // 250 half-lives back, so every stored value is larger by 2^250.
  await sql`update product_popularity set trending = trending * power(2::float8, 250)`.execute(db)
  await sql`update popularity_rules set landmark = landmark - 250 * interval '72 hours'`.execute(db)
  expect((await verify(db)).drift).toEqual([])
  await refreshTrending(db)
  const { rows } = await sql<{
    hours: number
  }>`select extract(epoch from now() - landmark)::float8 / 3600 as hours from popularity_rules`.execute(db)
  expect(rows[0]!.hours).toBeLessThan(2)
  expect((await verify(db)).drift).toEqual([])
  expect((await popularityOf(db, 'p0'))!.trending_score / before!.trending_score).toBeCloseTo(1, 4)
})

test('a short half-life in a long window also counts events whose share is zero', async ({ db }) => {
  await rescore(db, { ...BALANCED, halfLifeHours: 1, windowHours: 365 * 24 })
  const old = interaction({ refId: 'old', occurredAtMs: Date.now() - 60 * 24 * HOUR_MS })
  await recordAndCount(db, [old, interaction({ refId: 'old' })])
  expect((await verify(db)).drift).toEqual([])
  expect((await popularityOf(db, 'old'))!.trending_score).toBeCloseTo(0.3, 2)
})

test('an open repair is no drift: verify reports it as open', async ({ db }) => {
  await recordAndCount(db, spread())
  await sql`update popularity_rules set edge = edge + interval '1 day'`.execute(db)
  await expect(verify(db, { patienceMs: 0 })).rejects.toThrow('being moved')
  await repairTrending(db)
  expect((await verify(db)).drift).toEqual([])
})
