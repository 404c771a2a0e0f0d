import { expect, test } from 'vitest'
import { amountOf } from '../../src/contract/fields/quantity.ts'
import { settle } from '../../src/ledger/settlement.ts'
import type { Item } from '../../src/ledger/callback.ts'
import { adjustment, bySeller, item, NOON, payment } from '../harness/items/payments.ts'
import { outcome } from '../harness/items/outcome.ts'

const DAY_MS = 24 * 3_600_000
const refund = (items: Item[], days = 1) => payment({ status: 'refunded', items, occurredAtMs: NOON + days * DAY_MS })

test('adjustments are money of the sale, and no items, orders or events', () => {
  const sale = payment({ items: [item(), adjustment(), adjustment({ unitPrice: -100 })] })
  expect(outcome(sale)).toEqual({ left: [2, 1_390, 1], events: ['purchase'], refused: [] })
  const { lines } = settle([sale])
  expect(lines.map(({ productId, sellerId, amount }) => [productId, sellerId, amount])).toEqual([
    ['lamp', 'north', 1_000],
    [null, null, 490],
    [null, null, -100],
  ])
})

test('a whole refund takes back the adjustments, too', () => {
  const sale = payment({ items: [item(), adjustment(), adjustment({ unitPrice: -100 })] })
  expect(outcome(sale, refund([]))).toEqual({ left: [0, 0, 0], events: ['purchase', 'refund_requested'], refused: [] })
})

test('a refund of items leaves the adjustments, and one of an adjustment the items', () => {
  const sale = payment({ items: [item(), adjustment()] })
  expect(outcome(sale, refund([item()])).left).toEqual([0, 490, 0])
  expect(outcome(sale, refund([adjustment()]))).toEqual({ left: [2, 1_000, 1], events: ['purchase'], refused: [] })
  expect(outcome(sale, refund([adjustment({ unitPrice: 200 })])).left).toEqual([2, 1_290, 1])
})

test('a refund without a price takes back all adjustments', () => {
  const sale = payment({ items: [item(), adjustment(), adjustment({ unitPrice: -100 })] })
  expect(outcome(sale, refund([adjustment({ unitPrice: null })])).left).toEqual([2, 1_000, 1])
})

test('a refund takes back no more adjustments than there are, of their sign', () => {
  const sale = payment({ items: [item(), adjustment(), adjustment({ unitPrice: -100 })] })
  expect(outcome(sale, refund([adjustment({ unitPrice: 500 })]))).toMatchObject({
    left: [2, 900, 1],
    refused: ['items.0.unit_price asks for 500 of adjustments, and 490 of this payment were left'],
  })
  expect(outcome(sale, refund([adjustment({ unitPrice: -100 })])).left).toEqual([2, 1_490, 1])
  expect(outcome(payment(), refund([adjustment()]))).toMatchObject({
    left: [2, 1_000, 1],
    refused: ['items.0.unit_price asks for 490 of adjustments, and 0 of this payment were left'],
  })
})

test('adjustments that are pending are no items', () => {
  const pending = payment({ status: 'pending', items: [item(), adjustment({ sellerId: 'north' })] })
  expect(bySeller(settle([pending]).pending.values())).toEqual({ north: { items: 2, refunds: 0 } })
})

test.for<[thousandths: number, price: number, amount: number]>([
  [1_500, 333, 500],
  [500, 333, 167],
  [500, 1, 1],
  [499, 1, 0],
  [1, 499, 0],
  [1, 500, 1],
  [1_255, 1_999, 2_509],
  [1_000, -490, -490],
  [500, -333, -167],
  [1_000_000_000, 1_000_000_000_000, 1_000_000_000_000_000_000],
  [999_999_999, 9_999_999, 9_999_998_990_000],
])('%i thousandths at %i cost %i', ([thousandths, price, amount]) => {
  expect(amountOf(thousandths, price)).toBe(amount)
})

const cheese = (quantity: number, unitPrice: number | null = 333) => item({ productId: 'cheese', quantity, unitPrice })

test('a weight is one item, and its amount is rounded once', () => {
  expect(outcome(payment({ items: [cheese(1.5)] }))).toMatchObject({ left: [1, 500, 1] })
  expect(outcome(payment({ items: [cheese(0.001, 499)] }))).toMatchObject({ left: [1, 0, 1] })
})

test('partial refunds of a weight add up to its sale, and the last one has the remainder', () => {
  const parts = [1, 2, 3].map((days) => refund([cheese(0.5, null)], days))
  const { lines } = settle([payment({ items: [cheese(1.5)] }), ...parts])
  expect(lines.map(({ quantity, amount, orders }) => [quantity, amount, orders])).toEqual([
    [1, 500, 1],
    [0, -167, 0],
    [0, -167, 0],
    [-1, -166, -1],
  ])
})

test('small parts of a weight never come to more than the weight', () => {
  const parts = [1, 2, 3, 4, 5].map((days) => refund([cheese(0.001, null)], days))
  const { lines } = settle([payment({ items: [cheese(0.005, 500)] }), ...parts])
  expect(lines.map(({ amount }) => amount + 0)).toEqual([3, -1, -1, -1, 0, 0])
})

test('a refund of more than a weight names what was left of it', () => {
  expect(outcome(payment({ items: [cheese(1.5)] }), refund([cheese(0.7)], 1), refund([cheese(1)], 2))).toMatchObject({
    left: [0, 0, 0],
    refused: ['items.0.quantity asks for 1 of cheese, and 0.8 of this payment were left'],
  })
})

test('a part of a whole item leaves an item', () => {
  expect(outcome(payment(), refund([item({ quantity: 0.5 })])).left).toEqual([2, 750, 1])
  expect(outcome(payment(), refund([item({ quantity: 1.5 })])).left).toEqual([1, 250, 1])
})

test('a refund of a named adjustment takes back only adjustments with this name', () => {
  const sale = payment({
    items: [
      item(),
      adjustment({ name: 'shipping' }),
      adjustment({ name: 'discount', unitPrice: -100 }),
      adjustment({ unitPrice: 30 }),
    ],
  })
  const of = (values: Partial<Item>) =>
    settle([sale, payment({ status: 'refunded', items: [adjustment(values)], occurredAtMs: NOON + 1 })])
  const taken = (values: Partial<Item>) =>
    of(values)
      .lines.slice(4)
      .map(({ amount }) => amount)
  const refused = (values: Partial<Item>) => [...of(values).shortfalls.values()].flat().map(({ message }) => message)
  expect(taken({ name: 'shipping', unitPrice: null })).toEqual([-490])
  expect(taken({ name: 'shipping', unitPrice: 90 })).toEqual([-90])
  expect(taken({ name: 'discount', unitPrice: null })).toEqual([100])
  expect(taken({ unitPrice: null })).toEqual([-490, 100, -30])
  expect(taken({ name: 'gift', unitPrice: null })).toEqual([])
  expect(refused({ name: 'gift', unitPrice: null })).toEqual([
    'asks for adjustments named "gift", and none of this payment were left',
  ])
  expect(refused({ name: 'shipping', unitPrice: 500 })).toEqual([
    'asks for 500 of adjustments named "shipping", and 490 of this payment were left',
  ])
})
