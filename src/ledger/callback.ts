import { amountOf, countOf, isFraction, thousandthsOf } from '../contract/fields/quantity.ts'
import type { PaymentStatus } from '../contract/payment.ts'

/** What a provider reported of a payment, as far as the ledger needs it. */
export interface Callback {
  provider: string
  callbackId: string
  paymentRef: string
  /** The part of the payment that was captured, or that a refund is of; null for a payment that is captured once. */
  captureRef: string | null
  /** The callback whose refund, cancellation or failure did not last. */
  reverses: string | null
  orderId: string
  status: PaymentStatus
  currency: string
  occurredAtMs: number
  /** A refund or a cancellation without items takes back everything that is left. */
  items: readonly Item[]
  /** The rule that was in force when it was recorded. A payment is settled by the newest one of its callbacks. */
  rule: Rule
}

/**
 * The rule by which a payment is settled. Rule 1 takes nothing back for a failure after the success, and does not compare successes. It
 * is the rule of the release before this one, whose processes may still run, and of the payments that they settled.
 */
export type Rule = 1 | 2
export const NEWEST_RULE: Rule = 2

export interface Item {
  /** Null for an adjustment: shipping, a fee, a discount. */
  productId: string | null
  sellerId: string | null
  /** Whether the callback named no seller, and this is the one of the catalog when it was recorded. */
  isSellerOfCatalog?: true
  /** Up to three places. */
  quantity: number
  /** In minor units; of an adjustment also below zero. Null, in a refund or a cancellation, for the price that was paid. */
  unitPrice: number | null
  /** What an adjustment is. A refund of a named one takes of those with this name. */
  name?: string
}

/** An entry of the ledger: an item that was sold or, with negative numbers, taken back. */
export interface Line {
  callback: Callback
  sale: Callback
  /** The place of the item in the sale. */
  item: number
  /** Null for an adjustment. */
  productId: string | null
  sellerId: string | null
  currency: string
  occurredAtMs: number
  /** How many items it counts as. A fraction counts as one until all of it is taken back, an adjustment as none. */
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

/** A part of a callback that does not count, e.g. what could not be taken back. */
export interface Shortfall {
  field: string
  message: string
}

/** Whether a payment with these callbacks is settled by rule 2. */
export function isByRule2(callbacks: readonly Callback[]): boolean {
  return callbacks.some(({ rule }) => rule >= 2)
}

/** The identity of a callback. */
export function callbackKey({ provider, callbackId }: Pick<Callback, 'provider' | 'callbackId'>): string {
  return JSON.stringify([provider, callbackId])
}

/** The identity of an effect. Items of two captures may have the same place. */
export function effectKey({ callback, sale, type, place, productId }: Effect): string {
  const capture = sale.captureRef === null ? [] : [sale.captureRef]
  return JSON.stringify([callbackKey(callback), type, place, productId, ...capture])
}

/** The line of an item that was sold. `countOrders` sets its orders. */
export function saleLine(sale: Callback, item: Item, place: number): Line {
  const { currency, occurredAtMs } = sale
  const { productId, sellerId } = item
  const [quantity, amount] = [itemsOf(item), amountOfItem(item)]
  return { callback: sale, sale, item: place, productId, sellerId, currency, occurredAtMs, quantity, amount, orders: 0 }
}

/** How many items an item counts as. */
export function itemsOf({ productId, quantity }: Pick<Item, 'productId' | 'quantity'>): number {
  const thousandths = thousandthsOf(quantity)
  return productId === null ? 0 : countOf(thousandths, isFraction(thousandths))
}

/** In minor units. */
export function amountOfItem({ quantity, unitPrice }: Pick<Item, 'quantity' | 'unitPrice'>): number {
  return amountOf(thousandthsOf(quantity), unitPrice ?? 0)
}
