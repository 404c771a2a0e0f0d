import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import type { Impression } from '../../src/contract/impression.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { recordImpressions } from '../../src/store/recommendations/impressions.ts'
import { recommendationMetrics } from '../../src/store/recommendations/metrics.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erase } from '../harness/items/erased.ts'
import { interaction, record } from '../harness/items/events.ts'
import { impression } from '../harness/items/impressions.ts'
import { item, newCall, payment } from '../harness/items/payments.ts'
import { metricsByReference } from '../harness/reference/recommendation-metrics.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const NOW_MS = Date.parse('2026-03-10T12:00:00Z')
const atHour = (hours: number) => NOW_MS + hours * HOUR_MS
const shownAt = (hours: number, changes: Partial<Impression> = {}) =>
  impression({ shown_at: new Date(atHour(hours)).toISOString(), ...changes })
const event = (eventType: string, hours: number, changes: Partial<NewInteraction> = {}) =>
  interaction({ eventType, refId: 'lamp', accountId: 'ada', occurredAtMs: atHour(hours), ...changes })
const naming = ({ recommendation_id }: Impression) => ({ metadata: { recommendation_id } })

const metrics = (db: Database, { days = 7, per_day = false, hours = 24 } = {}) =>
  recommendationMetrics(db, { days, per_day }, { nowMs: NOW_MS, attributionHours: hours })
const totals = async (db: Database) => (await metrics(db)).meta.totals
const NOTHING = { impressions: 0, products: 0, clicks: 0, click_through: null, carts: 0, purchases: 0, revenue: [] }

test('without impressions there are no rows', async ({ db }) => {
  await record(db, [event('purchase', -1), event('click_from_recommendation', -1, naming(impression()))])
  expect(await metrics(db)).toEqual({
    data: [],
    meta: { from: '2026-03-04', to: '2026-03-10', attribution_hours: 24, totals: NOTHING },
  })
})

test('events that name an impression count for it, also of another shopper and later than the hours', async ({ db }) => {
  const named = shownAt(-80, { shopper_id: null })
  const other = shownAt(-2, { blend: 'weighted' })
  await recordImpressions(db, [named, other])
  await record(db, [
    event('click_from_recommendation', -1, naming(named)),
    event('click_from_recommendation', -1, { ...naming(named), refId: 'chair' }),
    event('add_to_cart', -1, { ...naming(named), accountId: null, sessionId: 'tab' }),
    event('purchase', 0, { metadata: { recommendation_id: named.recommendation_id.toUpperCase() } }),
    event('view', -1, naming(named)),
    // It names an impression that was lost.
    event('purchase', -1, naming(impression())),
    // Senders write such texts for none.
    event('add_to_cart', -1, { metadata: { recommendation_id: 'none' } }),
    event('click_from_recommendation', -1, { ...naming(named), refType: 'Category' }),
  ])
  expect((await metrics(db)).data).toEqual([
    {
      ...{ strategy: 'personal', blend: 'similarity', similarity_version: 7, impressions: 1, products: 2 },
      ...{ clicks: 2, click_through: 2, carts: 1, purchases: 1, revenue: [] },
    },
    {
      ...{ strategy: 'personal', blend: 'weighted', similarity_version: 7, impressions: 1, products: 2 },
      ...{ clicks: 0, click_through: 0, carts: 1, purchases: 0, revenue: [] },
    },
  ])
})

test('other events count for the latest impression that showed their product to their shopper in the hours before', async ({
  db,
}) => {
  await recordImpressions(db, [
    shownAt(-30, { similarity_version: 1 }),
    shownAt(-10, { similarity_version: 2 }),
    shownAt(-9, { similarity_version: 3, product_ids: ['desk'] }),
    shownAt(-8, { similarity_version: 4, shopper_id: 'account:bob' }),
    shownAt(-1, { similarity_version: 5 }),
  ])
  await record(db, [
    event('add_to_cart', -30),
    event('add_to_cart', -10.001),
    event('add_to_cart', -6 + 0.001),
    event('purchase', -2),
    event('purchase', -31),
    event('purchase', -2, { refId: 'chair' }),
    event('purchase', -2, { accountId: 'carl' }),
    event('click_from_recommendation', 0),
  ])
  const { data } = await metrics(db)
  expect(data.map(({ similarity_version: version, carts, purchases, clicks }) => [version, carts, purchases, clicks])).toEqual([
    [1, 2, 0, 0],
    [2, 1, 1, 0],
    [3, 0, 0, 0],
    [4, 0, 0, 0],
    [5, 0, 0, 1],
  ])
  expect((await metrics(db, { hours: 1 })).meta.totals).toMatchObject({ carts: 1, purchases: 0, clicks: 1 })
})

