import { amountOf, countOf, isFraction, thousandthsOf } from '../contract/fields/quantity.ts'
import { amountOfItem, type Callback, type Item } from './callback.ts'

/** What is left of an item of a sale. */
export interface Remainder {
  sale: Callback
  place: number
  item: Item
  /** 0 for an adjustment, which is money alone. */
  thousandths: number
  /** What was paid and not given back: more than `price` when something was taken back for less. */
  amount: number
  /** The price of the thousandths that are left. */
  price: number
}

/** A part of a remainder that was taken. */
export interface Part {
  thousandths: number
  amount: number
  price: number
}

export function remainderOf(sale: Callback, item: Item, place: number): Remainder {
  const amount = amountOfItem(item)
  if (item.productId === null) return { sale, place, item, thousandths: 0, amount, price: 0 }
  return { sale, place, item, thousandths: thousandthsOf(item.quantity), amount, price: amount }
}

/** The part of so many thousandths. The last one has what remains of the price, so that all parts add up to the line. */
export function partOf(remainder: Remainder, thousandths: number, unitPrice: number | null): Part {
  const paid = remainder.item.unitPrice ?? 0
  const isLast = thousandths === remainder.thousandths
  const price = isLast ? remainder.price : Math.min(amountOf(thousandths, paid), remainder.price)
  const asked = unitPrice === null || unitPrice >= paid ? price : Math.min(amountOf(thousandths, unitPrice), price)
  return { thousandths, amount: Math.min(asked, remainder.amount), price }
}

/** Takes a part, or with `sign` 1 gives it back. @returns the change of what the remainder counts as, and of its amount. */
export function move(remainder: Remainder, part: Part, sign: 1 | -1): { quantity: number; amount: number } {
  const before = itemsLeft(remainder)
  remainder.thousandths += sign * part.thousandths
  remainder.amount += sign * part.amount
  remainder.price += sign * part.price
  return { quantity: itemsLeft(remainder) - before, amount: sign * part.amount }
}

function itemsLeft({ item, thousandths }: Remainder): number {
  return countOf(thousandths, isFraction(thousandthsOf(item.quantity)))
}
