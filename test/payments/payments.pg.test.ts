import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { recordPayments, type RecordedPayments } from '../../src/store/payments/payment-recording.ts'
import type { Drift } from '../../src/contract/verify.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { popularityOf } from '../../src/store/popularity/top-list.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { clear } from '../harness/servers/database.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { callbacksArbitrary, item, newCall, NOON, payment, withoutZeros } from '../harness/items/payments.ts'
import { type Reference, reference } from '../harness/reference/ledger.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { NewPayment } from '../../src/admission/payment.ts'

test.beforeEach(({ db }) => emptied(db))

async function emptied(db: Database): Promise<void> {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
}

function record(db: Database, payments: readonly NewPayment[], call = newCall()): Promise<RecordedPayments> {
  return recordPayments(
    db,
    call,
    payments.map((one, index) => ({ ...one, index })),
    [],
  )
}

async function storedDays(db: Database): Promise<Reference['days']> {
  const { rows } = await sql<{ name: string; revenue: string; items: string; orders: number }>`
    select seller_id || ' ' || currency || ' ' || day as name, revenue, items, orders from seller_day`.execute(db)
  return Object.fromEntries(
    rows.map(({ name, revenue, items, orders }) => [name, { revenue: Number(revenue), items: Number(items), orders }]),
  )
}

async function storedPending(db: Database): Promise<Reference['pending']> {
  const { rows } = await sql<{ seller: string; items: string; refunds: string }>`
    select seller_id as seller, sum(items) as items, sum(refunds) as refunds from (
      select seller_id, items, refunds from seller_pending union all select seller_id, items, refunds from seller_pending_day) p
    group by 1 having sum(items) <> 0 or sum(refunds) <> 0`.execute(db)
  return Object.fromEntries(
    rows.map(({ seller, items, refunds }) => [seller, { items: Number(items), refunds: Number(refunds) }]),
  )
}

/** The interactions that followed from payments, counted by payment, type and product. */
async function storedEvents(db: Database): Promise<Reference['events']> {
  const { rows } = await sql<{ name: string; count: number }>`
    select c.provider || ' ' || c.payment_ref || ' ' || i.event_type || ' ' || i.ref_id as name, count(*)::int as count
    from interaction i
      join payment_callback c on c.provider = i.metadata ->> 'provider' and c.callback_id = i.metadata ->> 'callback_id'
    group by 1`.execute(db)
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]))
}

test('callbacks in any order, calls and repetition net to the slow reference', { timeout: 120_000 }, async ({ db, proofs }) => {
  await fc.assert(
    fc.asyncProperty(
      callbacksArbitrary({ minLength: 1, maxLength: 9 }),
      fc.infiniteStream(fc.nat()),
      fc.integer({ min: 1, max: 4 }),
      async (callbacks, numbers, callSize) => {
        await emptied(db)
        const next = (below: number) => numbers.next().value! % below
        const arriving = callbacks.flatMap((one) => (next(3) === 0 ? [one, one] : [one]))
        for (let place = arriving.length - 1; place > 0; place--) {
          const other = next(place + 1)
          ;[arriving[place], arriving[other]] = [arriving[other]!, arriving[place]!]
        }
        for (let place = 0; place < arriving.length; place += callSize) {
          const group = arriving.slice(place, place + callSize)
          const call = newCall()
          const attempts = await Promise.all(Array.from({ length: 1 + next(2) }, () => record(db, group, call)))
          for (const attempt of attempts) expect({ ...attempt, isNew: true }).toEqual({ ...attempts[0], isNew: true })
        }
        const expected = reference(callbacks)
        expect(withoutZeros(await storedDays(db))).toEqual(withoutZeros(expected.days))
        expect(await storedPending(db)).toEqual(expected.pending)
        const events = await storedEvents(db)
        // The log takes nothing back, so of contradictory callbacks it may also have events of the first.
        if (expected.isConsistent) expect(events).toEqual(expected.events)
        else
          for (const [name, count] of Object.entries(expected.events))
            expect({ [name]: (events[name] ?? 0) >= count }).toEqual({ [name]: true })
        expect((await verify(proofs)).drift).toEqual([])
        await expectReportedMoney(db)
      },
    ),
    { numRuns: 15 },
  )
})

