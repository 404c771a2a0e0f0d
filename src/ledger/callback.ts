import type { PaymentStatus } from '../contract/payment.ts'

/** What a provider reported of a payment, as far as the ledger needs it. */
export interface Callback {
  provider: string
  callbackId: string
  paymentRef: string
  orderId: string
  status: PaymentStatus
  currency: string
  occurredAtMs: number
  /** A refund or a cancellation without items takes back everything that is left. */
  items: readonly Item[]
}

export interface Item {
  productId: string
  sellerId: string | null
  quantity: number
  /** In minor units. Null, in a refund or a cancellation, for the price that was paid. */
  unitPrice: number | null
}

/** An entry of the ledger: an item that was sold or, with negative numbers, taken back. */
export interface Line {
  callback: Callback
  sale: Callback
  /** The place of the item in the sale. */
  item: number
  productId: string
  sellerId: string | null
  currency: string
  occurredAtMs: number
  quantity: number
  amount: number
  orders: number
}

/** An event of the log that follows from a callback, for one product. */
export interface Effect {
  type: 'purchase' | 'refund_requested' | 'cancel_order'
  productId: string
  callback: Callback
  sale: Callback
  /** The place of the item: in the callback, or in the sale when the callback takes everything back. */
  place: number
  occurredAtMs: number
}

/** A part of a callback that could not be taken back. */
export interface Shortfall {
  field: string
  message: string
}

/** The identity of a callback. */
export function callbackKey({ provider, callbackId }: Pick<Callback, 'provider' | 'callbackId'>): string {
  return JSON.stringify([provider, callbackId])
}

/** The identity of an effect. */
export function effectKey({ callback, type, place, productId }: Effect): string {
  return JSON.stringify([callbackKey(callback), type, place, productId])
}

/** The line of an item that was sold. `countOrders` sets its orders. */
export function saleLine(sale: Callback, { productId, sellerId, quantity, unitPrice }: Item, item: number): Line {
  const { currency, occurredAtMs } = sale
  const amount = quantity * (unitPrice ?? 0)
  return { callback: sale, sale, item, productId, sellerId, currency, occurredAtMs, quantity, amount, orders: 0 }
}
