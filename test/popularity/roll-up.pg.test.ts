import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect, inject } from 'vitest'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { rescore } from '../../src/store/popularity/popularity-rules.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { rollUpSome } from '../../src/store/popularity/roll-up.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { BALANCED, createDatabase } from '../harness/servers/database.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { failingAt } from '../harness/servers/failing-store.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const DAYS = 400
const ago = (days: number) => Date.now() - days * DAY_MS

/** Each pair of neighbours has one product and type. */
const events = (ages: number[]) =>
  ages.map((days, n) => {
    const pair = Math.floor(n / 2)
    const eventType = ['view', 'purchase', 'unheard_of', 'dislike'][pair % 4]!
    return interaction({ refId: `p${pair % 5}`, eventType, occurredAtMs: ago(days) })
  })

/** Ages: now, around the edge and far behind it, with several hours of each day. */
const spread = () =>
  events([0, 1, 399, 399.9, 400, 400.3, 401, 401.2, 401.4, 401.6, 500, 500.5, 800, 800.1].flatMap((d) => [d, d + 0.05]))

const driftOf = async (db: Database) => (await verify(db)).drift

async function rollUp(db: Database, days = DAYS): Promise<number> {
  let sum = 0
  for (let moved = 1; moved > 0; sum += moved) moved = await rollUpSome(db, days)
  return sum
}

/** The numbers of every product, independent of the cells that they come from. */
async function products(db: Database): Promise<unknown[]> {
  const { rows } = await sql`
    select product_id, score_micros, trending, view_count, purchase_count, last_interaction from product_popularity order by 1`.execute(
    db,
  )
  return rows
}

async function counts(db: Database): Promise<{ hours: number; days: number; old: number; events: number }> {
  const { rows } = await sql<{ hours: number; days: number; old: number; events: number }>`
    select (select count(*)::int from product_hour) as hours, (select count(*)::int from product_day) as days,
      (select count(*)::int from product_hour cross join popularity_rules where hour < rolled_to) as old,
      (select sum(events)::int from product_cell) as events`.execute(db)
  return rows[0]!
}

test('hours before the edge become days, and no number changes', async ({ db }) => {
  await recordAndCount(db, spread())
  const [before, cells] = [await products(db), await counts(db)]
  expect(await rollUp(db)).toBeGreaterThan(10)
  expect(await products(db)).toEqual(before)
  const after = await counts(db)
  expect(after).toMatchObject({ old: 0, events: cells.events })
  expect(after.hours + after.days).toBeLessThan(cells.hours)
  expect(await driftOf(db)).toEqual([])
  expect(await rollUp(db)).toBe(0)
})

test('a late event counts for its day, an event just after the edge for its hour', async ({ db }) => {
  await recordAndCount(db, spread())
  await rollUp(db)
  const before = await counts(db)
  await recordAndCount(db, events([800, 800.05, 401.9]))
  expect(await counts(db)).toMatchObject({ hours: before.hours, old: 0, events: before.events + 3 })
  await recordAndCount(db, events([399]))
  expect((await counts(db)).hours).toBe(before.hours + 1)
  expect(await driftOf(db)).toEqual([])
})

test('a roll-up that was killed after any statement leaves no drift, and is continued', async ({ db }) => {
  for (let statement = 1; ; statement++) {
    await recordAndCount(db, spread())
    const failing = failingAt(db, statement)
    const moved = await rollUpSome(failing, DAYS + 100 - statement).catch(ignoreKilled)
    expect(await driftOf(db)).toEqual([])
    await recordAndCount(db, spread())
    expect(await driftOf(db)).toEqual([])
    if (moved !== undefined) break
    expect(statement).toBeLessThan(50)
  }
  await rollUp(db)
  expect((await counts(db)).old).toBe(0)
})

test('counting late events during roll-ups loses nothing and doubles nothing', async ({ db }) => {
  await recordAndCount(db, spread())
  await Promise.all([
    ...Array.from({ length: 8 }, async (_, n) => {
      for (let round = 0; round < 4; round++) await recordAndCount(db, spread().slice(n))
    }),
    ...[800, 600, 450, DAYS].map((days) => rollUp(db, days)),
  ])
  await rollUp(db)
  expect(await counts(db)).toMatchObject({ old: 0, events: (await verify(db)).events })
  expect(await driftOf(db)).toEqual([])
})

