import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { MODES, type Mode, PopularProduct, type PopularRequest } from '../../src/contract/popular-list.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { popularPage } from '../../src/store/popularity/popular-page.ts'
import { decodeCursor, encodeCursor } from '../../src/store/database/cursor.ts'
import { rolledToMsOf, rollUpSome } from '../../src/store/popularity/roll-up.ts'
import { isRisingDue, refreshRising } from '../../src/store/popularity/rising.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { clear } from '../harness/servers/database.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { expectedList, type Listed } from '../harness/reference/popular-list.ts'
import { rulesInForce } from '../harness/reference/cells.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'

test.beforeEach(({ db }) => emptied(db))

async function emptied(db: Database): Promise<void> {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
}

const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000
const MODE_NAMES = Object.keys(MODES) as Mode[]
const HALF_LIFE_HOURS = 72
const PRODUCTS = ['a', 'b', 'c', 'd', 'Ünïcode 🛒', '"quoted"']
const CATEGORIES = ['lamps', 'desks', 'Ünï']

const eventArbitrary: fc.Arbitrary<NewInteraction> = fc
  .record({
    refId: fc.constantFrom(...PRODUCTS),
    eventType: fc.oneof(fc.constantFrom(...Object.keys(PRESETS.balanced)), fc.constantFrom('view', 'view', 'unheard_of')),
    ageMs: fc.oneof(
      fc.nat({ max: 3 * HOUR_MS }),
      fc.nat({ max: 20 * 24 * HOUR_MS }),
      fc.constantFrom(24, 25, 168, 192).map((hours) => hours * HOUR_MS),
      fc.nat({ max: 370 }).map((days) => days * 24 * HOUR_MS),
    ),
  })
  .map(({ ageMs, ...rest }) => interaction({ ...rest, occurredAtMs: NOW_MS - ageMs }))

const catalogueArbitrary = fc
  .array(
    fc.record({
      productId: fc.constantFrom(...PRODUCTS),
      category: fc.option(fc.constantFrom(...CATEGORIES)),
      status: fc.constantFrom('active' as const, 'active' as const, 'active' as const, 'hidden' as const, 'deleted' as const),
      quantity: fc.constantFrom(null, -1, 0, 1),
    }),
    { maxLength: PRODUCTS.length },
  )
  .map((rows) => new Map<string, Listed>(rows.map(({ productId, ...listed }) => [productId, listed])))

const requestArbitrary: fc.Arbitrary<PopularRequest> = fc.record(
  {
    mode: fc.constantFrom(...MODE_NAMES),
    limit: fc.integer({ min: 1, max: 4 }),
    min_interactions: fc.constantFrom(1, 1, 2, 5),
    time_window_days: fc.constantFrom(1, 2, 7, 8, 365),
    category_ids: fc.subarray(CATEGORIES, { minLength: 1 }),
    in_stock: fc.boolean(),
    expand: fc.constant('product' as const),
    as_of: fc
      .oneof(fc.nat({ max: 20 * 24 * HOUR_MS }), fc.nat({ max: 400 * 24 * HOUR_MS }))
      .map((ageMs) => new Date(NOW_MS - ageMs).toISOString()),
  },
  { requiredKeys: ['mode', 'limit', 'min_interactions'] },
)

/** Behind the trending window, but later than many events and instants. */
const ROLL_UP_DAYS = 10

