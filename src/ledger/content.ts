import { thousandthsOf } from '../contract/fields/quantity.ts'
import type { Callback, Item, Shortfall } from './callback.ts'

/** What two callbacks about one sale must agree on. */
export type Content = Pick<Callback, 'currency' | 'orderId' | 'items'>

/** The fields in which two callbacks say something different, by the names that callers know. */
export function differentFields(one: Content, other: Content): string[] {
  return [
    ...(haveSameItems(one.items, other.items) ? [] : ['items']),
    ...(one.currency === other.currency ? [] : ['currency']),
    ...(one.orderId === other.orderId ? [] : ['order_id']),
  ]
}

/** Each different field as a shortfall. */
export function contentShortfalls(one: Content, other: Content, message: string): Shortfall[] {
  return differentFields(one, other).map((field) => ({ field, message }))
}

/** Whether lists have the same items, in any order and split in any way. */
function haveSameItems(one: readonly Item[], other: readonly Item[]): boolean {
  // The catalog may have had other sellers when the other callback was recorded, or none.
  const isUnnamed = ({ productId, sellerId, isSellerOfCatalog }: Item) =>
    productId !== null && (sellerId === null || isSellerOfCatalog === true)
  const unnamed = new Set([...one, ...other].filter(isUnnamed).map(({ productId }) => productId))
  const keyOf = ({ productId, sellerId, unitPrice }: Item) =>
    JSON.stringify([productId, unitPrice, ...(unnamed.has(productId) ? [] : [sellerId])])
  const left = new Map<string, number>()
  const add = (items: readonly Item[], sign: 1 | -1) => {
    for (const item of items) left.set(keyOf(item), (left.get(keyOf(item)) ?? 0) + sign * thousandthsOf(item.quantity))
  }
  add(one, 1)
  add(other, -1)
  return [...left.values()].every((thousandths) => thousandths === 0)
}
