import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewPayment } from '../../src/admission/payment.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { recordRows } from '../../src/store/log/batch.ts'
import { INTERACTIONS } from '../../src/store/log/interaction.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erase, exported, newTombstones, rejection, rowsWith } from '../harness/items/erased.ts'
import { interaction } from '../harness/items/events.ts'
import { newCall, payment } from '../harness/items/payments.ts'
import { analyticsEvent } from '../harness/items/recomputed.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const before = (minutes: number) => Date.now() - minutes * 60_000
const driftOf = async (db: Database) => (await verify(db)).drift
const tombstones = newTombstones()

async function counted(db: Database, batch: Parameters<typeof countBatch>[1] | undefined) {
  if (batch === undefined) return
  await countBatch(db, batch)
  await feedBatch(db, batch)
}

async function recordAll(db: Database, events: readonly NewInteraction[]) {
  const rows = events.map((event, index) => ({ ...event, index }))
  const batch = await recordRows(db, INTERACTIONS, newCall(), rows, [], undefined, tombstones)
  await counted(db, batch)
  return batch
}

async function pay(db: Database, values: Partial<NewPayment>) {
  const { results, batch } = await recordPayments(db, newCall(), [payment(values)], [], undefined, tombstones)
  await counted(db, batch)
  return results[0]!
}

const shopperOf = async (db: Database, eventType: string) =>
  (
    await sql<{ account: string | null; session: string | null }>`
      select account_id as account, session_id as session from interaction where event_type = ${eventType} order by occurred_at`.execute(
      db,
    )
  ).rows

const PSEUDONYM = expect.stringMatching(/^erased-[0-9a-f]{32}$/)

test('refunds, and reversals of them, that come after the erasure are of the pseudonym of their sale', async ({ db }) => {
  const sale = { accountId: 'ada-lovelace', orderId: 'order-1' }
  await pay(db, { ...sale, occurredAtMs: before(40) })
  await erase(db, 'account:ada-lovelace')
  const refund = { ...sale, callbackId: randomUUID(), status: 'refunded', occurredAtMs: before(20) } as const
  // Named by its sender, from before the erasure; not named, from after it.
  expect(await pay(db, refund)).toMatchObject({ isRecorded: true, shortfalls: [] })
  const reversal = { accountId: null, orderId: 'order-1', status: 'refunded', reverses: refund.callbackId } as const
  expect(await pay(db, { ...reversal, occurredAtMs: Date.now() })).toMatchObject({ isRecorded: true, shortfalls: [] })
  expect(await pay(db, { ...refund })).toMatchObject({ isRecorded: false, rejection: undefined })
  expect(await rowsWith(db, ['ada-lovelace'])).toEqual([])
  expect(await exported(db, 'account:ada-lovelace')).toEqual([])
  expect(await driftOf(db)).toEqual([])
  const { rows } = await sql`select status, account_id as account from payment_callback order by occurred_at`.execute(db)
  expect(rows).toEqual([
    { status: 'success', account: PSEUDONYM },
    { status: 'refunded', account: PSEUDONYM },
    { status: 'refunded', account: null },
  ])
})

test('what follows from an order without a shopper is not of an erased order, at any time', async ({ db }) => {
  const order = { accountId: null, orderId: '4711-88' }
  const shopper = 'session:order:4711-88'
  await pay(db, { ...order, occurredAtMs: before(40) })
  await mergeSession(db, { session_id: 'order:4711-88', account_id: 'ada-lovelace', asked_at_ms: before(30) }, tombstones)
  await erase(db, 'account:ada-lovelace')
  expect(await exported(db, shopper)).toEqual([])
  const late = { ...order, paymentRef: 'pay-2', items: [{ productId: 'desk', sellerId: 'north', quantity: 1, unitPrice: 9 }] }
  expect(await pay(db, { ...late, occurredAtMs: before(30) })).toMatchObject({ isRecorded: true })
  expect(await pay(db, { ...order, status: 'refunded', occurredAtMs: Date.now() })).toMatchObject({ isRecorded: true })
  expect([...(await shopperOf(db, 'purchase')), ...(await shopperOf(db, 'refund_requested'))]).toEqual(
    Array.from({ length: 3 }, () => ({ account: null, session: PSEUDONYM })),
  )
  expect(await exported(db, shopper)).toEqual([])
  expect(await driftOf(db)).toEqual([])
  // Another order is another shopper.
  await pay(db, { accountId: null, orderId: '4711-889', paymentRef: 'pay-3', occurredAtMs: before(20) })
  expect((await exported(db, 'session:order:4711-889')).map(({ table }) => table)).toEqual([
    'shopper_product',
    'shopper_recent',
    'payment_callback',
    'interaction',
    'analytics_event',
  ])
})