/** The events of a payment in one currency add up to its sale lines. */
async function expectReportedMoney(db: Database): Promise<void> {
  const { rows } = await sql`
    with line as (
      select c.provider, c.payment_ref, sum(l.amount) as amount
      from sale_line l join payment_callback c on c.callback_no = l.sale_no group by 1, 2
    ), event as (
      select s.slug as provider, e.payload ->> 'payment_ref' as payment_ref, coalesce(sum(e.amount), 0) as amount
      from analytics_event e join event_source s using (source_id) group by 1, 2
    ), payment as (
      select provider, payment_ref from payment_callback group by 1, 2 having count(distinct currency) = 1
    )
    select p.*, event.amount as events, line.amount as lines
    from payment p left join event using (provider, payment_ref) left join line using (provider, payment_ref)
    where event.amount is distinct from coalesce(line.amount, 0)`.execute(db)
  expect(rows).toEqual([])
}

const DAY_MS = 24 * 3_600_000

/** Moves the horizon for a while: it never moves back by itself. */
async function withHorizon(db: Database, horizon: string, work: () => Promise<void>): Promise<void> {
  const move = async (to: string) => {
    await sql`alter table log_horizon disable trigger user`.execute(db)
    await sql`update log_horizon set horizon = ${to}`.execute(db)
    await sql`alter table log_horizon enable trigger user`.execute(db)
  }
  await move(horizon)
  try {
    await work()
  } finally {
    await move('2000-01-01')
  }
}

async function count(db: Database, batch: RecordedPayments['batch']): Promise<void> {
  if (batch !== undefined) await countBatch(db, batch)
}

test('a sale and its whole refund move popularity by their weights, and leave no money', async ({ db }) => {
  const { batch } = await record(db, [payment({ items: [item(), item({ productId: 'desk', unitPrice: 700 })] })])
  await count(db, batch)
  expect(await popularityOf(db, 'lamp')).toMatchObject({ score: 0.8, purchase_count: 1 })
  const refund = await record(db, [payment({ status: 'refunded', occurredAtMs: NOON + DAY_MS })])
  await count(db, refund.batch)
  for (const product of ['lamp', 'desk']) expect(await popularityOf(db, product)).toMatchObject({ score: 0.1 })
  expect(await storedDays(db)).toEqual({
    'north EUR 2026-03-01': { revenue: 2_400, items: 4, orders: 1 },
    'north EUR 2026-03-02': { revenue: -2_400, items: -4, orders: -1 },
  })
  expect((await verify(db)).drift).toEqual([])
})

test("a callback's id is recorded once, and a later callback with this id that says something else is refused", async ({
  db,
}) => {
  const callback = payment()
  const { results } = await record(db, [callback, callback])
  expect(results).toMatchObject([{ isRecorded: true }, { isRecorded: false, rejection: undefined }])
  const other = { ...callback, items: [item({ quantity: 9 })], paymentRef: 'another', orderId: 'another' }
  const call = newCall()
  const again = await record(db, [other], call)
  const message = 'differs from the callback that was recorded with this callback_id; so do items, order_id'
  expect(again.results).toMatchObject([{ isRecorded: false, rejection: { code: 'refused', field: 'payment_ref', message } }])
  expect(await record(db, [other], call)).toEqual({ ...again, isNew: false })
  const { rows } = await sql`
    select index, code, field, message from rejected_interaction where batch_id = ${again.batch!.batchId}`.execute(db)
  expect(rows).toEqual([{ index: 0, code: 'refused', field: 'payment_ref', message }])
  expect(await storedDays(db)).toEqual({ 'north EUR 2026-03-01': { revenue: 1_000, items: 2, orders: 1 } })
})

test('a known id that comes with another payment changes neither payment', async ({ db }) => {
  const refund = payment({ status: 'refunded', items: [item({ quantity: 3 })], occurredAtMs: NOON + DAY_MS })
  await record(db, [payment(), refund])
  const { results } = await record(db, [{ ...refund, paymentRef: 'another', orderId: 'another' }])
  expect(results).toMatchObject([{ isRecorded: false, shortfalls: [{ field: 'items.0.quantity' }] }])
  expect((await verify(db)).drift).toEqual([])
})

test('a callback that differs in its time, shopper or duration alone is a duplicate', async ({ db }) => {
  const callback = payment({ items: [item({ sellerId: null })] })
  await record(db, [callback])
  const again = { ...callback, occurredAtMs: NOON + 1_000, accountId: 'bob', processingMs: 9 }
  expect((await record(db, [again])).results).toMatchObject([{ isRecorded: false, rejection: undefined }])
})