test('a session that signs in between the impression and the purchase is the same shopper', async ({ db }) => {
  await recordImpressions(db, [shownAt(-3, { shopper_id: 'session:tab' })])
  await record(db, [event('purchase', -1)])
  expect(await totals(db)).toMatchObject({ purchases: 0 })
  await mergeSession(db, { session_id: 'tab', account_id: 'ada', asked_at_ms: NOW_MS })
  expect(await totals(db)).toMatchObject({ purchases: 1 })
  await record(db, [event('add_to_cart', -1, { accountId: null, sessionId: 'tab' })])
  expect(await totals(db)).toMatchObject({ carts: 1 })
})

test('the session of an event is its shopper too, unless it belongs to another account', async ({ db }) => {
  await recordImpressions(db, [shownAt(-3, { shopper_id: 'session:tab' })])
  await record(db, [event('purchase', -1, { sessionId: 'tab' })])
  expect(await totals(db)).toMatchObject({ purchases: 1 })
  await mergeSession(db, { session_id: 'tab', account_id: 'bob', asked_at_ms: NOW_MS })
  expect(await totals(db)).toMatchObject({ purchases: 0 })
})

test('the money of payments counts once, and a refund lessens the day of the impression', async ({ db }) => {
  await recordImpressions(db, [shownAt(-30, { product_ids: ['lamp'] }), shownAt(-12, { product_ids: ['lamp', 'desk'] })])
  const sold = payment({
    occurredAtMs: atHour(-7),
    items: [item(), item({ productId: 'chair' }), item({ productId: 'desk', quantity: 1, unitPrice: 10_000 })],
  })
  await recordPayments(db, newCall(), [sold], [])
  const yen = payment({ paymentRef: 'pay-2', orderId: 'order-2', currency: 'JPY', occurredAtMs: atHour(-7) })
  await recordPayments(db, newCall(), [yen], [])
  const both = { EUR: 11_000, JPY: 1_000 }
  const revenue = async () => {
    const { data } = await metrics(db, { per_day: true })
    return data.map(({ day, purchases, revenue: some }) => ({
      ...{ day, purchases },
      ...Object.fromEntries(some.map(({ currency, amount }) => [currency, amount])),
    }))
  }
  expect(await revenue()).toEqual([
    { day: '2026-03-10', purchases: 3, ...both },
    { day: '2026-03-09', purchases: 0 },
  ])
  const refund = payment({ status: 'refunded', occurredAtMs: atHour(-1), items: [item({ quantity: 1, unitPrice: null })] })
  await recordPayments(db, newCall(), [refund], [])
  expect(await revenue()).toMatchObject([{ day: '2026-03-10', purchases: 3, EUR: 10_500, JPY: 1_000 }, {}])
  await recordPayments(db, newCall(), [{ ...refund, index: 0 }], [])
  const rest = payment({ status: 'refunded', occurredAtMs: atHour(0) })
  await recordPayments(db, newCall(), [rest], [])
  expect(await revenue()).toMatchObject([{ day: '2026-03-10', EUR: 0, JPY: 1_000 }, {}])
})

test('a purchase that names an impression takes the money of its order, also when the payment names no shopper', async ({
  db,
}) => {
  const named = shownAt(-50, { shopper_id: null, blend: 'weighted' })
  await recordImpressions(db, [named, shownAt(-3)])
  await recordPayments(db, newCall(), [payment({ occurredAtMs: atHour(-1), accountId: null })], [])
  expect(await totals(db)).toMatchObject({ purchases: 0, revenue: [] })
  await recordPayments(db, newCall(), [payment({ paymentRef: 'pay-2', orderId: 'order-2', occurredAtMs: atHour(-1) })], [])
  expect(await totals(db)).toMatchObject({ purchases: 1, revenue: [{ currency: 'EUR', amount: 1_000 }] })
  const reported = (order_id: string) =>
    event('purchase', -1, { accountId: 'carl', metadata: { order_id, recommendation_id: named.recommendation_id } })
  await record(db, [reported('order-1'), reported('order-2')])
  const { data } = await metrics(db)
  expect(data.map(({ blend, purchases, revenue }) => [blend, purchases, revenue])).toEqual([
    ['similarity', 1, []],
    ['weighted', 2, [{ currency: 'EUR', amount: 2_000 }]],
  ])
})

test('an erasure changes no number', async ({ db }) => {
  const named = shownAt(-20, { blend: 'weighted' })
  await recordImpressions(db, [named, shownAt(-12), shownAt(-3, { shopper_id: 'session:tab' })])
  await mergeSession(db, { session_id: 'tab', account_id: 'ada', asked_at_ms: NOW_MS })
  await record(db, [
    event('click_from_recommendation', -2, naming(named)),
    event('add_to_cart', -2, { accountId: null, sessionId: 'tab' }),
    event('purchase', -1),
  ])
  await recordPayments(db, newCall(), [payment({ occurredAtMs: atHour(-1) })], [])
  const before = await metrics(db, { per_day: true })
  expect(before.meta.totals).toMatchObject({ clicks: 1, carts: 1, purchases: 2, revenue: [{ amount: 1_000 }] })
  await erase(db, 'account:ada')
  expect(await metrics(db, { per_day: true })).toEqual(before)
})