test('no interaction of a payment of an erased person has metadata, whenever it was recorded', async ({ db }) => {
  const sale = { accountId: 'ada-lovelace', orderId: 'order-1' }
  await pay(db, { ...sale, occurredAtMs: before(40) })
  await erase(db, 'account:ada-lovelace')
  await pay(db, { ...sale, paymentRef: 'pay-late', occurredAtMs: before(30) })
  await pay(db, { ...sale, accountId: null, status: 'refunded', occurredAtMs: Date.now() })
  const ofOther = { accountId: 'bob', orderId: 'order-2', paymentRef: 'pay-of-bob', callbackId: 'of-bob' }
  await pay(db, { ...ofOther, occurredAtMs: before(30) })
  const { rows } = await sql`select account_id as account, metadata from interaction order by metadata nulls first`.execute(db)
  const erased = { account: PSEUDONYM, metadata: null }
  const ofBob = { account: 'bob', metadata: { provider: 'acme-pay', callback_id: 'of-bob', order_id: 'order-2' } }
  expect(rows).toEqual([erased, erased, erased, ofBob])
})

test('a payment that names the session of its order keeps the name', async ({ db }) => {
  await erase(db, 'account:ada-lovelace')
  await pay(db, { accountId: null, sessionId: 'order:4711-88', orderId: '4711-88', occurredAtMs: Date.now() })
  const { rows } = await sql`select session_id as session from payment_callback`.execute(db)
  expect(rows).toEqual([{ session: 'order:4711-88' }])
})

test('a merged session that goes on after the erasure is a visit of its own, and can be merged again', async ({ db }) => {
  const ofSession = (minutesAgo: number, refId: string) =>
    interaction({ accountId: null, sessionId: 'tab-of-ada', refId, occurredAtMs: before(minutesAgo) })
  await recordAll(db, [
    ofSession(50, 'lamp'),
    interaction({ accountId: 'ada-lovelace', refId: 'lamp', occurredAtMs: before(49) }),
  ])
  const merge = { session_id: 'tab-of-ada', account_id: 'ada-lovelace' }
  await mergeSession(db, { ...merge, asked_at_ms: before(45) }, tombstones)
  await erase(db, 'account:ada-lovelace')
  // From its queue, and of now.
  await recordAll(db, [ofSession(10, 'desk'), ofSession(-1, 'chair')])
  const productsOf = async (shopper: string) =>
    (await exported(db, shopper)).filter(({ table }) => table === 'interaction').map(({ row }) => row['ref_id'])
  expect(await productsOf('session:tab-of-ada')).toEqual(['chair'])
  expect(await exported(db, 'account:ada-lovelace')).toEqual([])
  await mergeSession(db, { ...merge, asked_at_ms: Date.now() + 1 }, tombstones)
  expect(await productsOf('account:ada-lovelace')).toEqual(['chair'])
  expect(await driftOf(db)).toEqual([])
  await erase(db, 'session:tab-of-ada')
  expect(await productsOf('account:ada-lovelace')).toEqual([])
  expect(await rowsWith(db, ['ada-lovelace', 'tab-of-ada'])).toEqual([])
})

test('late analytics events lose a payload that names an erased person, as those before it did', async ({ db }) => {
  await erase(db, 'account:ada-lovelace')
  const payload = { buyer: { ids: ['x', 'ada-lovelace'] }, note: 'n'.repeat(500) }
  const events = [
    analyticsEvent({ externalRef: 'a', entityId: 'order-9', payload, amount: 5, currency: 'EUR', occurredAtMs: before(9) }),
    analyticsEvent({ externalRef: 'b', entityId: 'order-9', payload, occurredAtMs: Date.now() + 60_000 }),
    analyticsEvent({ externalRef: 'c', entityId: 'order-9', payload: { buyer: 'ada-lovelace-2' }, occurredAtMs: before(9) }),
    analyticsEvent({ externalRef: 'd', entityId: 'ada-lovelace', payload, occurredAtMs: before(9) }),
  ].map((event, index) => ({ ...event, index }))
  expect(await recordEvents(db, newCall(), events, tombstones)).toMatchObject({ accepted: 4 })
  const { rows } = await sql`
    select external_ref as ref, entity_id as entity, amount::int as amount, payload from analytics_event order by 1`.execute(db)
  expect(rows).toEqual([
    { ref: 'a', entity: 'order-9', amount: 5, payload: null },
    { ref: 'b', entity: 'order-9', amount: null, payload },
    { ref: 'c', entity: 'order-9', amount: null, payload: { buyer: 'ada-lovelace-2' } },
    { ref: 'd', entity: PSEUDONYM, amount: null, payload: null },
  ])
})

test('a rejected item that comes late is kept under a fresh pseudonym, also with its ids as numbers', async ({ db }) => {
  await erase(db, 'account:4711')
  await erase(db, 'session:88')
  const items = [
    { account_id: 4711, note: 'x' },
    { session_id: 88 },
    { account_id: 'bob', session_id: 88, note: 'x' },
    { account_id: 47 },
  ]
  await recordRows(
    db,
    INTERACTIONS,
    newCall(),
    [],
    items.map((item, n) => rejection(n, item)),
    undefined,
    tombstones,
  )
  const { rows } = await sql<{ item: string }>`select item from rejected_interaction order by index`.execute(db)
  expect(rows.map(({ item }) => JSON.parse(item))).toEqual([
    { account_id: PSEUDONYM },
    { session_id: PSEUDONYM },
    { account_id: 'bob', session_id: PSEUDONYM, note: 'x' },
    { account_id: 47 },
  ])
})