test('of two callbacks of a call with one id, the second is compared with the first', async ({ db }) => {
  const callback = payment()
  const { results } = await record(db, [callback, { ...callback, status: 'pending' }])
  expect(results).toMatchObject([{ isRecorded: true }, { isRecorded: false, rejection: { code: 'refused', field: 'status' } }])
})

test('a further success that differs from the sale is refused and kept, in any order of arrival', async ({ db }) => {
  const differing = payment({ occurredAtMs: NOON + 1, items: [item({ productId: 'desk' })] })
  await record(db, [differing])
  const { batch } = await record(db, [payment()])
  const { rows } = await sql<{ field: string; message: string; id: string }>`
    select field, message, item::jsonb ->> 'callback_id' as id from rejected_interaction
    where batch_id = ${batch!.batchId}`.execute(db)
  const refused = { field: 'items', message: 'differs from the sale of this payment' }
  expect(rows).toEqual([{ ...refused, id: differing.callbackId }])
  expect((await record(db, [differing])).results).toMatchObject([{ isRecorded: false, shortfalls: [refused] }])
  expect((await verify(db)).drift).toEqual([])
})

test('a success that names no sellers says the same as the sale, whatever sellers the catalog has by then', async ({ db }) => {
  const unnamed = [item({ sellerId: null })]
  for (const [paymentRef, items] of [
    ['named', [item({ sellerId: 'east' })]],
    ['unnamed', unnamed],
  ] as const) {
    await sql`delete from catalog.product`.execute(db)
    for (const [time, seller] of ['south', 'west'].entries()) {
      await sql`
        insert into catalog.product (updated_at, call_id, product_id, status, name, seller_id)
        values (now(), gen_random_uuid(), 'lamp', 'active', 'Lamp', ${seller}::text)
        on conflict (product_id) do update set seller_id = excluded.seller_id`.execute(db)
      const success = payment({ paymentRef, items: time === 0 ? items : unnamed, occurredAtMs: NOON + time })
      expect((await record(db, [success])).results).toMatchObject([{ isRecorded: true, shortfalls: [] }])
      expect((await record(db, [success])).results).toMatchObject([{ isRecorded: false, shortfalls: [] }])
    }
    const other = payment({ paymentRef, items: [item({ sellerId: 'north' })], occurredAtMs: NOON + 9 })
    const isNamed = paymentRef === 'named'
    expect((await record(db, [other])).results[0]!.shortfalls).toHaveLength(isNamed ? 1 : 0)
  }
  expect((await verify(db)).drift).toEqual([])
})

test('captures, adjustments and weights are stored as they were said', async ({ db }) => {
  const items = [
    item({ quantity: 1.255, unitPrice: 1_999 }),
    { productId: null, sellerId: 'north', quantity: 1, unitPrice: -100, name: 'voucher' },
    { productId: null, sellerId: null, quantity: 1, unitPrice: 490 },
  ]
  await record(db, [payment({ captureRef: 'c-1', items }), payment({ captureRef: 'c-2' })])
  expect(await storedDays(db)).toEqual({ 'north EUR 2026-03-01': { revenue: 2_509 - 100 + 1_000, items: 3, orders: 1 } })
  const { rows } = await sql`select product_id, quantity, amount::int from sale_line order by amount`.execute(db)
  expect(rows).toEqual([
    { product_id: null, quantity: 0, amount: -100 },
    { product_id: null, quantity: 0, amount: 490 },
    { product_id: 'lamp', quantity: 2, amount: 1_000 },
    { product_id: 'lamp', quantity: 1, amount: 2_509 },
  ])
  const events = await sql`select amount::int, payload from analytics_event order by amount`.execute(db)
  expect(events.rows).toEqual([
    { amount: 1_000, payload: { kind: 'payment', payment_ref: 'pay-1', capture_ref: 'c-2' } },
    { amount: 2_899, payload: { kind: 'payment', payment_ref: 'pay-1', capture_ref: 'c-1', adjustments: 390 } },
  ])
  expect((await verify(db)).drift).toEqual([])
})