test('other weights and another half-life change the days too', async ({ db }) => {
  await recordAndCount(db, spread())
  await rollUp(db, 500)
  await rescore(db, { ...BALANCED, weightsName: 'storefront', weights: PRESETS.storefront })
  expect(await driftOf(db)).toEqual([])
  // The edge has moved, and its hours are not rolled up yet.
  await sql`update popularity_rules set rolled_to = rolled_to + interval '50 days'`.execute(db)
  await rescore(db, { ...BALANCED, halfLifeHours: 5 })
  expect(await driftOf(db)).toEqual([])
  await recordAndCount(db, spread())
  await rollUp(db)
  expect(await driftOf(db)).toEqual([])
})

test('verify names a changed, a missing and a surplus day', async ({ db }) => {
  await recordAndCount(db, spread())
  const stray = sql`insert into product_day values (now(), 1, 1, 'stray', 'view')`
  await stray.execute(db)
  expect(await driftOf(db)).toMatchObject([
    { aggregate: 'product_day', key: { product_id: 'stray' }, column: '*', expected: null },
  ])
  await sql`delete from product_day`.execute(db)
  await rollUp(db)
  const which = sql`product_id = 'p0' and day = (select min(day) from product_day where product_id = 'p0')`
  for (const column of ['events', 'decayed']) {
    const changeBy = (amount: number) =>
      sql`update product_day set ${sql.ref(column)} = ${sql.ref(column)} + ${sql.lit(amount)} where ${which}`.execute(db)
    await changeBy(1)
    expect(await driftOf(db)).toMatchObject([{ aggregate: 'product_day', key: { product_id: 'p0' }, column }])
    await changeBy(-1)
  }
  await sql`delete from product_day where ${which}`.execute(db)
  expect(await driftOf(db)).toMatchObject([{ aggregate: 'product_day', column: '*', stored: null }])
})

test('the edge never moves back', async ({ db }) => {
  await rollUp(db)
  const { rows } = await sql`select rolled_to from popularity_rules`.execute(db)
  await rollUp(db, 1_000)
  expect((await sql`select rolled_to from popularity_rules`.execute(db)).rows).toEqual(rows)
  const back = sql`update popularity_rules set rolled_to = rolled_to - interval '1 day'`.execute(db)
  await expect(back).rejects.toThrow('moves forward only')
})

/** Any order of counting, rolling up and dropping months. */
type Step =
  { what: 'count'; ages: number[] } | { what: 'roll up'; days: number; diesAt: number } | { what: 'retention'; days: number }

/** Few months, because each is a partition that every statement plans for. */
const age = fc.constantFrom(0, 20, 100, 398, 399, 400, 401, 402, 403, 800)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('count' as const),
      ages: fc.array(age, { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('roll up' as const),
      days: fc.integer({ min: 400, max: 900 }),
      diesAt: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('retention' as const), days: fc.integer({ min: 32, max: 900 }) }) },
)

test('no order of counting, roll-ups, killed roll-ups and retention makes drift', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
      const own = await createDatabase(inject('postgresUrl'))
      try {
        for (const [place, one] of steps.entries()) {
          if (one.what === 'count') await recordAndCount(own.db, eventsOf(place, one.ages))
          if (one.what === 'retention') await dropOldMonths(own.db, one.days)
          if (one.what === 'roll up') await rollUpSome(failingAt(own.db, one.diesAt), one.days).catch(ignoreKilled)
          if (one.what !== 'count') expect((await verify(own.db)).drift).toEqual([])
        }
        expect((await verify(own.db)).drift).toEqual([])
      } finally {
        await own.drop()
      }
    }),
    { numRuns: 5 },
  )
})

function eventsOf(place: number, ages: number[]) {
  return ages.map((days, n) => {
    const hash = createHash('sha256').update(`${place} ${n} ${days}`).digest()
    return interaction({
      refId: `p${hash[0]! % 3}`,
      eventType: hash[1]! % 2 ? 'view' : 'purchase',
      occurredAtMs: ago(days) - hash[2]! * 300_000,
    })
  })
}

function ignoreKilled(error: Error): undefined {
  if (error.message !== 'killed') throw error
}