test.for([
  ['of hours', false],
  ['of hours and days', true],
])(
  'every mode, window, category and instant agrees with the events, on pages of any length: %s',
  { timeout: 120_000 },
  async ([_what, isRolledUp], { db, proofs }) => {
    if (isRolledUp) await rollUpSome(db, ROLL_UP_DAYS)
    const { edgeMs } = await rulesInForce(db)
    const rolledToMs = await rolledToMsOf(db)
    const scenario = fc.record({
      events: fc.array(eventArbitrary, { minLength: 1, maxLength: 60 }),
      catalogue: catalogueArbitrary,
      requests: fc.array(requestArbitrary, { minLength: 12, maxLength: 12 }),
    })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ events, catalogue, requests }) => {
        await emptied(db)
        await storeCatalogue(db, catalogue)
        await recordAndCount(db, events)
        await refreshRising(db, NOW_MS)
        for (const request of requests) {
          const fromMs = Date.now()
          const listed = await wholeList(db, request)
          const ordered = isKept(request) && request.mode === 'trending' ? withoutNearTies(listed) : listed
          const expected = expectedList(events, catalogue, request, { nowMs: NOW_MS, edgeMs, rolledToMs })
          expect(ordered.map((product) => product.product_id)).toEqual(expected.map((product) => product.product_id))
          for (const [place, product] of ordered.entries()) {
            expectSame(request, product, expected[place]!, fromMs)
            expect(product.product).toEqual(besideOf(request, catalogue.get(product.product_id)))
          }
        }
        expect((await verify(proofs)).drift).toEqual([])
      }),
      { numRuns: 15 },
    )
  },
)

const isKept = ({ as_of, time_window_days }: PopularRequest) => as_of === undefined && time_window_days === undefined

/** Stored trending decays to the instant of the answer, which was requested at `fromMs`, after the test's now. */
function expectSame(request: PopularRequest, product: PopularProduct, expected: Partial<PopularProduct>, fromMs: number) {
  const { rising_score, trending_score, ...exact } = expected
  expect(product).toMatchObject(exact)
  const decayed = (untilMs: number) => (isKept(request) ? 0.5 ** ((untilMs - NOW_MS) / HOUR_MS / HALF_LIFE_HOURS) : 1)
  const ends = [decayed(fromMs), decayed(Date.now())].map((factor) => trending_score! * factor)
  expect(product.trending_score).toBeGreaterThanOrEqual(Math.min(...ends) - 2e-9)
  expect(product.trending_score).toBeLessThanOrEqual(Math.max(...ends) + 2e-9)
  if (request.mode === 'rising') expect(product.rising_score).toBeCloseTo(rising_score!, 9)
}

/** The product beside a row; it has the fields that have a value. */
function besideOf({ expand }: PopularRequest, listed: Listed | undefined): PopularProduct['product'] {
  if (expand === undefined) return undefined
  if (listed === undefined) return null
  const { category, status, quantity } = listed
  return { name: 'n', ...(category !== null && { category }), ...(quantity !== null && { quantity }), status }
}

/** Stored trending is a sum in the order of arrival, so equal values may differ in, and be ordered by, their last digits. */
function withoutNearTies(listed: readonly PopularProduct[]): PopularProduct[] {
  for (const [place, product] of listed.slice(1).entries()) {
    expect(product.trending_score).toBeLessThanOrEqual(listed[place]!.trending_score + 1e-9)
  }
  return listed.toSorted((one, other) => {
    const difference = other.trending_score - one.trending_score
    return Math.abs(difference) > 1e-9 ? difference : Buffer.compare(Buffer.from(one.product_id), Buffer.from(other.product_id))
  })
}

/** All pages, one after the other. */
async function wholeList(db: Database, request: PopularRequest): Promise<PopularProduct[]> {
  const products: PopularProduct[] = []
  for (let cursor: string | undefined; ;) {
    const { rows, meta } = await popularPage(db, { ...request, cursor }, NOW_MS)
    expect(rows.length).toBeLessThanOrEqual(request.limit)
    products.push(...rows.map((json) => PopularProduct.parse(JSON.parse(json))))
    if (meta.next_cursor === null) return products
    cursor = meta.next_cursor
  }
}

async function storeCatalogue(db: Database, catalogue: ReadonlyMap<string, Listed>): Promise<void> {
  for (const [productId, { category, status, quantity }] of catalogue) {
    await sql`insert into catalog.product (product_id, name, category, status, quantity, updated_at, call_id)
      values (${productId}, 'n', ${category}, ${status}, ${quantity}, now(), gen_random_uuid())`.execute(db)
  }
}

const many = (refId: string, count: number, ageHours: number, changes: Partial<NewInteraction> = {}) =>
  Array.from({ length: count }, () => interaction({ refId, occurredAtMs: NOW_MS - ageHours * HOUR_MS, ...changes }))