test('when a payment arrives, the part of a waiting refund that exceeds it is listed', async ({ db }) => {
  const refund = payment({ status: 'refunded', items: [item({ quantity: 3 })] })
  await record(db, [refund])
  const { batch } = await record(db, [payment()])
  const { rows } = await sql<{ code: string; field: string; id: string }>`
    select code, field, item::jsonb ->> 'callback_id' as id from rejected_interaction where batch_id = ${batch!.batchId}`.execute(
    db,
  )
  expect(rows).toEqual([{ code: 'refused', field: 'items.0.quantity', id: refund.callbackId }])
})

test('of two callbacks with one id, the recordable one is recorded', async ({ db }) => {
  const good = payment()
  const { results } = await record(db, [{ ...good, occurredAtMs: Date.parse('2025-01-01T00:00:00Z') }, good])
  expect(results.map(({ isRecorded }) => isRecorded)).toEqual([true, false])
  await withHorizon(db, '2026-01-01', async () => {
    const other = payment()
    const answers = await record(db, [{ ...other, occurredAtMs: Date.parse('2025-01-01T00:00:00Z') }, other])
    expect(answers.results).toMatchObject([{ isRecorded: false, rejection: { code: 'too_old' } }, { isRecorded: true }])
  })
})

test('concurrent calls with contradictory ids and orders agree with the store without deadlock', async ({ db }) => {
  for (let round = 0; round < 6; round++) {
    const [drawn] = fc.sample(callbacksArbitrary({ minLength: 60, maxLength: 60 }), { numRuns: 1, seed: round })
    const callbacks = drawn!.map((one, index) => ({
      ...one,
      callbackId: `id-${(index * 7) % 40}`,
      paymentRef: `${one.paymentRef} ${index % 5}`,
      orderId: `${one.orderId} ${index % 3}`,
    }))
    await emptied(db)
    const groups = Array.from({ length: 10 }, (_, group) => callbacks.filter((_one, index) => index % 10 === group))
    await Promise.all([...groups, ...groups].map((group) => record(db, group)))
    expect((await verify(db)).drift).toEqual([])
  }
})

test('a repeated attempt gives the same answer and names the same batch', async ({ db }) => {
  const call = newCall()
  const refund = payment({ status: 'refunded', items: [item({ quantity: 3 })], occurredAtMs: NOON + DAY_MS })
  const callbacks = [payment(), refund]
  const first = await record(db, callbacks, call)
  expect(first.results[1]!.shortfalls).toEqual([
    { field: 'items.0.quantity', message: 'asks for 3 of lamp, and 2 of this payment were left' },
  ])
  expect(await record(db, callbacks, call)).toEqual({ ...first, isNew: false })
})

test('every callback is an analytics event of its provider', async ({ db }) => {
  await record(db, [
    payment({ callbackId: 'c-1', status: 'pending', processingMs: 7 }),
    payment({ callbackId: 'c-2', status: 'failed' }),
    payment({ callbackId: 'c-3' }),
    payment({ callbackId: 'c-4', status: 'refunded' }),
    payment({ callbackId: 'c-5', status: 'cancelled', provider: 'other-pay' }),
  ])
  const { rows } = await sql`
    select slug, external_ref as ref, entity_id as entity, status, amount::int, currency, processing_ms as ms, payload ->> 'kind' as kind
    from analytics_event join event_source using (source_id) order by 2`.execute(db)
  const of = (ref: string, values: object) => ({
    ...{ slug: 'acme-pay', ref, entity: 'order-1', status: 'success', amount: 1_000, currency: 'EUR', ms: null, kind: 'payment' },
    ...values,
  })
  expect(rows).toEqual([
    of('c-1', { status: 'pending', amount: null, currency: null, ms: 7 }),
    of('c-2', { status: 'failed', amount: null, currency: null }),
    of('c-3', {}),
    of('c-4', { kind: 'refund', amount: -1_000 }),
    of('c-5', { kind: 'cancellation', amount: null, currency: null, slug: 'other-pay' }),
  ])
})

