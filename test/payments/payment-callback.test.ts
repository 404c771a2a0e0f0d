import { expect, test } from 'vitest'
import { judgePayments } from '../../src/admission/payment.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const CALLBACK = {
  ...{ provider: 'acme-pay', callback_id: 'c-1', payment_ref: 'p-1', order_id: 'o-1', status: 'success', currency: 'EUR' },
  ...{ occurred_at: '2026-03-01T12:00:00Z', items: [{ product_id: 'lamp', quantity: 2, unit_price: 500 }] },
}
const ofItem = (changes: object) => ({ items: [{ product_id: 'lamp', quantity: 1, unit_price: 500, ...changes }] })
const ofAdjustment = (changes: object) => ({ items: [...CALLBACK.items, { unit_price: 490, ...changes }] })

function judged(changes: object) {
  const { rows, rejections } = judgePayments([{ ...CALLBACK, ...changes }], NOW_MS)
  return { row: rows[0], problem: rejections[0] && `${rejections[0].field} ${rejections[0].message}` }
}

test.for<[string, object]>([
  ['a capture', { capture_ref: 'cap-1' }],
  ['a reversal that is a success', { status: 'success', reverses: 'c-0', items: undefined }],
  ['a reversal that is a failure', { status: 'failed', reverses: 'c-0', items: [] }],
  ['an adjustment', ofAdjustment({})],
  ['an adjustment with a name, a seller and a quantity', ofAdjustment({ name: 'gift wrap', seller_id: 'north', quantity: 2 })],
  ['a discount', ofAdjustment({ unit_price: -1_000 })],
  ['adjustments alone', { items: [{ name: 'shipping', unit_price: 490 }] }],
  ['an adjustment of a refund without a price', { status: 'refunded', items: [{ name: 'shipping' }] }],
  ['a returned discount', { status: 'refunded', items: [{ unit_price: -100 }] }],
  ['1.5 kg', ofItem({ quantity: 1.5 })],
  ['1.005 kg', ofItem({ quantity: 1.005 })],
  ['a gram', ofItem({ quantity: 0.001 })],
])('a callback with %s is taken', ([_what, changes]) => {
  expect(judged(changes)).toMatchObject({ row: { callbackId: 'c-1' }, problem: undefined })
})

const QUANTITY = 'items.0.quantity must be a number from 0.001 to 1000000 with up to three places'
test.for<[string, object, string]>([
  [
    'a discount larger than the items',
    ofAdjustment({ unit_price: -1_001 }),
    'items come to less than 0, because the discounts exceed the rest',
  ],
  [
    'a negative price of a product',
    ofItem({ unit_price: -1 }),
    'items.0.unit_price must not be below 0, except without product_id',
  ],
  ['a product without quantity', ofItem({ quantity: undefined }), 'items.0.quantity is missing'],
  ['a product with a name', ofItem({ name: 'Lamp' }), 'items.0.name is only of items without product_id'],
  ['an adjustment without a price', ofAdjustment({ unit_price: undefined }), 'items.1.unit_price is needed'],
  ['four places', ofItem({ quantity: 1.0005 }), QUANTITY],
  ['no quantity', ofItem({ quantity: 0 }), QUANTITY],
  ['a negative quantity', ofItem({ quantity: -1.5 }), QUANTITY],
  ['too much', ofItem({ quantity: 1_000_000.5 }), QUANTITY],
  ['the largest number', ofItem({ quantity: Number.MAX_VALUE }), QUANTITY],
  ['the smallest number', ofItem({ quantity: -Number.MAX_VALUE }), QUANTITY],
  ['a quantity that is a text', ofItem({ quantity: '1.5' }), QUANTITY],
  [
    'fractional money',
    ofItem({ unit_price: 0.5 }),
    'items.0.unit_price must be a whole number from -1000000000000 to 1000000000000',
  ],
  [
    'charges and discounts that are too large each',
    {
      items: [
        { unit_price: 1e12, quantity: 11 },
        { unit_price: -1e12, quantity: 11 },
      ],
    },
    'items come to more than 10000000000000 in minor units',
  ],
  ['a reversal with items', { status: 'failed', reverses: 'c-0' }, 'items must be absent with reverses'],
  ['a reversal of itself', { status: 'failed', reverses: 'c-1', items: [] }, 'reverses must name another callback'],
  [
    'a reversal that is a refund',
    { status: 'refunded', reverses: 'c-0', items: [] },
    'status must be success or failed with reverses',
  ],
  ['an empty capture_ref', { capture_ref: '' }, 'capture_ref must have 1 to 200 characters'],
])('a callback with %s is rejected with the field and a reason', ([_what, changes, problem]) => {
  expect(judged(changes)).toEqual({ row: undefined, problem })
})