const listOf = async (db: Database, request: Partial<PopularRequest>) =>
  wholeList(db, { mode: 'trending', limit: 100, min_interactions: 1, ...request })

test('a product rises when it exceeds its past, and small numbers do not beat large ones', async ({ db }) => {
  const daily = (refId: string, before: number, now: number) => [
    ...Array.from({ length: 7 }, (_, day) => many(refId, before, 30 + day * 24)).flat(),
    ...many(refId, now, 2),
  ]
  await recordAndCount(db, [
    ...daily('small', 3, 6),
    ...daily('large', 300, 900),
    ...daily('steady', 50, 50),
    ...daily('falling', 40, 5),
  ])
  expect(await listOf(db, { mode: 'rising' })).toEqual([])
  await refreshRising(db, NOW_MS)
  const rising = await listOf(db, { mode: 'rising' })
  expect(rising.map((product) => product.product_id)).toEqual(['large', 'small'])
  expect(rising[0]).toMatchObject({ view_count: 3_000 })
  // An hour that has begun counts in part.
  expect(rising[0]!.rising_score).toBeGreaterThan(910 / (310 * (25 / 24)))
  expect(rising[0]!.rising_score).toBeLessThanOrEqual(910 / 310)
  const ofDay = await listOf(db, { mode: 'rising', time_window_days: 1 })
  expect(ofDay.map(({ product_id, view_count }) => [product_id, view_count])).toEqual([
    ['large', 900],
    ['small', 6],
  ])
})

test('what rises is due every half an hour, and always while the shop is new', async ({ db }) => {
  await sql`delete from product_rising_run`.execute(db)
  expect(await isRisingDue(db)).toBe(true)
  const computed = (minutesAgo: number) => refreshRising(db, Date.now() - minutesAgo * 60_000)
  await computed(29)
  expect(await isRisingDue(db)).toBe(false)
  await computed(31)
  expect(await isRisingDue(db)).toBe(true)
  await recordAndCount(db, [interaction({ refId: 'first' })])
  await computed(0)
  expect(await isRisingDue(db)).toBe(true)
  await sql`update interaction_batch set received_at = now() - interval '11 minutes'`.execute(db)
  expect(await isRisingDue(db)).toBe(false)
})

test('reports do not count as attention', async ({ db }) => {
  await recordAndCount(db, many('bad', 500, 2, { eventType: 'report_product' }))
  await refreshRising(db, NOW_MS)
  expect(await listOf(db, { mode: 'rising' })).toEqual([])
})

test('all pages of a list have the window of the first page, however late they are read', async ({ db }) => {
  await recordAndCount(db, [...many('a', 3, 23.5), ...many('b', 2, 23.5), ...many('c', 1, 23.5)])
  const request = { mode: 'most_viewed', time_window_days: 1, limit: 2, min_interactions: 1 } as const
  const first = await popularPage(db, request, NOW_MS)
  expect(first.rows).toHaveLength(2)
  const later = NOW_MS + 5 * HOUR_MS
  const second = await popularPage(db, { ...request, cursor: first.meta.next_cursor! }, later)
  expect(second.rows).toHaveLength(1)
  expect((await popularPage(db, request, later)).rows).toHaveLength(0)
})

test('a hidden product leaves every list immediately, and returns with its numbers', async ({ db }) => {
  await recordAndCount(db, [...many('x', 3, 1), ...many('y', 1, 1)])
  const set = (status: Listed['status']) =>
    sql`insert into catalog.product (product_id, name, category, status, updated_at, call_id) values ('x', 'n', 'lamps', ${status}, now(), gen_random_uuid())
      on conflict (product_id) do update set status = excluded.status`.execute(db)
  const idsOf = async (request: Partial<PopularRequest>) => (await listOf(db, request)).map((product) => product.product_id)
  for (const request of [{}, { time_window_days: 1 }, { mode: 'most_viewed' as const }]) {
    await set('active')
    const before = await listOf(db, request)
    expect(before).toHaveLength(2)
    await set('hidden')
    expect(await idsOf(request)).toEqual(['y'])
    await set('deleted')
    expect(await idsOf(request)).toEqual(['y'])
    await set('active')
    expect((await listOf(db, request)).map(({ view_count }) => view_count)).toEqual(before.map(({ view_count }) => view_count))
  }
})

