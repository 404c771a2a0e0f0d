import type { Item } from '../../../src/ledger/callback.ts'
import type { NewPayment } from '../../../src/admission/payment.ts'

/** An item of a sale. Its quarters are the smallest part that the tests sell. */
interface Pile {
  sale: NewPayment
  item: Item
  place: number
  quarters: number
  money: number
}

/** What a callback took of a pile. `worth` is the price of the quarters, `money` what was given back for them. */
interface Taking {
  pile: Pile
  quarters: number
  worth: number
  money: number
  atMs: number
}

export interface Moment {
  pile: Pile
  atMs: number
  items: number
  money: number
}

const quartersOf = ({ productId, quantity }: Item) => (productId === null ? 0 : quantity * 4)
export const isAbout = ({ captureRef }: NewPayment, sale: NewPayment) => captureRef === null || captureRef === sale.captureRef

function cost(quarters: number, price: number): number {
  return Math.sign(price) * Math.floor((quarters * Math.abs(price)) / 4 + 0.5)
}

type Key = readonly (number | string)[]

function keyOf({ occurredAtMs, reverses, items, callbackId }: NewPayment): Key {
  return [occurredAtMs, reverses !== null ? 1 : items.length === 0 ? 2 : 0, callbackId]
}

function compare(one: Key, other: Key): number {
  const place = one.findIndex((part, index) => part !== other[index])
  if (place < 0) return one.length - other.length
  return other[place] === undefined || one[place]! > other[place] ? 1 : -1
}

export const inOrder = (one: NewPayment, other: NewPayment) => compare(keyOf(one), keyOf(other))

/** A reversal that is dated before what it reverses comes right after that. A failure lists what was sold, and takes back everything. */
function turnOf(callback: NewPayment, all: readonly NewPayment[]): Key {
  const ownOf = (one: NewPayment) => keyOf(one.status === 'failed' ? { ...one, items: [] } : one)
  const named = all.find(({ callbackId }) => callbackId === callback.reverses)
  return named === undefined || named.occurredAtMs < callback.occurredAtMs
    ? ownOf(callback)
    : [...ownOf(named), ...ownOf(callback)]
}

/** The items of sales, and what was taken of each. What is left is counted again each time. */
function createPiles(sales: readonly NewPayment[]) {
  const piles = sales.flatMap((sale) =>
    sale.items.map((item, place): Pile => {
      return { sale, item, place, quarters: quartersOf(item), money: cost(item.quantity * 4, item.unitPrice!) }
    }),
  )
  const moments: Moment[] = piles.map((pile) => ({
    ...{ pile, atMs: pile.sale.occurredAtMs, money: pile.money },
    items: counted(pile, pile.quarters),
  }))
  const takings = new Map<string, Taking[]>()
  const left = (pile: Pile) => {
    const taken = [...takings.values()].flat().filter((taking) => taking.pile === pile)
    const sum = (what: 'quarters' | 'worth' | 'money') => taken.reduce((total, taking) => total + taking[what], 0)
    const worth = pile.item.productId === null ? 0 : pile.money - sum('worth')
    return { quarters: pile.quarters - sum('quarters'), worth, money: pile.money - sum('money') }
  }
  const change = (pile: Pile, atMs: number, money: number, work: () => void) => {
    const before = counted(pile, left(pile).quarters)
    work()
    moments.push({ pile, atMs, money, items: counted(pile, left(pile).quarters) - before })
  }
  const take = ({ callbackId, occurredAtMs }: NewPayment, pile: Pile, part: ReturnType<typeof left>) => {
    const atMs = Math.max(occurredAtMs, pile.sale.occurredAtMs)
    const taken = takings.get(callbackId) ?? []
    takings.set(callbackId, taken)
    change(pile, atMs, -part.money, () => taken.push({ pile, ...part, atMs }))
  }
  const giveBack = ({ reverses, occurredAtMs }: NewPayment): Outcome => {
    const named = takings.get(reverses!) ?? []
    const isShort = named.length === 0
    while (named.length > 0) {
      const { pile, atMs, money } = named[0]!
      change(pile, Math.max(occurredAtMs, atMs), money, () => named.shift())
    }
    return { products: [], isShort }
  }
  return { piles, moments, left, take, giveBack }
}

type Piles = ReturnType<typeof createPiles>

interface Outcome {
  /** The products of the events that follow. */
  products: string[]
  isShort: boolean
}

/** Sells, and lets the callbacks take and give back in turn. */
export function replay(sales: readonly NewPayment[], callbacks: readonly NewPayment[]): Outcome & { moments: Moment[] } {
  const piles = createPiles(sales)
  const outcomes = callbacks
    .toSorted((one, other) => compare(turnOf(one, callbacks), turnOf(other, callbacks)))
    .map((callback) => (callback.reverses === null ? takeBack(piles, sales, callback) : piles.giveBack(callback)))
  return {
    moments: piles.moments,
    products: outcomes.flatMap(({ products }) => products),
    isShort: outcomes.some(({ isShort }) => isShort),
  }
}

