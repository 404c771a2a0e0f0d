import { expect, test } from 'vitest'
import { settle } from '../../src/ledger/settlement.ts'
import { bySeller, item, NOON, payment } from '../harness/items/payments.ts'
import { outcome } from '../harness/items/outcome.ts'
import type { NewPayment } from '../../src/admission/payment.ts'

const DAY_MS = 24 * 3_600_000
const day = (days: number) => NOON + days * DAY_MS
const refund = payment({ callbackId: 'refund', status: 'refunded', occurredAtMs: day(1) })
const reversal = (values: Partial<NewPayment> = {}) =>
  payment({ status: 'failed', reverses: 'refund', occurredAtMs: day(5), ...values })

/** The lines as `<days after the sale> <items> <amount> <orders>`. */
function booked(...callbacks: NewPayment[]): string[] {
  return settle(callbacks)
    .lines.toSorted((one, other) => one.occurredAtMs - other.occurredAtMs)
    .map(({ occurredAtMs, quantity, amount, orders }) => `${(occurredAtMs - NOON) / DAY_MS}: ${quantity} ${amount} ${orders}`)
}

test.for(['success', 'failed'] as const)('a %s that reverses a refund gives back what it took, at its own time', (status) => {
  const callbacks = [payment(), refund, reversal({ status })]
  const expected = ['0: 2 1000 1', '1: -2 -1000 -1', '5: 2 1000 1']
  expect(booked(...callbacks)).toEqual(expected)
  expect(booked(...callbacks.toReversed())).toEqual(expected)
  expect(outcome(...callbacks)).toEqual({ left: [2, 1_000, 1], events: ['purchase', 'refund_requested'], refused: [] })
})

test('a reversal that is dated before its refund counts at the time of the refund', () => {
  expect(booked(payment(), refund, reversal({ occurredAtMs: day(0.5) }))).toEqual(['0: 2 1000 1', '1: -2 -1000 0', '1: 2 1000 0'])
})

test('items that were given back can be refunded again', () => {
  const again = payment({ status: 'refunded', occurredAtMs: day(6) })
  expect(outcome(payment(), refund, reversal(), again)).toEqual({
    ...{ left: [0, 0, 0], refused: [] },
    events: ['purchase', 'refund_requested', 'refund_requested'],
  })
})

test('a refund between a refund and its reversal finds nothing', () => {
  const between = payment({ status: 'refunded', occurredAtMs: day(3) })
  expect(outcome(payment(), refund, reversal(), between)).toMatchObject({
    left: [2, 1_000, 1],
    refused: ['items nothing of the payment is left to take back'],
  })
})

test('a reversal gives back what its refund took, and no more', () => {
  const part = payment({
    callbackId: 'part',
    status: 'refunded',
    items: [item({ quantity: 1, unitPrice: 300 })],
    occurredAtMs: day(1),
  })
  const rest = payment({ status: 'refunded', occurredAtMs: day(2) })
  expect(outcome(payment(), part, rest).left).toEqual([0, 0, 0])
  expect(outcome(payment(), part, rest, reversal({ reverses: 'part' })).left).toEqual([1, 300, 1])
})

test('an item that came back for less than its price is refunded for what is left of the price', () => {
  const one = payment({ items: [item({ quantity: 1 })] })
  const back = (callbackId: string, unitPrice: number | null, days: number) =>
    payment({ callbackId, status: 'refunded', items: [item({ quantity: 1, unitPrice })], occurredAtMs: day(days) })
  const callbacks = [one, back('cheap', 100, 1), back('rest', 400, 2), reversal({ reverses: 'cheap', occurredAtMs: day(3) })]
  expect(outcome(...callbacks).left).toEqual([1, 100, 1])
  expect(outcome(...callbacks, back('last', null, 4)).left).toEqual([0, 0, 0])
})

test('a refund is reversed once', () => {
  const second = reversal({ occurredAtMs: day(6) })
  expect(outcome(payment(), refund, reversal(), second)).toMatchObject({
    left: [2, 1_000, 1],
    refused: ['reverses nothing that refund took back is left to give back'],
  })
})

test.for<[string, NewPayment]>([
  ['a sale', payment({ callbackId: 'named', occurredAtMs: NOON + 1 })],
  ['a pending payment', payment({ callbackId: 'named', status: 'pending' })],
  ['a failure before the sale', payment({ callbackId: 'named', status: 'failed', occurredAtMs: day(-1) })],
  ['another reversal', reversal({ callbackId: 'named' })],
])('a reversal of %s is refused', ([_what, named]) => {
  expect(outcome(payment(), refund, named, reversal({ reverses: 'named', occurredAtMs: day(7) })).refused).toEqual([
    'reverses named took nothing back',
  ])
})

test('a reversal of a callback that is not known waits for it', () => {
  expect(outcome(payment(), reversal())).toMatchObject({ left: [2, 1_000, 1], refused: [] })
})