test.for([
  ['an instant in the future', { as_of: new Date(NOW_MS + 1_000).toISOString() }, 'as_of'],
  ['an instant before 2000', { as_of: '1999-12-31T23:59:59.999Z' }, 'as_of'],
  ['no cursor', { cursor: createHash('sha256').digest('base64url') }, 'cursor'],
] as const)('%s is refused with its field', async ([_name, changes, field], { db }) => {
  const request = { mode: 'overall', limit: 1, min_interactions: 1, ...changes } as const
  await expect(popularPage(db, request, NOW_MS)).rejects.toMatchObject({ field })
})

test.for([
  { mode: 'most_viewed' },
  { time_window_days: 2 },
  { min_interactions: 2 },
  { in_stock: true },
  { category_ids: ['lamps'] },
  { as_of: new Date(NOW_MS - HOUR_MS).toISOString() },
] satisfies Partial<PopularRequest>[])('a cursor of another query is refused: %o', async (other, { db }) => {
  await recordAndCount(db, [...many('a', 1, 1), ...many('b', 1, 1)])
  const request: PopularRequest = { mode: 'overall', limit: 1, min_interactions: 1 }
  const { meta } = await popularPage(db, request, NOW_MS)
  expect(meta.next_cursor).not.toBeNull()
  const next = { ...request, cursor: meta.next_cursor! }
  expect((await popularPage(db, { ...next, limit: 5 }, NOW_MS)).rows).toHaveLength(1)
  await expect(popularPage(db, { ...next, ...other }, NOW_MS)).rejects.toMatchObject({ field: 'cursor' })
})

test.for([
  ['a count that is no whole number', 'most_viewed', ['1.5']],
  ['a count that is written otherwise', 'most_viewed', ['1e5']],
  ['a count beyond bigint', 'overall', ['9'.repeat(30)]],
  ['a float beyond float8', 'trending', ['1e999']],
  ['a float below float8', 'trending', ['1e-999']],
  ['no number', 'trending', ['NaN']],
  ['a value too many', 'overall', ['1', '1']],
  ['a value too few', 'most_searched', ['1']],
  ['none', 'overall', []],
] as const)('a cursor with %s is refused by its field', async ([_what, mode, values], { db }) => {
  const { request, parts } = await pageOf(db, mode)
  const [query, instant, productId] = parts
  const cursor = encodeCursor('popular', [query!, instant!, productId!, ...values])
  await expect(popularPage(db, { ...request, cursor }, NOW_MS)).rejects.toMatchObject({ field: 'cursor' })
})

test.for([
  ['of the day before yesterday', -48 * HOUR_MS],
  ['of tomorrow', 24 * HOUR_MS],
  ['of long ago', 1e11 - NOW_MS],
] as const)('a cursor %s is refused', async ([_when, aheadMs], { db }) => {
  const { request, parts } = await pageOf(db, 'most_viewed', { time_window_days: 1 })
  const cursor = encodeCursor('popular', parts.with(1, String(NOW_MS + aheadMs)))
  await expect(popularPage(db, { ...request, cursor }, NOW_MS)).rejects.toMatchObject({ field: 'cursor' })
})

/** A first page with one of two products, and the parts of its cursor. */
async function pageOf(db: Database, mode: Mode, changes: Partial<PopularRequest> = {}) {
  await recordAndCount(
    db,
    ['a', 'b'].flatMap((refId) => [...many(refId, 2, 1), ...many(refId, 1, 1, { eventType: 'click_from_search' })]),
  )
  const request: PopularRequest = { mode, limit: 1, min_interactions: 1, ...changes }
  const { meta } = await popularPage(db, request, NOW_MS)
  return { request, parts: [...decodeCursor('popular', meta.next_cursor!)!] }
}
