import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { Explanation } from '../../src/contract/explanation.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { explainOrZeros, explainPopularity } from '../../src/store/popularity/explanation.ts'
import { rescore } from '../../src/store/popularity/popularity-rules.ts'
import { popularityOf } from '../../src/store/popularity/top-list.ts'
import { repairTrending } from '../../src/store/popularity/trending-window.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { expectedTypes } from '../harness/reference/explanation.ts'

const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000
const TYPES = [...Object.keys(PRESETS.balanced), 'unheard_of', 'search_impression']
const PRODUCTS = ['a', 'Ünïcode 🛒', "it's"]

const eventArbitrary = fc
  .record({
    refId: fc.constantFrom(...PRODUCTS),
    refType: fc.constantFrom('Product' as const, 'Product' as const, 'Category' as const),
    eventType: fc.oneof(fc.constantFrom(...TYPES), fc.constantFrom('view', 'purchase')),
    ageMs: fc.oneof(
      fc.nat({ max: 3 * HOUR_MS }),
      fc.nat({ max: 8 * 24 * HOUR_MS }),
      fc.constantFrom(23, 24, 25, 167, 168, 169).map((hours) => hours * HOUR_MS),
      fc.constantFrom(20, 45, 400).map((days) => days * 24 * HOUR_MS),
    ),
  })
  .map(({ ageMs, ...rest }) => interaction({ ...rest, occurredAtMs: NOW_MS - ageMs }))

const rulesArbitrary = fc.record({
  weights: fc.dictionary(
    fc.constantFrom(...TYPES),
    fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }).map((micros) => micros / 1e6),
    { minKeys: 1 },
  ),
  halfLifeHours: fc.constantFrom(1, 72, 72, 5_000),
  windowHours: fc.constantFrom(24, 168, 168, 8_760),
})

/** What both say in one transaction, which has one now. */
function both(db: Database, productId: string) {
  return db.transaction().execute(async (tx) => ({
    shown: await popularityOf(tx, productId),
    explained: await explainPopularity(tx, productId),
  }))
}

const unitsOf = (value: number, decimals: number) => {
  const units = Math.round(value * 10 ** decimals)
  expect(units / 10 ** decimals).toBe(value)
  return BigInt(units)
}
const sumOf = (values: readonly number[], decimals: number) => values.reduce((sum, value) => sum + unitsOf(value, decimals), 0n)

/** The parts add up to the scores exactly, which are exactly those that are shown. */
function expectToAddUp({ shown, explained }: Awaited<ReturnType<typeof both>>) {
  expect(explained!.score).toBe(shown!.score)
  expect(explained!.trending_score).toBe(shown!.trending_score)
  expectPartsToAddUp(explained!)
}

function expectPartsToAddUp({ score, trending_score, event_types }: Explanation) {
  expect(
    sumOf(
      event_types.map((type) => type.score),
      6,
    ),
  ).toBe(unitsOf(score, 6))
  expect(
    sumOf(
      event_types.map((type) => type.trending_score),
      9,
    ),
  ).toBe(unitsOf(trending_score, 9))
}

test(
  'for any events, weights and instants the parts are those of the events, and add up exactly to what is shown',
  { timeout: 120_000 },
  async ({ db }) => {
    const scenario = fc.record({ events: fc.array(eventArbitrary, { minLength: 1, maxLength: 60 }), rules: rulesArbitrary })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ events, rules }) => {
        await clear(db)
        await recordAndCount(db, events)
        const { weightsVersion } = await rescore(db, { weightsName: 'any', ...rules })
        for (const productId of PRODUCTS) {
          const answers = await both(db, productId)
          const { explained } = answers
          if (explained === undefined) {
            expect(answers.shown).toBeUndefined()
            expect(events.filter(({ refId, refType }) => refId === productId && refType === 'Product')).toEqual([])
            continue
          }
          expect(Explanation.parse(explained)).toMatchObject({
            weights_version: weightsVersion,
            half_life_hours: rules.halfLifeHours,
          })
          expectToAddUp(answers)
          const asOfMs = Date.parse(explained.as_of)
          const edgeMs = Date.parse(explained.trending_from)
          expect(edgeMs).toBe(Math.floor((asOfMs - rules.windowHours * HOUR_MS) / HOUR_MS) * HOUR_MS)
          const expected = expectedTypes(events, productId, { ...rules, edgeMs, asOfMs })
          expect(explained.event_types.map((type) => type.event_type).toSorted()).toEqual([...expected.keys()].toSorted())
          for (const type of explained.event_types) {
            const { count, scoreMicros, trendingCount, trending, spread } = expected.get(type.event_type)!
            expect(type).toMatchObject({ count, trending_count: trendingCount, weight: rules.weights[type.event_type] ?? null })
            expect(unitsOf(type.score, 6)).toBe(BigInt(scoreMicros))
            // The remainder of the rounding, and as_of in whole milliseconds.
            expect(Math.abs(type.trending_score - trending)).toBeLessThan(3e-8 + 1e-6 * spread)
          }
        }
      }),
      { numRuns: 40 },
    )
  },
)

test('the greatest part is first, and types without a weight are last', async ({ db }) => {
  await clear(db)
  await rescore(db, { weightsName: 'balanced', weights: PRESETS.balanced, halfLifeHours: 72, windowHours: 168 })
  const many = (eventType: string, count: number) =>
    Array.from({ length: count }, () => interaction({ refId: 'lamp', eventType }))
  await recordAndCount(db, [...many('quick_view', 9), ...many('dislike', 2), ...many('purchase', 1), ...many('view', 3)])
  const { event_types } = (await explainPopularity(db, 'lamp'))!
  expect(event_types.map(({ event_type, score, weight }) => [event_type, score, weight])).toEqual([
    ['view', 0.9, 0.3],
    ['purchase', 0.8, 0.8],
    ['dislike', -1, -0.5],
    ['quick_view', 0, null],
  ])
})

test('a product of the catalog without events has zeros, and an unknown one nothing', async ({ db }) => {
  await sql`insert into catalog.product (product_id, name, status, updated_at, call_id) values ('new', 'n', 'active', now(), gen_random_uuid())`.execute(
    db,
  )
  expect(await explainPopularity(db, 'new')).toBeUndefined()
  expect(await explainOrZeros(db, 'new')).toMatchObject({ score: 0, trending_score: 0, event_types: [] })
  expect(await explainOrZeros(db, 'unknown')).toBeUndefined()
})

test('while hours that left the window are being removed, the parts are what the sum is about to become', async ({ db }) => {
  await clear(db)
  await rescore(db, { weightsName: 'balanced', weights: PRESETS.balanced, halfLifeHours: 72, windowHours: 168 })
  await recordAndCount(db, [
    interaction({ refId: 'lamp', occurredAtMs: Date.now() - 100 * HOUR_MS }),
    interaction({ refId: 'lamp', occurredAtMs: Date.now() - HOUR_MS, eventType: 'purchase' }),
  ])
  await sql`update popularity_rules set edge = edge + interval '100 hours'`.execute(db)
  const during = await both(db, 'lamp')
  expectPartsToAddUp(during.explained!)
  expect(during.explained!.trending_score).toBeLessThan(during.shown!.trending_score - 0.05)
  expect(await repairTrending(db)).toBe(1)
  const after = await both(db, 'lamp')
  expectToAddUp(after)
  expect(after.explained!.trending_score).toBeCloseTo(during.explained!.trending_score, 3)
})
