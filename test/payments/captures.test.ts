import { expect, test } from 'vitest'
import { settle } from '../../src/ledger/settlement.ts'
import { adjustment, item, NOON, payment } from '../harness/items/payments.ts'
import type { Item } from '../../src/ledger/callback.ts'
import { outcome } from '../harness/items/outcome.ts'
import type { NewPayment } from '../../src/admission/payment.ts'

const DAY_MS = 24 * 3_600_000
const desk = item({ productId: 'desk', quantity: 1, unitPrice: 400 })
const lamp = item({ quantity: 1, unitPrice: 600 })
const first = payment({ captureRef: 'c-1', items: [lamp] })
const second = payment({ captureRef: 'c-2', items: [desk], occurredAtMs: NOON + DAY_MS })
const refund = (values: Partial<NewPayment> = {}) => payment({ status: 'refunded', occurredAtMs: NOON + 2 * DAY_MS, ...values })

test('captures of one payment add up, and are one order', () => {
  expect(outcome(first, second)).toEqual({ left: [2, 1_000, 1], events: ['purchase', 'purchase'], refused: [] })
})

test('a success that says the same as the sale changes nothing and is not refused', () => {
  const again = { callbackId: 'again', occurredAtMs: NOON + DAY_MS }
  expect(outcome(payment(), payment(again))).toEqual({ left: [2, 1_000, 1], events: ['purchase'], refused: [] })
  const [one, other] = [item({ quantity: 1 }), item({ productId: 'desk' })]
  const split = payment({ ...again, items: [other, one, one] })
  expect(outcome(payment({ items: [item(), other] }), split)).toMatchObject({ left: [4, 2_000, 1], refused: [] })
  const unnamed = payment({ ...again, items: [item({ sellerId: null })] })
  expect(outcome(payment(), unnamed).refused).toEqual([])
})

test.for<[string, Partial<NewPayment>, string[]]>([
  ['other items', { items: [desk] }, ['items']],
  ['another quantity', { items: [item({ quantity: 3 })] }, ['items']],
  ['another price', { items: [item({ unitPrice: 501 })] }, ['items']],
  ['another seller', { items: [item({ sellerId: 'south' })] }, ['items']],
  ['an item more', { items: [item(), desk] }, ['items']],
  ['another currency', { currency: 'JPY' }, ['currency']],
  ['another order', { orderId: 'order-2' }, ['order_id']],
  ['everything else', { items: [desk], currency: 'JPY', orderId: 'order-2' }, ['items', 'currency', 'order_id']],
])('a further success with %s is refused and changes nothing', ([_what, values, fields]) => {
  const further = payment({ occurredAtMs: NOON + 1, ...values })
  const expected = { left: [2, 1_000, 1], events: ['purchase'] }
  const refused = fields.map((field) => `${field} differs from the sale of this payment`)
  expect(outcome(payment(), further)).toEqual({ ...expected, refused })
  expect(outcome(further, payment())).toEqual({ ...expected, refused })
})

test('another seller of an item is found next to adjustments and to items without a seller, which are of no certain one', () => {
  const others = [adjustment(), item({ productId: 'desk', sellerId: null })]
  const refusedOf = (...items: Item[]) =>
    outcome(payment({ items: [item(), ...others] }), payment({ occurredAtMs: NOON + 1, items })).refused
  expect(refusedOf(item({ sellerId: 'south' }), ...others)).toEqual(['items differs from the sale of this payment'])
  expect(refusedOf(item(), adjustment({ sellerId: 'south' }), others[1]!)).toEqual([
    'items differs from the sale of this payment',
  ])
  expect(refusedOf(item({ sellerId: null }), others[0]!, item({ productId: 'desk' }))).toEqual([])
})

test('a further success of a capture is compared with this capture', () => {
  const further = payment({ captureRef: 'c-1', items: [desk], occurredAtMs: NOON + 1 })
  expect(outcome(first, second, further)).toMatchObject({
    left: [2, 1_000, 1],
    refused: ['items differs from the sale of this capture'],
  })
})

test('a refund of a capture takes back this capture, and one of no capture everything that was captured before it', () => {
  expect(outcome(first, second, refund({ captureRef: 'c-2' })).left).toEqual([1, 600, 1])
  expect(outcome(first, second, refund()).left).toEqual([0, 0, 0])
  expect(outcome(first, second, refund({ occurredAtMs: NOON + 1 })).left).toEqual([1, 400, 1])
})

test('a refund of an item finds it in any capture, and in no other one than the named', () => {
  expect(outcome(first, second, refund({ items: [desk] }))).toMatchObject({ left: [1, 600, 1], refused: [] })
  expect(outcome(first, second, refund({ items: [desk], captureRef: 'c-1' }))).toMatchObject({
    left: [2, 1_000, 1],
    refused: ['items.0.quantity asks for 1 of desk, and 0 of this payment were left'],
  })
})

test('a refund of a capture that is not known waits for it', () => {
  expect(outcome(first, refund({ captureRef: 'c-2' }))).toMatchObject({ left: [1, 600, 1], refused: [] })
})

test.for(['refunded', 'cancelled', 'failed'] as const)(
  'a %s capture that is not known is waited for by its reversal',
  (status) => {
    const back = refund({ callbackId: 'back', status, captureRef: 'c-2' })
    const reversal = payment({ status: 'success', reverses: 'back', occurredAtMs: NOON + 3 * DAY_MS })
    expect(outcome(first, back, reversal)).toMatchObject({ left: [1, 600, 1], refused: [] })
    expect(outcome(first, back, reversal, second)).toMatchObject({ left: [2, 1_000, 1], refused: [] })
  },
)

test('items of the same product and place in two captures are two events each', () => {
  const other = payment({ captureRef: 'c-3', items: [lamp] })
  const { effects } = settle([first, other, refund()])
  expect(effects.map(({ type, sale }) => `${type} ${sale.captureRef}`).sort()).toEqual([
    'purchase c-1',
    'purchase c-3',
    'refund_requested c-1',
    'refund_requested c-3',
  ])
})

test('captures in two currencies are taken back in their own', () => {
  const yen = payment({ captureRef: 'yen', currency: 'JPY', items: [desk] })
  const { lines } = settle([first, yen, refund({ currency: 'JPY' })])
  expect(lines.map(({ currency, amount }) => `${currency} ${amount}`).toSorted()).toEqual(['EUR 600', 'JPY -400', 'JPY 400'])
})