function takeBack(piles: Piles, sales: readonly NewPayment[], callback: NewPayment): Outcome {
  const { status, currency, items, occurredAtMs: ownMs } = callback
  const about = sales.filter((sale) => isAbout(callback, sale))
  const named = about.filter((sale) => sale.currency === currency)
  const isUncertain = named.length < about.length || named.some(({ occurredAtMs }) => occurredAtMs > ownMs && sales.length > 1)
  if (named.length === 0) return { products: [], isShort: isUncertain }
  const ofNamed = piles.piles.filter(({ sale }) => named.includes(sale))
  const fromMs = Math.max(ownMs, named[0]!.occurredAtMs)
  const isSold = ({ sale }: Pile) => (status === 'failed' ? sale.occurredAtMs < ownMs : sale.occurredAtMs <= fromMs)
  const outcomes =
    status === 'failed' || items.length === 0
      ? [takeAll(piles, callback, ofNamed.filter(isSold))]
      : items.map((asked) => {
          const some = ofNamed.filter(
            ({ item }) => item.productId === asked.productId && (asked.sellerId === null || item.sellerId === asked.sellerId),
          )
          const isNamed = ({ item }: Pile) => asked.name === undefined || asked.name === item.name
          return asked.productId === null
            ? takeMoney(piles, callback, asked, some.filter(isNamed))
            : takeQuarters(piles, callback, asked, some)
        })
  return {
    products: outcomes.flatMap(({ products }) => products),
    isShort: isUncertain || outcomes.some(({ isShort }) => isShort),
  }
}

function takeAll({ left, take }: Piles, callback: NewPayment, some: readonly Pile[]): Outcome {
  const full = some.filter((pile) => left(pile).quarters > 0 || left(pile).money !== 0)
  for (const pile of full) take(callback, pile, left(pile))
  const products = full.flatMap(({ item }) => item.productId ?? [])
  return { products, isShort: full.length === 0 && callback.status !== 'failed' }
}

function takeMoney({ left, take }: Piles, callback: NewPayment, asked: Item, some: readonly Pile[]): Outcome {
  const wanted = asked.unitPrice === null ? null : cost(asked.quantity * 4, asked.unitPrice)
  const isExact = (pile: Pile) => left(pile).money === wanted
  let money = 0
  for (const pile of [...some.filter(isExact), ...some.filter((one) => !isExact(one))]) {
    const rest = left(pile).money
    if (rest === 0 || money === wanted) continue
    if (wanted !== null && Math.sign(rest) !== Math.sign(wanted)) continue
    const part = wanted === null || Math.abs(rest) < Math.abs(wanted - money) ? rest : wanted - money
    take(callback, pile, { quarters: 0, worth: 0, money: part })
    money += part
  }
  return { products: [], isShort: wanted === null ? money === 0 : money !== wanted }
}

function takeQuarters({ left, take }: Piles, callback: NewPayment, asked: Item, some: readonly Pile[]): Outcome {
  const cheap = some.filter((pile) => left(pile).quarters === 0 && left(pile).money > 0)
  const hasSamePrice = ({ item }: Pile) => item.unitPrice === asked.unitPrice
  const wanted = quartersOf(asked)
  let [quarters, highest, money] = [0, 0, 0]
  for (const pile of [...some.filter(hasSamePrice), ...some.filter((one) => !hasSamePrice(one))]) {
    const price = pile.item.unitPrice!
    const rest = left(pile)
    const part = Math.min(wanted - quarters, rest.quarters)
    if (part === 0) continue
    const worth = part === rest.quarters ? rest.worth : Math.min(cost(part, price), rest.worth)
    const isForLess = asked.unitPrice !== null && asked.unitPrice < price
    const forLess = isForLess ? cost(part, asked.unitPrice!) : worth
    take(callback, pile, { quarters: part, worth, money: Math.min(forLess, worth, rest.money) })
    quarters += part
    highest = Math.max(highest, price)
  }
  // The rest of the price of quarters that were returned for less before.
  const moneyWanted = cost(wanted - quarters, asked.unitPrice ?? 0)
  for (const pile of cheap) {
    const part = Math.min(moneyWanted - money, left(pile).money)
    if (part > 0) take(callback, pile, { quarters: 0, worth: 0, money: part })
    money += part
  }
  const isMissing = quarters < wanted && money < Math.max(1, moneyWanted)
  const isTooDear = quarters > 0 && (asked.unitPrice ?? 0) > highest
  return { products: quarters > 0 || money > 0 ? [asked.productId!] : [], isShort: isMissing || isTooDear }
}

/** A pile that was not sold in whole items counts as one item as long as a quarter of it is there. */
function counted({ item, quarters: sold }: Pile, quarters: number): number {
  if (item.productId === null) return 0
  return sold % 4 === 0 ? Math.ceil(quarters / 4) : Math.min(1, Math.ceil(quarters))
}