test('the numbers of a day are the same in every range that has it', async ({ db }) => {
  await recordImpressions(db, [shownAt(-36), shownAt(-12)])
  // By a clock that is behind: on the day before the impression.
  await record(db, [
    event('click_from_recommendation', -14, naming(shownAt(0))),
    event('purchase', -13, { accountId: 'bob' }),
    event('add_to_cart', -11.9),
  ])
  const [today] = (await metrics(db, { days: 1, per_day: true })).data
  expect((await metrics(db, { days: 30, per_day: true })).data[0]).toEqual(today)
})

const PRODUCTS = ['lamp', 'desk', 'chair']
const SESSIONS = ['s1', 's2', 's3']
const ACCOUNTS = ['ada', 'bob']
const hour = fc.integer({ min: -60, max: 0 })
const worldArbitrary = fc.record({
  merges: fc.uniqueArray(fc.tuple(fc.constantFrom(...SESSIONS), fc.constantFrom(...ACCOUNTS)), {
    selector: ([session]) => session,
  }),
  impressions: fc.array(
    fc.record({
      hour,
      shopper_id: fc.constantFrom(null, ...SESSIONS.map((id) => `session:${id}`), ...ACCOUNTS.map((id) => `account:${id}`)),
      product_ids: fc.subarray(PRODUCTS),
      strategy: fc.constantFrom('personal' as const, 'popular' as const),
      similarity_version: fc.constantFrom(null, 1),
    }),
    { maxLength: 10 },
  ),
  events: fc.array(
    fc.record({
      hour,
      eventType: fc.constantFrom('click_from_recommendation', 'add_to_cart', 'purchase', 'view'),
      refId: fc.constantFrom(...PRODUCTS),
      accountId: fc.constantFrom(null, ...ACCOUNTS),
      sessionId: fc.constantFrom(...SESSIONS),
      named: fc.option(fc.nat({ max: 11 }), { freq: 2 }),
      order_id: fc.constantFrom(undefined, 'order-1', 'order-2'),
    }),
    { maxLength: 12 },
  ),
  payments: fc.array(
    fc.record({
      hour,
      status: fc.constantFrom('success' as const, 'success' as const, 'refunded' as const),
      paymentRef: fc.constantFrom('pay-1', 'pay-2'),
      orderId: fc.constantFrom('order-1', 'order-2'),
      accountId: fc.constantFrom(null, ...ACCOUNTS),
      currency: fc.constantFrom('EUR', 'EUR', 'JPY'),
      products: fc.subarray(PRODUCTS, { minLength: 1 }),
    }),
    { maxLength: 6 },
  ),
})

test('every log, impression, merge and payment gives the numbers of the slow reference', async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(worldArbitrary, async ({ merges, impressions, events, payments }) => {
      await clear(db)
      for (const [session_id, account_id] of merges) await mergeSession(db, { session_id, account_id, asked_at_ms: NOW_MS })
      const shown = impressions.map(({ hour: hours, ...rest }) => shownAt(hours, rest))
      if (shown.length > 0) await recordImpressions(db, shown)
      const metadataOf = (named: number | null, order_id: string | undefined) => ({
        ...(named !== null && { recommendation_id: named === 11 ? 'none' : (shown[named]?.recommendation_id ?? randomUUID()) }),
        ...(order_id !== undefined && { order_id }),
      })
      await record(
        db,
        events.map(({ hour: hours, named, order_id, eventType, ...rest }) =>
          event(eventType, hours, { ...rest, metadata: metadataOf(named, order_id) }),
        ),
      )
      for (const { hour: hours, products, ...rest } of payments) {
        const items = products.map((productId) =>
          item({ productId, ...(rest.status === 'refunded' && { unitPrice: null, quantity: 1 }) }),
        )
        await recordPayments(db, newCall(), [payment({ ...rest, items, occurredAtMs: atHour(hours) })], [])
      }
      const { data } = await metrics(db, { per_day: true })
      const answered = data.map(
        ({ day, strategy, blend, similarity_version: version, click_through: _ratio, revenue, ...numbers }) => [
          `${day} ${strategy} ${blend} ${version ?? 0}`,
          { ...numbers, revenue: Object.fromEntries(revenue.map(({ currency, amount }) => [currency, amount])) },
        ],
      )
      expect(Object.fromEntries(answered)).toEqual(await metricsByReference(db, 24))
    }),
    { numRuns: 60 },
  )
})