test('refused and repeated successes add no amount to reports, and refunds have negative ones, in any order', async ({ db }) => {
  const sale = payment({ callbackId: 'a', items: [item({ quantity: 1, unitPrice: 600 })] })
  const other = payment({ callbackId: 'b', items: [item({ quantity: 1, unitPrice: 400 })], occurredAtMs: NOON + 1 })
  const again = { ...sale, callbackId: 'c', occurredAtMs: NOON + 2 }
  const refund = payment({ callbackId: 'd', status: 'refunded', occurredAtMs: NOON + 3 })
  const amounts = async () => {
    const { rows } = await sql<{ ref: string; amount: number | null }>`
      select external_ref as ref, amount::int from analytics_event order by 1`.execute(db)
    return Object.fromEntries(rows.map(({ ref, amount }) => [ref, amount]))
  }
  for (const one of [sale, other, again, refund]) await record(db, [one])
  expect(await amounts()).toEqual({ a: 600, b: 0, c: 0, d: -600 })
  await emptied(db)
  for (const one of [other, sale, again]) await record(db, [one])
  expect(await amounts()).toEqual({ a: 200, b: 400, c: 0 })
  await emptied(db)
  for (const one of [refund, again, other, sale]) await record(db, [one])
  expect(await amounts()).toEqual({ a: 0, b: 0, c: 0, d: null })
})

async function openRejections(db: Database): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`
    select item::jsonb ->> 'callback_id' || ' ' || field || ' ' || message as text from rejected_interaction
    where replayed_at is null order by batch_id, index`.execute(db)
  return rows.map(({ text }) => text)
}

/** A callback whose item is as a provider sends it, as far as the list reads it. */
function sent(values: Partial<NewPayment> & { callbackId: string }): NewPayment {
  const one = payment(values)
  return { ...one, item: { provider: one.provider, callback_id: one.callbackId } }
}

test('a rejection leaves the list when all of its callback counts, and is listed once when it changes', async ({ db }) => {
  const refund = sent({ callbackId: 'r', status: 'refunded', items: [item({ quantity: 5 })], occurredAtMs: NOON + 9 })
  await record(db, [refund])
  expect(await openRejections(db)).toEqual([])
  const capture = (captureRef: string, quantity: number) =>
    sent({ callbackId: captureRef, captureRef, items: [item({ quantity })] })
  await record(db, [capture('first', 2)])
  expect(await openRejections(db)).toEqual(['r items.0.quantity asks for 5 of lamp, and 2 of this payment were left'])
  await record(db, [capture('second', 2)])
  expect(await openRejections(db)).toEqual(['r items.0.quantity asks for 5 of lamp, and 4 of this payment were left'])
  await record(db, [capture('third', 2)])
  expect(await openRejections(db)).toEqual([])
  expect((await verify(db)).drift).toEqual([])
})

test('a reversal of a callback of another payment is refused', async ({ db }) => {
  await record(db, [
    payment({ callbackId: 'sale' }),
    payment({ callbackId: 'refund', status: 'refunded', occurredAtMs: NOON + 1 }),
  ])
  const reversal = payment({ callbackId: 'v', paymentRef: 'pay-2', status: 'success', reverses: 'refund' })
  const message = 'names a callback of another payment, pay-1'
  const refused = { isRecorded: false, rejection: { code: 'refused', field: 'reverses', message } }
  expect((await record(db, [reversal])).results).toMatchObject([refused])
  const both = [payment({ callbackId: 'x', status: 'refunded' }), { ...reversal, callbackId: 'y', reverses: 'x' }]
  expect((await record(db, both)).results).toMatchObject([{ isRecorded: true }, refused])
  // Of another provider, or not known yet, it waits.
  const waiting = [
    { ...reversal, callbackId: 'p', provider: 'other-pay' },
    { ...reversal, callbackId: 'q', reverses: 'unknown' },
  ]
  expect((await record(db, waiting)).results).toMatchObject([{ isRecorded: true }, { isRecorded: true }])
})

test('an item without a seller gets the seller of the catalogue, if there is one', async ({ db }) => {
  await sql`
    insert into catalog.product (updated_at, call_id, product_id, status, name, seller_id)
    values (now(), gen_random_uuid(), 'lamp', 'active', 'Lamp', 'south'), (now(), gen_random_uuid(), 'desk', 'active', 'Desk', null)`.execute(
    db,
  )
  const unnamed = (productId: string) => item({ productId, sellerId: null })
  await record(db, [payment({ items: [unnamed('lamp'), item({ productId: 'lamp' }), unnamed('desk'), unnamed('__proto__')] })])
  expect(await storedDays(db)).toEqual({
    'south EUR 2026-03-01': { revenue: 1_000, items: 2, orders: 1 },
    'north EUR 2026-03-01': { revenue: 1_000, items: 2, orders: 1 },
  })
  const { rows } = await sql`select product_id from sale_line where seller_id is null order by 1`.execute(db)
  expect(rows).toEqual([{ product_id: '__proto__' }, { product_id: 'desk' }])
})

