import { type Callback, callbackKey, type Effect, type Item, type Line, saleLine, type Shortfall } from './callback.ts'

/** An item that was taken back, wholly or in part. */
export type TakenItem = Pick<Effect, 'callback' | 'sale' | 'productId' | 'place'>

interface TakenBack {
  lines: Line[]
  taken: TakenItem[]
  /** By the key of the callback. */
  shortfalls: Map<string, Shortfall[]>
}

/** What is left of an item of the sale. */
interface Remainder {
  place: number
  item: Item
  quantity: number
  amount: number
}

type Take = (remainder: Remainder, quantity: number, amount: number) => void
type OnTakenItem = (productId: string, place: number) => void

/** Applies refunds and cancellations to a sale in turn, never more than is left of it. */
export function takeBack(sale: Callback, retractions: readonly Callback[]): TakenBack {
  const back: TakenBack = { lines: [], taken: [], shortfalls: new Map() }
  const remainders = sale.items.map((item, place): Remainder => {
    return { place, item, quantity: item.quantity, amount: item.quantity * (item.unitPrice ?? 0) }
  })
  const remaindersOf = Map.groupBy(remainders, ({ item }) => item.productId)
  for (const callback of retractions) {
    const take: Take = (remainder, quantity, amount) => {
      remainder.quantity -= quantity
      remainder.amount -= amount
      const line = saleLine(sale, remainder.item, remainder.place)
      const occurredAtMs = Math.max(callback.occurredAtMs, sale.occurredAtMs)
      back.lines.push({ ...line, callback, occurredAtMs, quantity: -quantity, amount: -amount })
    }
    const onTaken: OnTakenItem = (productId, place) => back.taken.push({ callback, sale, productId, place })
    const shortfalls =
      callback.currency !== sale.currency
        ? [{ field: 'currency', message: `the payment is in ${sale.currency}` }]
        : callback.items.length === 0
          ? takeAll(remainders, take, onTaken)
          : callback.items.flatMap((item, place) =>
              takeItem({ ...item, place }, remaindersOf.get(item.productId) ?? [], take, onTaken),
            )
    if (shortfalls.length > 0) back.shortfalls.set(callbackKey(callback), shortfalls)
  }
  return back
}

function takeAll(remainders: readonly Remainder[], take: Take, onTaken: OnTakenItem): Shortfall[] {
  const open = remainders.filter(({ quantity, amount }) => quantity > 0 || amount > 0)
  for (const remainder of open) {
    take(remainder, remainder.quantity, remainder.amount)
    onTaken(remainder.item.productId, remainder.place)
  }
  return open.length > 0 ? [] : [{ field: 'items', message: 'nothing of the payment is left to take back' }]
}

interface RequestedItem extends Item {
  /** In the callback. */
  place: number
}

/**
 * Takes items of a product, first those with the requested price. If none is left it takes what remains of the price of items that
 * were taken back for less. @returns what was requested and is not left.
 */
function takeItem(requested: RequestedItem, remainders: readonly Remainder[], take: Take, onTaken: OnTakenItem): Shortfall[] {
  const { productId, sellerId, place } = requested
  const ofSeller = remainders.filter(({ item }) => sellerId === null || item.sellerId === sellerId)
  // Found before items are taken, because a request that takes an item for less must not also take the rest of its price.
  const paidInPart = ofSeller.filter(({ quantity, amount }) => quantity === 0 && amount > 0)
  const { quantity, paidMax } = takeQuantity(requested, ofSeller, take)
  const moneyRequested = (requested.quantity - quantity) * (requested.unitPrice ?? 0)
  const money = takeMoney(moneyRequested, paidInPart, take)
  if (quantity > 0 || money > 0) onTaken(productId, place)
  return shortfallsOf(requested, { quantity, paidMax, money, moneyRequested })
}

interface Taken {
  quantity: number
  /** The highest price that was paid for one of the taken items. */
  paidMax: number
  money: number
  moneyRequested: number
}

function takeQuantity(
  requested: RequestedItem,
  remainders: readonly Remainder[],
  take: Take,
): Pick<Taken, 'quantity' | 'paidMax'> {
  const { unitPrice } = requested
  const hasOtherPrice = ({ item }: Remainder) => Number(item.unitPrice !== unitPrice)
  const withItems = remainders.filter(({ quantity }) => quantity > 0).toSorted((a, b) => hasOtherPrice(a) - hasOtherPrice(b))
  let quantity = 0
  let paidMax = 0
  for (const remainder of withItems) {
    if (quantity === requested.quantity) break
    const part = Math.min(requested.quantity - quantity, remainder.quantity)
    const paid = remainder.item.unitPrice ?? 0
    take(remainder, part, part * Math.min(unitPrice ?? paid, paid))
    quantity += part
    paidMax = Math.max(paidMax, paid)
  }
  return { quantity, paidMax }
}

function takeMoney(moneyRequested: number, remainders: readonly Remainder[], take: Take): number {
  let money = 0
  for (const remainder of remainders) {
    if (money === moneyRequested) break
    const part = Math.min(moneyRequested - money, remainder.amount)
    take(remainder, 0, part)
    money += part
  }
  return money
}

function shortfallsOf(requested: RequestedItem, { quantity, paidMax, money, moneyRequested }: Taken): Shortfall[] {
  const { productId, unitPrice, place } = requested
  const shortfall = (field: 'quantity' | 'unit_price', message: string): Shortfall => {
    return { field: `items.${place}.${field}`, message }
  }
  if (money > 0 && money < moneyRequested) {
    return [shortfall('unit_price', `asks for ${moneyRequested} more of ${productId}, and ${money} of what was paid were left`)]
  }
  const shortfalls: Shortfall[] = []
  if (quantity < requested.quantity && money === 0) {
    shortfalls.push(
      shortfall('quantity', `asks for ${requested.quantity} of ${productId}, and ${quantity} of this payment were left`),
    )
  }
  if (quantity > 0 && unitPrice !== null && unitPrice > paidMax) {
    shortfalls.push(shortfall('unit_price', `asks for ${unitPrice} each of ${productId}, and ${paidMax} was paid`))
  }
  return shortfalls
}