test('a refund that was reversed before its sale does not wait for it', () => {
  const pending = payment({ status: 'pending', occurredAtMs: day(-1) })
  const openOf = (...callbacks: NewPayment[]) => bySeller(settle(callbacks).pending.values())
  expect(openOf(pending, refund)).toEqual({ north: { items: 2, refunds: 1 } })
  expect(openOf(pending, refund, reversal())).toEqual({ north: { items: 2, refunds: 0 } })
})

test('a reversal of a pending payment leaves it pending', () => {
  const pending = payment({ callbackId: 'pending', status: 'pending' })
  const { pending: open } = settle([pending, reversal({ reverses: 'pending' })])
  expect(bySeller(open.values())).toEqual({ north: { items: 2, refunds: 0 } })
})

test('of the same instant, a failure counts after the refund of a part, also when it lists the items', () => {
  const part = payment({ callbackId: 'z', status: 'refunded', items: [item({ quantity: 1 })], occurredAtMs: day(1) })
  for (const items of [[], [item()]]) {
    const failure = payment({ callbackId: 'a', status: 'failed', items, occurredAtMs: day(1) })
    expect(booked(payment(), failure, part)).toEqual(['0: 2 1000 1', '1: -1 -500 0', '1: -1 -500 -1'])
  }
})

test('a failure after the success takes back what is left, at its own time', () => {
  const failure = payment({ callbackId: 'failure', status: 'failed', occurredAtMs: day(20) })
  expect(booked(payment(), failure)).toEqual(['0: 2 1000 1', '20: -2 -1000 -1'])
  const part = payment({ status: 'refunded', items: [item({ quantity: 1 })], occurredAtMs: day(1) })
  expect(booked(payment(), failure, part)).toEqual(['0: 2 1000 1', '1: -1 -500 0', '20: -1 -500 -1'])
  expect(outcome(payment(), failure)).toEqual({ left: [0, 0, 0], events: ['purchase', 'cancel_order'], refused: [] })
  expect(outcome(payment(), refund, failure)).toMatchObject({ left: [0, 0, 0], refused: [] })
})

test('a failure at or before the success means nothing', () => {
  for (const days of [-1, 0]) {
    const failure = payment({ status: 'failed', occurredAtMs: day(days) })
    expect(outcome(payment(), failure)).toEqual({ left: [2, 1_000, 1], events: ['purchase'], refused: [] })
  }
})

test('a failure of a capture leaves the other captures', () => {
  const capture = (captureRef: string, days: number) => payment({ captureRef, occurredAtMs: day(days) })
  const failure = (captureRef: string | null) => payment({ status: 'failed', captureRef, occurredAtMs: day(2) })
  expect(outcome(capture('a', 0), capture('b', 1), failure('a')).left).toEqual([2, 1_000, 1])
  expect(outcome(capture('a', 0), capture('b', 1), failure(null)).left).toEqual([0, 0, 0])
  expect(outcome(capture('a', 0), capture('b', 3), failure(null)).left).toEqual([2, 1_000, 1])
})

test('a failure that was reversed is money again', () => {
  const failure = payment({ callbackId: 'failure', status: 'failed', occurredAtMs: day(20) })
  const paid = reversal({ status: 'success', reverses: 'failure', occurredAtMs: day(30) })
  expect(booked(payment(), failure, paid)).toEqual(['0: 2 1000 1', '20: -2 -1000 -1', '30: 2 1000 1'])
})

test('a success after a failure or a whole cancellation is listed with what to send, until that was reversed', () => {
  const again = payment({ callbackId: 'again', occurredAtMs: day(21) })
  for (const status of ['failed', 'cancelled'] as const) {
    const end = payment({ callbackId: 'end', status, items: [], occurredAtMs: day(20) })
    const paid = reversal({ status: 'success', reverses: 'end', occurredAtMs: day(22) })
    expect(outcome(payment(), end, again)).toMatchObject({
      left: [0, 0, 0],
      refused: ['status repeats a sale that end took back: if it is paid after all, send a callback with reverses end'],
    })
    expect(outcome(payment(), end, again, paid)).toMatchObject({ left: [2, 1_000, 1], refused: [] })
    // A repetition from before it says nothing new.
    expect(outcome(payment(), end, { ...again, occurredAtMs: day(19) }).refused).toEqual([])
  }
  const part = payment({ status: 'cancelled', items: [item({ quantity: 1 })], occurredAtMs: day(20) })
  expect(outcome(payment(), part, again).refused).toEqual([])
  const failure = payment({ status: 'failed', items: [], captureRef: 'b', occurredAtMs: day(20) })
  expect(outcome(payment({ captureRef: 'a' }), failure, { ...again, captureRef: 'a' }).refused).toEqual([])
  // It took nothing back.
  expect(outcome(payment(), refund, { ...failure, captureRef: null }, again).refused).toEqual([])
})
