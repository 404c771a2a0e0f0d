import { amountOf } from '../contract/fields/quantity.ts'
import type { Item, Shortfall } from './callback.ts'
import { type Part, partOf, type Remainder } from './remainder.ts'

export type Take = (remainder: Remainder, part: Part) => void
/** Called for an item of which something was taken, with the place of the event that follows. */
export type OnTaken = (remainder: Remainder, place: number) => void

interface RequestedItem extends Item {
  /** In the callback. */
  place: number
  thousandths: number
}

/**
 * Takes items of a product, first those with the requested price. If none is left it takes what remains of the price of items that
 * were taken back for less. @returns what was requested and is not left.
 */
export function takeItem(requested: RequestedItem, remainders: readonly Remainder[], take: Take, onTaken: OnTaken): Shortfall[] {
  const { unitPrice, place } = requested
  const ofSeller = remainders.filter((remainder) => isOfSeller(requested, remainder))
  let first: Remainder | undefined
  const takeNoted: Take = (remainder, part) => {
    first ??= remainder
    take(remainder, part)
  }
  // Found before items are taken, because a request that takes an item for less must not also take the rest of its price.
  const paidInPart = ofSeller.filter(({ thousandths, amount }) => thousandths === 0 && amount > 0)
  const { thousandths, paidMax } = takeQuantity(requested, ofSeller, takeNoted)
  const moneyRequested = amountOf(requested.thousandths - thousandths, unitPrice ?? 0)
  const money = takeMoney(moneyRequested, paidInPart, takeNoted)
  if (first !== undefined) onTaken(first, place)
  return shortfallsOf(requested, { thousandths, paidMax, money, moneyRequested })
}

/**
 * Takes money of adjustments, first of those with the requested amount: charges for an amount above zero, discounts for one below. A
 * request without a price takes all that is left of them, and one with a name takes of those with this name only.
 */
export function takeAdjustment(requested: RequestedItem, remainders: readonly Remainder[], take: Take): Shortfall[] {
  const { name } = requested
  const hasName = ({ item }: Remainder) => name === undefined || item.name === name
  const noun = name === undefined ? 'adjustments' : `adjustments named ${JSON.stringify(name)}`
  const ofSeller = remainders.filter(
    (remainder) => isOfSeller(requested, remainder) && hasName(remainder) && remainder.amount !== 0,
  )
  if (requested.unitPrice === null) {
    for (const remainder of ofSeller) take(remainder, moneyPart(remainder.amount))
    return ofSeller.length > 0 ? [] : [shortfall(requested, 'unit_price', `asks for ${noun}, and none of this payment were left`)]
  }
  const wanted = amountOf(requested.thousandths, requested.unitPrice)
  const sign = Math.sign(wanted)
  const hasOtherAmount = ({ amount }: Remainder) => Number(amount !== wanted)
  const ofSign = ofSeller.filter(({ amount }) => Math.sign(amount) === sign)
  const money = takeMoney(
    wanted,
    ofSign.toSorted((a, b) => hasOtherAmount(a) - hasOtherAmount(b)),
    take,
  )
  if (money === wanted) return []
  return [shortfall(requested, 'unit_price', `asks for ${wanted} of ${noun}, and ${money} of this payment were left`)]
}

function isOfSeller({ sellerId }: Item, { item }: Remainder): boolean {
  return sellerId === null || item.sellerId === sellerId
}

interface Taken {
  thousandths: number
  /** The highest price that was paid for one of the taken items. */
  paidMax: number
  money: number
  moneyRequested: number
}

function takeQuantity(
  requested: RequestedItem,
  remainders: readonly Remainder[],
  take: Take,
): Pick<Taken, 'thousandths' | 'paidMax'> {
  const { unitPrice } = requested
  const hasOtherPrice = ({ item }: Remainder) => Number(item.unitPrice !== unitPrice)
  const open = remainders.filter(({ thousandths }) => thousandths > 0).toSorted((a, b) => hasOtherPrice(a) - hasOtherPrice(b))
  let thousandths = 0
  let paidMax = 0
  for (const remainder of open) {
    if (thousandths === requested.thousandths) break
    const part = partOf(remainder, Math.min(requested.thousandths - thousandths, remainder.thousandths), unitPrice)
    take(remainder, part)
    thousandths += part.thousandths
    paidMax = Math.max(paidMax, remainder.item.unitPrice ?? 0)
  }
  return { thousandths, paidMax }
}

/** Takes money of remainders whose amounts have the sign of what is wanted. @returns how much. */
function takeMoney(wanted: number, remainders: readonly Remainder[], take: Take): number {
  const sign = Math.sign(wanted)
  let money = 0
  for (const remainder of remainders) {
    if (money === wanted) break
    const part = sign * Math.min(Math.abs(wanted - money), Math.abs(remainder.amount))
    take(remainder, moneyPart(part))
    money += part
  }
  return money
}

function moneyPart(amount: number): Part {
  return { thousandths: 0, amount, price: 0 }
}

function shortfall({ place }: RequestedItem, field: 'quantity' | 'unit_price', message: string): Shortfall {
  return { field: `items.${place}.${field}`, message }
}

function shortfallsOf(requested: RequestedItem, { thousandths, paidMax, money, moneyRequested }: Taken): Shortfall[] {
  const { productId, unitPrice, quantity } = requested
  if (money > 0 && money < moneyRequested) {
    const message = `asks for ${moneyRequested} more of ${productId}, and ${money} of what was paid were left`
    return [shortfall(requested, 'unit_price', message)]
  }
  const shortfalls: Shortfall[] = []
  if (thousandths < requested.thousandths && money === 0) {
    const message = `asks for ${quantity} of ${productId}, and ${thousandths / 1_000} of this payment were left`
    shortfalls.push(shortfall(requested, 'quantity', message))
  }
  if (thousandths > 0 && unitPrice !== null && unitPrice > paidMax) {
    shortfalls.push(shortfall(requested, 'unit_price', `asks for ${unitPrice} each of ${productId}, and ${paidMax} was paid`))
  }
  return shortfalls
}