test("a missing month's partition is created", async ({ db }) => {
  const { batch } = await record(db, [payment({ occurredAtMs: Date.parse('2011-02-03T04:05:06Z') })])
  expect(batch?.from).toBe('2011-02-03T04:05:06.000Z')
})

test('a callback before the horizon is rejected and kept; the other callbacks are recorded', async ({ db }) => {
  await withHorizon(db, '2026-01-01', async () => {
    const { results, batch } = await record(db, [
      payment({ occurredAtMs: Date.parse('2025-12-31T23:59:59Z'), orderId: 'old' }),
      payment(),
    ])
    expect(results).toMatchObject([{ isRecorded: false, rejection: { code: 'too_old' } }, { isRecorded: true }])
    const { rows } = await sql`select index, code from rejected_interaction where batch_id = ${batch!.batchId}`.execute(db)
    expect(rows).toEqual([{ index: 0, code: 'too_old' }])
  })
})

/** A manual change of one cell, and the cell that verify names. */
const TAMPERED: [cell: string, change: ReturnType<typeof sql>, aggregate: string, column: string][] = [
  [
    'an amount',
    sql`update sale_line set amount = amount + 1 where sale_line_id = (select min(sale_line_id) from sale_line)`,
    'sale_line',
    'amount',
  ],
  [
    'a quantity',
    sql`update sale_line set quantity = 7 where sale_line_id = (select min(sale_line_id) from sale_line)`,
    'sale_line',
    'quantity',
  ],
  ['an order', sql`update sale_line set orders = 0 where orders = 1`, 'sale_line', 'orders'],
  ['a line that is missing', sql`delete from sale_line where quantity < 0`, 'sale_line', 'quantity'],
  ['a day', sql`update seller_day set revenue = revenue - 1 where orders = 1`, 'seller_day', 'revenue'],
  ['orders of a day', sql`update seller_day set orders = 5 where orders = 1`, 'seller_day', 'orders'],
  ['a day that is missing', sql`delete from seller_day where orders = 1`, 'seller_day', '*'],
  ['what is open', sql`update seller_pending_day set items = items + 1`, 'seller_pending_day', 'items'],
  [
    'what is open without a day',
    sql`insert into seller_pending (seller_id, items, refunds) values ('north', 1, 0)`,
    'seller_pending',
    'items',
  ],
  ['what was refused', sql`update payment_callback set refused = '[]'`, 'payment_callback', 'refused'],
  [
    'a line that nobody told',
    sql`insert into sale_line (occurred_at, callback_no, sale_no, amount, quantity, orders, item, currency, product_id)
    values (now(), 999999, 999999, 7, 1, 1, 0, 'EUR', 'lamp')`,
    'sale_line',
    '*',
  ],
  ['a callback that is missing', sql`delete from payment_callback where status = 'refunded'`, 'sale_line', '*'],
  ['stars', sql`update product_rating set stars = 1`, 'product_rating', 'stars'],
]

test.for(TAMPERED)('verify finds %s that was changed by hand', async ([_cell, change, aggregate, column], { db }) => {
  await record(db, [
    payment(),
    payment({ status: 'refunded', items: [item({ quantity: 3 })], occurredAtMs: NOON + DAY_MS }),
    payment({ paymentRef: 'open', status: 'pending' }),
  ])
  await recordAndCount(db, [interaction({ eventType: 'rating_high', metadata: { rating: 4 } })])
  expect((await verify(db)).drift).toEqual([])
  await change.execute(db)
  const { drift } = await verify(db)
  expect(drift.map((one: Drift) => [one.aggregate, one.column])).toContainEqual([aggregate, column])
})

test('a rating event keeps the stars of its metadata, or else the middle of its type', async ({ db }) => {
  const rating = (eventType: string, metadata?: unknown) => interaction({ eventType, metadata })
  await recordAndCount(db, [
    rating('rating_low'),
    rating('rating_medium', { rating: 'five' }),
    rating('rating_high', { rating: 6 }),
    rating('rating_high', { rating: 5 }),
    rating('view', { rating: 5 }),
    interaction({ eventType: 'rating_high', refType: 'Category' }),
  ])
  const { rows } = await sql<{ stars: number }>`select stars from product_rating order by 1`.execute(db)
  expect(rows.map(({ stars }) => stars)).toEqual([1.5, 3, 4.5, 5])
})
