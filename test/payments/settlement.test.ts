import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Line } from '../../src/ledger/callback.ts'
import { difference } from '../../src/ledger/difference.ts'
import { type Settlement, settle } from '../../src/ledger/settlement.ts'
import { outcome } from '../harness/items/outcome.ts'
import {
  bySeller,
  callbacksArbitrary,
  firstRuleArbitrary,
  item,
  NOON,
  payment,
  weightCallback,
  withoutZeros,
} from '../harness/items/payments.ts'
import { reference } from '../harness/reference/ledger.ts'
import type { NewPayment } from '../../src/admission/payment.ts'

const DAY_MS = 24 * 3_600_000

function days(lines: readonly Line[]) {
  const sums: Record<string, { revenue: number; items: number; orders: number }> = {}
  for (const { sellerId, currency, occurredAtMs, quantity, amount, orders } of lines) {
    if (sellerId === null) continue
    const day = (sums[`${sellerId} ${currency} ${new Date(occurredAtMs).toISOString().slice(0, 10)}`] ??= {
      ...{ revenue: 0, items: 0, orders: 0 },
    })
    day.revenue += amount
    day.items += quantity
    day.orders += orders
  }
  return withoutZeros(sums)
}

test.for<[string, fc.Arbitrary<NewPayment[]>]>([
  ['callbacks', callbacksArbitrary()],
  ['callbacks about weights of one payment', callbacksArbitrary({ each: weightCallback })],
])('adding %s one by one, in any order, gives the settlement of all of them', ([_what, callbacks]) => {
  fc.assert(
    fc.property(
      callbacks.chain((all) => fc.shuffledSubarray(all, { minLength: all.length })),
      (arriving) => {
        const known: NewPayment[] = []
        const lines: Line[] = []
        let settlement: Settlement = settle([])
        for (const callback of arriving) {
          known.push(callback)
          const after = settle(known)
          lines.push(...difference(settlement, after).lines)
          settlement = after
        }
        const expected = reference(arriving)
        expect(days(lines)).toEqual(withoutZeros(expected.days))
        expect(bySeller(settlement.pending.values())).toEqual(expected.pending)
      },
    ),
    { numRuns: 3_000 },
  )
})

test('by rule 1 a failure after the success takes nothing back', () => {
  fc.assert(
    fc.property(fc.array(firstRuleArbitrary, { maxLength: 12 }), (callbacks) => {
      const { lines, pending } = settle(callbacks)
      const expected = reference(callbacks)
      expect(days(lines)).toEqual(withoutZeros(expected.days))
      expect(bySeller(pending.values())).toEqual(expected.pending)
    }),
    { numRuns: 500 },
  )
})

const refund = (values: Partial<NewPayment> = {}) => payment({ status: 'refunded', occurredAtMs: NOON + DAY_MS, ...values })

test('a sale of two items at 500 is two items, 1,000 and one order', () => {
  expect(outcome(payment())).toEqual({ left: [2, 1_000, 1], events: ['purchase'], refused: [] })
})

test('a partial refund keeps the order, the last refund ends it', () => {
  const one = refund({ items: [item({ quantity: 1 })] })
  expect(outcome(payment(), one).left).toEqual([1, 500, 1])
  const another = refund({ items: [item({ quantity: 1 })], occurredAtMs: NOON + 2 * DAY_MS })
  expect(outcome(payment(), one, another)).toEqual({
    left: [0, 0, 0],
    events: ['purchase', 'refund_requested', 'refund_requested'],
    refused: [],
  })
})

test('a whole refund takes back the rest of a partial one, even if the partial one comes later', () => {
  const partial = refund({ items: [item({ quantity: 1 })] })
  const whole = refund({ occurredAtMs: NOON + 2 * DAY_MS })
  const expected = { left: [0, 0, 0], refused: [], events: ['purchase', 'refund_requested', 'refund_requested'] }
  expect(outcome(payment(), partial, whole)).toMatchObject(expected)
  expect(outcome(payment(), whole, partial)).toMatchObject(expected)
})

