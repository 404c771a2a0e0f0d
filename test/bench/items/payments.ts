import { randomUUID } from 'node:crypto'
import type { PaymentCallback } from '../../../src/contract/payment.ts'
import { instantOf } from '../../../src/contract/fields/time.ts'

const SELLERS = 1_000
const PRODUCTS_PER_SELLER = 20
const ITEMS = 3

/** A payment of now with three items, whose sellers follow from the index. An index may be used once only. */
export function paymentCallback(index: number): PaymentCallback {
  return {
    provider: 'acme-pay',
    callback_id: randomUUID(),
    payment_ref: `pay-${index}-${process.pid}`,
    order_id: `order-${index}-${process.pid}`,
    status: 'success',
    currency: 'EUR',
    account_id: `shopper-${index % 10_000}`,
    occurred_at: instantOf(Date.now()),
    items: Array.from({ length: ITEMS }, (_, place) => {
      const seller = (index * 7 + place * 311) % SELLERS
      return {
        product_id: `product-${seller}-${(index + place) % PRODUCTS_PER_SELLER}`,
        seller_id: `seller-${seller}`,
        quantity: 1 + (index % 3),
        unit_price: 100 + ((index * 37) % 9_900),
      }
    }),
  }
}
