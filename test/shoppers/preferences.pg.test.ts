import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import type { NewPayment } from '../../src/admission/payment.ts'
import { DAY_MS, HOUR_MS } from '../../src/contract/fields/time.ts'
import { AFFINITIES_MAX, Preferences, PURCHASES_MAX } from '../../src/contract/preferences.ts'
import { decayOf } from '../../src/ranking/preferences.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { rescore } from '../../src/store/popularity/popularity-rules.ts'
import { preferencesOf } from '../../src/store/preferences/preferences.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { shopperIdsOf } from '../../src/store/shoppers/shopper-redirect.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { callbacksArbitrary, item, newCall, payment } from '../harness/items/payments.ts'
import { upsert } from '../harness/items/products.ts'
import { expectedAffinities, expectedPurchases } from '../harness/reference/preferences.ts'
import { BALANCED, clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'

const SETTINGS = { halfLifeDays: 30 }
const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000

async function emptied(db: Database): Promise<void> {
  await clear(db)
  for (const table of ['shopper_redirect', 'catalog.product']) await sql`delete from ${sql.table(table)}`.execute(db)
}
test.beforeEach(({ db }) => emptied(db))

/** The products of the tests; `stool` has neither, and `unlisted` is not in the catalog. */
const CATALOG = [
  { product_id: 'lamp', category: 'lighting', brand: 'Lumen' },
  { product_id: 'bulb', category: 'lighting', brand: 'Watt' },
  { product_id: 'desk', category: 'tables', brand: 'Lumen' },
  { product_id: 'shelf', category: 'storage' },
  { product_id: 'stool' },
]
const CATEGORY_OF = new Map(
  CATALOG.flatMap(({ product_id, category }) => (category === undefined ? [] : [[product_id, category]])),
)
const BRAND_OF = new Map(CATALOG.flatMap(({ product_id, brand }) => (brand === undefined ? [] : [[product_id, brand]])))

async function storeCatalog(db: Database): Promise<void> {
  await upsert(
    db,
    CATALOG.map((product) => ({ ...product, name: product.product_id, status: 'active', updated_at: '2026-01-01T00:00:00Z' })),
  )
}

const merge = (db: Database, session_id: string, account_id: string) =>
  mergeSession(db, { session_id, account_id, asked_at_ms: NOW_MS })

async function ask(db: Database, shopperId: string, nowMs = NOW_MS, settings = SETTINGS): Promise<Preferences> {
  return Preferences.parse(await preferencesOf(db, shopperId, nowMs, settings))
}

function byName(preferences: Preferences): { categories: Record<string, number>; brands: Record<string, number> } {
  return {
    categories: Object.fromEntries(preferences.categories.map(({ category, affinity }) => [category, affinity])),
    brands: Object.fromEntries(preferences.brands.map(({ brand, affinity }) => [brand, affinity])),
  }
}

const close = (affinities: Record<string, number>) =>
  Object.fromEntries(Object.entries(affinities).map(([name, affinity]) => [name, expect.closeTo(affinity, 5)]))

const ago = (days: number) => NOW_MS - days * DAY_MS
const event = (changes: Partial<NewInteraction>) => interaction({ accountId: 'ada', occurredAtMs: NOW_MS, ...changes })

test('an unknown shopper has no preferences', async ({ db }) => {
  for (const shopper_id of ['account:nobody', 'session:nobody', 'session:order:4711']) {
    expect(await ask(db, shopper_id)).toEqual({
      shopper_id,
      as_of: new Date(NOW_MS).toISOString(),
      categories: [],
      brands: [],
      recent_interactions: [],
      purchases: [],
    })
  }
})

test('affinities are the shares of decayed weights, with the highest weight for what is unknown', async ({ db }) => {
  await storeCatalog(db)
  await recordAndCount(db, [event({ refId: 'lamp', eventType: 'purchase' })])
  expect(byName(await ask(db, 'account:ada'))).toEqual({ categories: { lighting: 0.5 }, brands: { Lumen: 0.5 } })
  await recordAndCount(db, [event({ refId: 'desk', eventType: 'add_to_cart', occurredAtMs: ago(30) })])
  const [lighting, tables] = [0.8, 0.25]
  const total = lighting + tables
  expect(byName(await ask(db, 'account:ada'))).toEqual({
    categories: close({ lighting: lighting / (total + 0.8), tables: tables / (total + 0.8) }),
    brands: close({ Lumen: total / (total + 0.8) }),
  })
})

test('affinities shrink with time, the faster the shorter the half-life, and without an error at any age', async ({ db }) => {
  await storeCatalog(db)
  await recordAndCount(db, [event({ refId: 'lamp', eventType: 'purchase' })])
  const at = async (days: number, halfLifeDays = 30) =>
    byName(await ask(db, 'account:ada', NOW_MS + days * DAY_MS, { halfLifeDays })).categories['lighting']
  expect(await at(0)).toBe(0.5)
  expect(await at(30)).toBeCloseTo(0.4 / 1.2, 6)
  expect(await at(30, 10)).toBeCloseTo(0.1 / 0.9, 6)
  expect(await at(20_000, 0.1)).toBe(0)
  // A clock that is ahead makes nothing larger.
  expect(await at(-0.003)).toBe(0.5)
})

test('what a shopper dislikes has no affinity and takes none from the rest', async ({ db }) => {
  await storeCatalog(db)
  await recordAndCount(db, [
    event({ refId: 'lamp', eventType: 'view' }),
    event({ refId: 'desk', eventType: 'add_to_cart' }),
    event({ refId: 'desk', eventType: 'rating_low' }),
    event({ refId: 'shelf', eventType: 'return_product' }),
  ])
  expect(byName(await ask(db, 'account:ada'))).toEqual({
    categories: close({ lighting: 0.3 / 1.1 }),
    brands: close({ Lumen: 0.3 / 1.1 }),
  })
})

test('types without a weight, categories as such and products outside the catalog change no affinity', async ({ db }) => {
  await storeCatalog(db)
  await recordAndCount(db, [
    event({ refId: 'lamp', eventType: 'unheard_of' }),
    event({ refId: 'lighting', refType: 'Category' }),
    event({ refId: 'unlisted', eventType: 'purchase' }),
    event({ refId: 'stool', eventType: 'purchase' }),
  ])
  const preferences = await ask(db, 'account:ada')
  expect(byName(preferences)).toEqual({ categories: {}, brands: {} })
  expect(preferences.recent_interactions.map(({ product_id }) => product_id).toSorted()).toEqual(['lamp', 'stool', 'unlisted'])
})

test('all weights times ten give the same affinities', async ({ db }) => {
  await storeCatalog(db)
  await recordAndCount(db, [event({ refId: 'lamp', eventType: 'view' }), event({ refId: 'desk', eventType: 'purchase' })])
  const before = byName(await ask(db, 'account:ada'))
  const weights = Object.fromEntries(Object.entries(PRESETS.balanced).map(([type, weight]) => [type, weight * 10]))
  await rescore(db, { ...BALANCED, weightsName: 'ten times', weights })
  expect(byName(await ask(db, 'account:ada'))).toEqual(before)
  await rescore(db, { ...BALANCED, weightsName: 'dislikes', weights: { dislike: -1 } })
  expect(byName(await ask(db, 'account:ada'))).toEqual({ categories: {}, brands: {} })
  await rescore(db, BALANCED)
})

const TYPES = ['view', 'add_to_cart', 'purchase', 'rating_low', 'refund_requested', 'return_product', 'unheard_of']

const eventArbitrary: fc.Arbitrary<NewInteraction> = fc
  .record({
    ageMs: fc.oneof(fc.nat({ max: 3 * HOUR_MS }), fc.nat({ max: 60 * DAY_MS }), fc.constantFrom(-60_000, 200 * DAY_MS)),
    eventType: fc.constantFrom(...TYPES),
    refType: fc.constantFrom(...(['Product', 'Product', 'Product', 'Category'] as const)),
    refId: fc.constantFrom('lamp', 'bulb', 'desk', 'shelf', 'stool', 'unlisted'),
    accountId: fc.constantFrom('ada', null, null),
    sessionId: fc.constantFrom('s', 's', 't'),
  })
  .map(({ ageMs, ...rest }) => interaction({ ...rest, occurredAtMs: NOW_MS - ageMs }))

test(
  'affinities equal those of the log, event by event, for any events and merges',
  { timeout: 240_000 },
  async ({ db, proofs }) => {
    const batches = fc.array(fc.array(eventArbitrary, { minLength: 1, maxLength: 150 }), { minLength: 1, maxLength: 4 })
    const merges = fc.subarray([['s', 'ada'] as const, ['t', 'ada'] as const, ['s', 'bea'] as const])
    const question = fc.record({ afterMs: fc.nat({ max: 90 * DAY_MS }), halfLifeDays: fc.constantFrom(0.5, 7, 30, 400) })
    await fc.assert(
      fc.asyncProperty(batches, merges, question, async (sent, merged, { afterMs, halfLifeDays }) => {
        await emptied(db)
        await storeCatalog(db)
        // Every drawn event is one of its own.
        const fresh = sent.map((batch) => batch.map((one) => ({ ...one, eventId: randomUUID() })))
        await Promise.all(fresh.map((batch) => recordAndCount(db, batch)))
        for (const [session, account] of merged) await merge(db, session, account)
        const nowMs = NOW_MS + afterMs
        for (const shopper of [
          { kind: 'account', id: 'ada' },
          { kind: 'session', id: 's' },
          { kind: 'session', id: 't' },
        ] as const) {
          const preferences = await ask(db, `${shopper.kind}:${shopper.id}`, nowMs, { halfLifeDays })
          const asked = { shopperIds: await shopperIdsOf(db, shopper), nowMs, halfLifeDays, weights: PRESETS.balanced }
          const expected = (nameOf: ReadonlyMap<string, string>) => expectedAffinities(fresh.flat(), { ...asked, nameOf })
          expectSame(byName(preferences).categories, expected(CATEGORY_OF))
          expectSame(byName(preferences).brands, expected(BRAND_OF))
          for (const { affinity } of [...preferences.categories, ...preferences.brands]) {
            expect(affinity).toBeGreaterThanOrEqual(0)
            expect(affinity).toBeLessThan(1)
          }
          expect(await ask(db, `${shopper.kind}:${shopper.id}`, nowMs, { halfLifeDays })).toEqual(preferences)
        }
        expect((await verify(proofs)).drift).toEqual([])
      }),
      { numRuns: 20 },
    )
  },
)

/** Affinities that round to 0 may be missing on one side, because floats are added in any order. */
function expectSame(actual: Record<string, number>, expected: Record<string, number>): void {
  for (const name of new Set([...Object.keys(actual), ...Object.keys(expected)]))
    expect([name, actual[name] ?? 0]).toEqual([name, expect.closeTo(expected[name] ?? 0, 5)])
}

test('of events older than the newest 100 the last of each product and type counts', async ({ db }) => {
  await storeCatalog(db)
  const views = (refId: string, days: readonly number[]) =>
    days.map((day) => event({ refId, eventType: 'view', occurredAtMs: ago(day) }))
  const newest = Array.from({ length: 100 }, (_, n) => n / 100)
  const carted = event({ refId: 'lamp', eventType: 'add_to_cart', occurredAtMs: ago(55) })
  await recordAndCount(db, [...views('lamp', newest), ...views('lamp', [50, 60]), carted, ...views('desk', [40, 70])])
  const decayed = (weight: number, day: number) => weight * decayOf(day * DAY_MS, SETTINGS)
  const lamp = newest.reduce((sum, day) => sum + decayed(0.3, day), decayed(0.5, 55))
  const desk = decayed(0.3, 40)
  expect(byName(await ask(db, 'account:ada')).categories).toEqual(
    close({ lighting: lamp / (lamp + desk + 0.8), tables: desk / (lamp + desk + 0.8) }),
  )
})

test('lists have the highest affinities, the newest interactions and the last purchases', async ({ db }) => {
  const many = Math.max(AFFINITIES_MAX, PURCHASES_MAX) + 5
  const nameOf = (n: number) => `${n}`.padStart(3, '0')
  const products = Array.from({ length: many }, (_, n) => ({
    ...{ product_id: nameOf(n), name: 'x', category: `c${nameOf(n)}`, brand: `b${nameOf(n)}` },
    ...{ status: 'active' as const, updated_at: '2026-01-01T00:00:00Z' },
  }))
  await upsert(db, products)
  await recordAndCount(
    db,
    products.map(({ product_id }, n) => event({ refId: product_id, eventType: 'purchase', occurredAtMs: ago(n) })),
  )
  const { categories, brands, recent_interactions, purchases } = await ask(db, 'account:ada')
  expect(categories.map(({ category }) => category)).toEqual(products.slice(0, AFFINITIES_MAX).map(({ category }) => category))
  expect(brands.map(({ brand }) => brand)).toEqual(products.slice(0, AFFINITIES_MAX).map(({ brand }) => brand))
  expect(purchases.map(({ product_id }) => product_id)).toEqual(products.slice(0, PURCHASES_MAX).map((one) => one.product_id))
  expect(recent_interactions.map(({ product_id }) => product_id)).toEqual(products.slice(0, 100).map((one) => one.product_id))
  // The share of a category counts those that are not listed.
  const strengths = products.map((_, n) => 0.8 * decayOf(n * DAY_MS, SETTINGS))
  const total = strengths.reduce((sum, strength) => sum + strength, 0)
  expect(categories[0]!.affinity).toBeCloseTo(0.8 / (total + 0.8), 5)
})

/** Records callbacks as one call, and feeds what follows from them. */
async function pay(db: Database, callbacks: readonly NewPayment[]): Promise<void> {
  const numbered = callbacks.map((one, index) => ({ ...one, index }))
  const { batch } = await recordPayments(db, newCall(), numbered, [])
  if (batch !== undefined) await feedBatch(db, batch)
}

async function purchasesOf(db: Database, shopperId: string) {
  const { purchases } = await ask(db, shopperId)
  return Object.fromEntries(
    purchases.map(({ product_id, bought, taken_back, purchase_events, return_events }) => [
      product_id,
      { bought, takenBack: taken_back, purchaseEvents: purchase_events, returnEvents: return_events },
    ]),
  )
}

test('a paid item is bought once, and only a purchase without a payment is a purchase event', async ({ db }) => {
  await storeCatalog(db)
  await pay(db, [payment({ items: [item({ quantity: 3 }), item({ productId: 'desk', quantity: 1 })] })])
  await recordAndCount(db, [
    event({ refId: 'lamp', eventType: 'purchase' }),
    event({ refId: 'shelf', eventType: 'purchase' }),
    event({ refId: 'shelf', eventType: 'return_product' }),
    event({ refId: 'desk', eventType: 'return_product' }),
    event({ refId: 'bulb', eventType: 'refund_requested' }),
  ])
  expect(await purchasesOf(db, 'account:ada')).toEqual({
    lamp: { bought: 3, takenBack: 0, purchaseEvents: 1, returnEvents: 0 },
    desk: { bought: 1, takenBack: 0, purchaseEvents: 0, returnEvents: 0 },
    shelf: { bought: 0, takenBack: 0, purchaseEvents: 1, returnEvents: 1 },
  })
  await pay(db, [
    payment({ callbackId: 'refund', status: 'refunded', items: [item({ quantity: 2, unitPrice: null })], accountId: null }),
  ])
  expect(await purchasesOf(db, 'account:ada')).toMatchObject({ lamp: { bought: 3, takenBack: 2, purchaseEvents: 1 } })
  await pay(db, [payment({ callbackId: 'no refund', status: 'failed', reverses: 'refund', items: [] })])
  expect(await purchasesOf(db, 'account:ada')).toMatchObject({ lamp: { bought: 3, takenBack: 0, purchaseEvents: 1 } })
  const { purchases } = await ask(db, 'account:ada')
  expect(purchases.find(({ product_id }) => product_id === 'lamp')).toMatchObject({ category: 'lighting', brand: 'Lumen' })
})

test('a payment of a session, and of an order without a shopper, is of the account after a merge', async ({ db }) => {
  await pay(db, [
    payment({ accountId: null, sessionId: 's', paymentRef: 'of s', orderId: 'o-1', items: [item({ quantity: 2 })] }),
  ])
  await pay(db, [payment({ accountId: null, paymentRef: 'of a guest', orderId: 'o:2', items: [item({ quantity: 5 })] })])
  const lamp = (bought: number) => ({ lamp: { bought, takenBack: 0, purchaseEvents: 0, returnEvents: 0 } })
  expect(await purchasesOf(db, 'session:order:o:2')).toEqual(lamp(5))
  expect(await purchasesOf(db, 'session:s')).toEqual(lamp(2))
  expect(await purchasesOf(db, 'account:ada')).toEqual({})
  await merge(db, 's', 'ada')
  await merge(db, 'order:o:2', 'ada')
  expect(await purchasesOf(db, 'account:ada')).toEqual(lamp(7))
  expect(await purchasesOf(db, 'session:s')).toEqual(lamp(7))
})

test(
  'purchases equal the slow reference for any callbacks, shoppers, order, events and merges',
  { timeout: 240_000 },
  async ({ db, proofs }) => {
    const shoppers = [
      { accountId: 'ada', sessionId: null },
      { accountId: 'bea', sessionId: 's' },
      { accountId: null, sessionId: 's' },
      { accountId: null, sessionId: null },
    ]
    await fc.assert(
      fc.asyncProperty(
        callbacksArbitrary({ minLength: 1, maxLength: 9 }),
        fc.array(eventArbitrary, { minLength: 1, maxLength: 20 }),
        fc.infiniteStream(fc.nat()),
        async (callbacks, events, numbers) => {
          await emptied(db)
          const next = (below: number) => numbers.next().value! % below
          const ofShoppers = callbacks.map((one) => ({ ...one, ...shoppers[next(shoppers.length)]! }))
          const arriving = ofShoppers.map((one) => [next(1_000), one] as const).toSorted(([a], [b]) => a - b)
          for (const [, one] of arriving) await pay(db, [one])
          await recordAndCount(
            db,
            events.map((one) => ({ ...one, eventId: randomUUID() })),
          )
          if (next(2) === 0) await merge(db, 's', 'ada')
          if (next(2) === 0) await merge(db, 'order:order-1', 'ada')
          const log = await eventsInLog(db)
          for (const shopper of [
            { kind: 'account', id: 'ada' },
            { kind: 'account', id: 'bea' },
            { kind: 'session', id: 's' },
            { kind: 'session', id: 'order:order-2' },
          ] as const) {
            const expected = expectedPurchases(ofShoppers, log, await shopperIdsOf(db, shopper))
            expect([shopper, await purchasesOf(db, `${shopper.kind}:${shopper.id}`)]).toEqual([shopper, expected])
          }
          expect((await verify(proofs)).drift).toEqual([])
        },
      ),
      { numRuns: 40 },
    )
  },
)

async function eventsInLog(db: Database): Promise<NewInteraction[]> {
  const { rows } = await sql<NewInteraction>`
    select event_type as "eventType", ref_id as "refId", account_id as "accountId", session_id as "sessionId",
      case when is_category then 'Category' else 'Product' end as "refType" from interaction`.execute(db)
  return rows
}

test('a changed cell of what preferences are made of changes them, and verify names it', async ({ db }) => {
  await storeCatalog(db)
  await recordAndCount(db, [event({ refId: 'lamp', eventType: 'purchase' }), event({ refId: 'shelf', eventType: 'view' })])
  await pay(db, [payment({ items: [item({ productId: 'desk' })] })])
  const before = await ask(db, 'account:ada')
  const changes = [
    ['shopper_product', sql`events = events + 1`, sql`events = events - 1`],
    ['shopper_recent', sql`event_type = upper(event_type)`, sql`event_type = lower(event_type)`],
    ['shopper_recent', sql`brand = brand || '!'`, sql`brand = rtrim(brand, '!')`],
    ['sale_line', sql`quantity = quantity + 1`, sql`quantity = quantity - 1`],
  ] as const
  for (const [table, change, back] of changes) {
    await sql`update ${sql.table(table)} set ${change}`.execute(db)
    expect(await ask(db, 'account:ada')).not.toEqual(before)
    expect((await verify(db)).drift.map(({ aggregate }) => aggregate)).toContain(table)
    await sql`update ${sql.table(table)} set ${back}`.execute(db)
    expect(await ask(db, 'account:ada')).toEqual(before)
  }
  expect((await verify(db)).drift).toEqual([])
})