test('a refund of more than was sold takes back the sale and names the excess', () => {
  const more = refund({ items: [item({ quantity: 3 }), item({ productId: 'desk' })] })
  expect(outcome(payment(), more)).toEqual({
    left: [0, 0, 0],
    events: ['purchase', 'refund_requested'],
    refused: [
      'items.0.quantity asks for 3 of lamp, and 2 of this payment were left',
      'items.1.quantity asks for 2 of desk, and 0 of this payment were left',
    ],
  })
  expect(outcome(payment(), refund(), refund({ occurredAtMs: NOON + 2 * DAY_MS }))).toMatchObject({
    events: ['purchase', 'refund_requested'],
    refused: ['items nothing of the payment is left to take back'],
  })
})

test('a refund below the price leaves the rest as revenue; one above it takes back the price', () => {
  expect(outcome(payment(), refund({ items: [item({ unitPrice: 400 })] })).left).toEqual([0, 200, 0])
  expect(outcome(payment(), refund({ items: [item({ unitPrice: 600 })] }))).toMatchObject({
    left: [0, 0, 0],
    refused: ['items.0.unit_price asks for 600 each of lamp, and 500 was paid'],
  })
})

test('an item that was returned for less can be refunded up to its price, and no further', () => {
  const part = (unitPrice: number, days: number) =>
    refund({ items: [item({ quantity: 1, unitPrice })], occurredAtMs: NOON + days * DAY_MS })
  const sale = payment({ items: [item({ quantity: 1 })] })
  expect(outcome(sale, part(100, 1), part(400, 2))).toEqual({
    left: [0, 0, 0],
    events: ['purchase', 'refund_requested', 'refund_requested'],
    refused: [],
  })
  expect(outcome(sale, part(100, 1), part(450, 2))).toMatchObject({
    left: [0, 0, 0],
    refused: ['items.0.unit_price asks for 450 more of lamp, and 400 of what was paid were left'],
  })
})

test('a cancellation and its refund are two events, and take back the sale once', () => {
  const cancelled = payment({ status: 'cancelled', occurredAtMs: NOON + DAY_MS })
  const both = outcome(payment(), cancelled, refund({ occurredAtMs: NOON + 2 * DAY_MS }))
  expect(both).toMatchObject({ left: [0, 0, 0], events: ['purchase', 'refund_requested', 'cancel_order'] })
})

test('a refund before its sale waits, and then counts at the time of the sale', () => {
  const early = payment({ status: 'cancelled', occurredAtMs: NOON - DAY_MS })
  expect(settle([early]).lines).toEqual([])
  const { lines } = settle([early, payment()])
  expect(lines.map(({ occurredAtMs, quantity }) => [occurredAtMs, quantity])).toEqual([
    [NOON, 2],
    [NOON, -2],
  ])
})

test('currencies are never mixed: a refund in another currency is rejected', () => {
  expect(outcome(payment(), refund({ currency: 'JPY' }))).toMatchObject({
    left: [2, 1_000, 1],
    refused: ['currency the payment is in EUR'],
  })
})

test('an order that is paid in two parts is one order of its seller until both are refunded', () => {
  const gift = payment({ paymentRef: 'gift-card', occurredAtMs: NOON + 1_000 })
  expect(outcome(payment(), gift).left).toEqual([4, 2_000, 1])
  expect(outcome(payment(), gift, refund()).left).toEqual([2, 1_000, 1])
  expect(outcome(payment(), gift, refund(), refund({ paymentRef: 'gift-card' })).left).toEqual([0, 0, 0])
})

test('a payment that is reported twice is one sale, at the earlier time', () => {
  const { lines } = settle([payment({ occurredAtMs: NOON + 1_000 }), payment()])
  expect(lines.map(({ occurredAtMs }) => occurredAtMs)).toEqual([NOON])
})

test('items of a pending payment are open until the payment succeeds or fails', () => {
  const pending = payment({ status: 'pending', occurredAtMs: NOON - 1_000 })
  const openOf = (...callbacks: NewPayment[]) => bySeller(settle(callbacks).pending.values())
  expect(openOf(pending)).toEqual({ north: { items: 2, refunds: 0 } })
  expect(openOf(pending, payment())).toEqual({})
  expect(openOf(pending, payment({ status: 'failed' }))).toEqual({})
  expect(openOf(pending, refund())).toEqual({ north: { items: 2, refunds: 1 } })
  expect(openOf(pending, payment({ status: 'cancelled' }))).toEqual({})
})
