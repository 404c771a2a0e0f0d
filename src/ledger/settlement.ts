import type { PaymentStatus } from '../contract/payment.ts'

/*
 * What payments come to. Everything here is a function of the set of callbacks that are known, and not of the order in which they
 * came: whoever learns of another callback settles again, and adds the difference.
 *
 * - Of a payment's successes the first is the sale, by occurred_at and then callback_id; the others say the same again.
 * - Refunds and cancellations take back in that order, at the same instant those last that take all; each as far as something is
 *   left, and not before the sale.
 * - A seller's part of an order counts as an order while any item of it is left, whatever payments the order has.
 */

/** What a provider told, as far as it matters here. */
export interface Callback {
  provider: string
  callbackId: string
  paymentRef: string
  orderId: string
  status: PaymentStatus
  currency: string
  occurredAtMs: number
  /** Of a refund or a cancellation: none for all that is left. */
  items: readonly Item[]
}

export interface Item {
  productId: string
  sellerId: string | null
  quantity: number
  /** In minor units; null, of what is taken back, for what was paid. */
  unitPrice: number | null
}

/** A part of the ledger: what was sold, or, negative, taken back. */
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

/** What a callback says of a product, as an event of the log. */
export interface Effect {
  type: 'purchase' | 'refund_requested' | 'cancel_order'
  productId: string
  callback: Callback
  sale: Callback
  /** The place of the item: in the callback, or in the sale when the callback takes all back. */
  place: number
  occurredAtMs: number
}

/** A part of a callback that could not be taken back. */
export interface Shortfall {
  field: string
  message: string
}

/** What is open at a seller. */
export interface Pending {
  items: number
  refunds: number
}

export interface Settlement {
  lines: Line[]
  effects: Effect[]
  /** By keyOf the callback. */
  refused: Map<string, Shortfall[]>
  /** By seller. */
  pending: Map<string, Pending>
}

/** A callback's identity. */
export function keyOf({ provider, callbackId }: Pick<Callback, 'provider' | 'callbackId'>): string {
  return JSON.stringify([provider, callbackId])
}

/** An effect's identity. */
export function idOfEffect({ callback, type, place, productId }: Effect): string {
  return JSON.stringify([keyOf(callback), type, place, productId])
}

/** What these callbacks come to. All of a payment must be among them, and for `orders` all payments of its order. */
export function settle(callbacks: readonly Callback[]): Settlement {
  const settlement: Settlement = { lines: [], effects: [], refused: new Map(), pending: new Map() }
  const payments = Map.groupBy(callbacks, ({ provider, paymentRef }) => JSON.stringify([provider, paymentRef]))
  // In an order of their own, so that lines of the same instant are always counted in the same way.
  for (const key of [...payments.keys()].sort()) settlePayment(payments.get(key)!.toSorted(inOrder), settlement)
  countOrders(settlement.lines)
  return settlement
}

/** What must be added to the first to get the second. Lines and effects are ones that the first has not. */
export function difference(before: Settlement, after: Settlement): Pick<Settlement, 'lines' | 'effects' | 'pending'> {
  return {
    lines: newLines(before.lines, after.lines),
    effects: newEffects(before.effects, after.effects),
    pending: newPending(before.pending, after.pending),
  }
}

/** Of the same instant (providers tell whole seconds) what takes all that is left comes last. */
function inOrder(one: Callback, other: Callback): number {
  const takesAll = ({ items }: Callback) => Number(items.length === 0)
  return one.occurredAtMs - other.occurredAtMs || takesAll(one) - takesAll(other) || (one.callbackId < other.callbackId ? -1 : 1)
}

function settlePayment(callbacks: readonly Callback[], { lines, effects, refused, pending }: Settlement): void {
  const sale = callbacks.find(({ status }) => status === 'success')
  if (sale === undefined) {
    addPending(callbacks, pending)
    return
  }
  const refunds = callbacks.filter(({ status }) => status === 'refunded')
  const cancellations = callbacks.filter(({ status }) => status === 'cancelled')
  const both = takeBack(sale, [...refunds, ...cancellations].toSorted(inOrder))
  lines.push(...sale.items.map((item, place) => saleLine(sale, item, place)), ...both.lines)
  for (const [key, refusals] of both.refused) refused.set(key, refusals)
  // A cancellation and its refund say two things of a product, whichever of them finds something left to take back.
  effects.push(
    ...sale.items.map((item, place) => effectOf('purchase', { callback: sale, sale, productId: item.productId, place })),
    ...takeBack(sale, refunds).taken.map((taken) => effectOf('refund_requested', taken)),
    ...takeBack(sale, cancellations).taken.map((taken) => effectOf('cancel_order', taken)),
  )
}

function saleLine(sale: Callback, { productId, sellerId, quantity, unitPrice }: Item, item: number): Line {
  const { currency, occurredAtMs } = sale
  const amount = quantity * (unitPrice ?? 0)
  return { callback: sale, sale, item, productId, sellerId, currency, occurredAtMs, quantity, amount, orders: 0 }
}

type TakenItem = Pick<Effect, 'callback' | 'sale' | 'productId' | 'place'>

function effectOf(type: Effect['type'], taken: TakenItem): Effect {
  return { type, ...taken, occurredAtMs: Math.max(taken.callback.occurredAtMs, taken.sale.occurredAtMs) }
}

interface TakenBack {
  lines: Line[]
  /** The items of which something was taken back. */
  taken: TakenItem[]
  refused: Map<string, Shortfall[]>
}

/** What is left of an item of the sale. */
interface Left {
  place: number
  item: Item
  quantity: number
  amount: number
}

/** Takes back in turn, never more than is left. */
function takeBack(sale: Callback, retractions: readonly Callback[]): TakenBack {
  const back: TakenBack = { lines: [], taken: [], refused: new Map() }
  const left = sale.items.map((item, place): Left => {
    return { place, item, quantity: item.quantity, amount: item.quantity * (item.unitPrice ?? 0) }
  })
  const leftOf = Map.groupBy(left, ({ item }) => item.productId)
  for (const callback of retractions) {
    const take: Take = (one, quantity, amount) => {
      one.quantity -= quantity
      one.amount -= amount
      const line = saleLine(sale, one.item, one.place)
      const occurredAtMs = Math.max(callback.occurredAtMs, sale.occurredAtMs)
      back.lines.push({ ...line, callback, occurredAtMs, quantity: -quantity, amount: -amount })
    }
    const taken = (productId: string, place: number) => void back.taken.push({ callback, sale, productId, place })
    const refusals =
      callback.currency !== sale.currency
        ? [{ field: 'currency', message: `the payment is in ${sale.currency}` }]
        : callback.items.length === 0
          ? takeAll(left, take, taken)
          : callback.items.flatMap((item, place) => takeItem(item, place, leftOf.get(item.productId) ?? [], take, taken))
    if (refusals.length > 0) back.refused.set(keyOf(callback), refusals)
  }
  return back
}

type Take = (one: Left, quantity: number, amount: number) => void
type OnTakenItem = (productId: string, place: number) => void

function takeAll(left: readonly Left[], take: Take, taken: OnTakenItem): Shortfall[] {
  const some = left.filter(({ quantity, amount }) => quantity > 0 || amount > 0)
  for (const one of some) {
    take(one, one.quantity, one.amount)
    taken(one.item.productId, one.place)
  }
  return some.length > 0 ? [] : [{ field: 'items', message: 'nothing of the payment is left to take back' }]
}

/**
 * Takes items of a product, those that cost as much as is asked for first, and then what is left of the price of items that were
 * taken back for less. @returns what is not there.
 */
function takeItem(asked: Item, place: number, left: readonly Left[], take: Take, taken: OnTakenItem): Shortfall[] {
  const { productId, sellerId, unitPrice } = asked
  const fitting = left.filter(({ item }) => sellerId === null || item.sellerId === sellerId)
  const isOther = ({ item }: Left) => Number(item.unitPrice !== unitPrice)
  const there = fitting.filter(({ quantity }) => quantity > 0).toSorted((a, b) => isOther(a) - isOther(b))
  const paidInPart = fitting.filter(({ quantity, amount }) => quantity === 0 && amount > 0)
  let quantity = 0
  let paidMax = 0
  for (const one of there) {
    if (quantity === asked.quantity) break
    const some = Math.min(asked.quantity - quantity, one.quantity)
    const paid = one.item.unitPrice ?? 0
    take(one, some, some * Math.min(unitPrice ?? paid, paid))
    quantity += some
    paidMax = Math.max(paidMax, paid)
  }
  let money = 0
  const moneyAsked = (asked.quantity - quantity) * (unitPrice ?? 0)
  for (const one of paidInPart) {
    if (money === moneyAsked) break
    const some = Math.min(moneyAsked - money, one.amount)
    take(one, 0, some)
    money += some
  }
  if (quantity > 0 || money > 0) taken(productId, place)
  const refuse = (field: 'quantity' | 'unit_price', message: string): Shortfall => ({ field: `items.${place}.${field}`, message })
  if (money > 0 && money < moneyAsked) {
    return [refuse('unit_price', `asks for ${moneyAsked} more of ${productId}, and ${money} of what was paid were left`)]
  }
  const refusals: Shortfall[] = []
  if (quantity < asked.quantity && money === 0) {
    refusals.push(refuse('quantity', `asks for ${asked.quantity} of ${productId}, and ${quantity} of this payment were left`))
  }
  if (quantity > 0 && unitPrice !== null && unitPrice > paidMax) {
    refusals.push(refuse('unit_price', `asks for ${unitPrice} each of ${productId}, and ${paidMax} was paid`))
  }
  return refusals
}

/** 1 on the line that makes a seller's part of an order begin, and -1 on the one that ends it. */
function countOrders(lines: readonly Line[]): void {
  const parts = Map.groupBy(lines, ({ sale, sellerId, currency }) => JSON.stringify([sale.orderId, sellerId, currency]))
  for (const part of parts.values()) {
    let items = 0
    for (const line of part.toSorted(byTime)) {
      const wasThere = items > 0
      items += line.quantity
      line.orders = Number(items > 0) - Number(wasThere)
    }
  }
}

/** What is sold at an instant comes before what is taken back; otherwise lines stay in their order. */
function byTime(one: Line, other: Line): number {
  return one.occurredAtMs - other.occurredAtMs || Number(one.quantity < 0) - Number(other.quantity < 0)
}

/** A payment without a success: what is promised and not decided, and refunds that came before what they take back. */
function addPending(callbacks: readonly Callback[], pending: Map<string, Pending>): void {
  const promised = callbacks.findLast(({ status }) => status === 'pending')?.items ?? []
  const add = (sellerId: string | null, what: keyof Pending, count: number) => {
    if (sellerId === null) return
    const open = pending.get(sellerId) ?? { items: 0, refunds: 0 }
    open[what] += count
    pending.set(sellerId, open)
  }
  // A refund decides nothing of a payment.
  if (callbacks.findLast(({ status }) => status !== 'refunded')?.status === 'pending') {
    for (const { sellerId, quantity } of promised) add(sellerId, 'items', quantity)
  }
  for (const { status, items } of callbacks) {
    if (status !== 'refunded') continue
    const sellers =
      items.length === 0
        ? promised.map(({ sellerId }) => sellerId)
        : items.map((item) => item.sellerId ?? promised.find(({ productId }) => productId === item.productId)?.sellerId ?? null)
    for (const seller of new Set(sellers)) add(seller, 'refunds', 1)
  }
}

function keyOfLine({ callback, sale, item, occurredAtMs }: Line): string {
  return JSON.stringify([keyOf(callback), keyOf(sale), item, occurredAtMs])
}

const AMOUNTS = ['quantity', 'amount', 'orders'] as const

function newLines(before: readonly Line[], after: readonly Line[]): Line[] {
  const sums = new Map<string, Line>()
  const add = (line: Line, sign: 1 | -1) => {
    const sum = sums.get(keyOfLine(line)) ?? { ...line, quantity: 0, amount: 0, orders: 0 }
    for (const what of AMOUNTS) sum[what] += sign * line[what]
    sums.set(keyOfLine(line), sum)
  }
  for (const line of after) add(line, 1)
  for (const line of before) add(line, -1)
  return [...sums.values()].filter((line) => AMOUNTS.some((what) => line[what] !== 0))
}

/**
 * The log cannot take an event back: where a callback that came late takes the place of another one, the other one's event
 * stands for it, so that per product and type there are as many as there would be in any order.
 */
function newEffects(before: readonly Effect[], after: readonly Effect[]): Effect[] {
  const kindOf = ({ sale, type, productId }: Effect) => JSON.stringify([sale.provider, sale.paymentRef, type, productId])
  const known = new Set(before.map(idOfEffect))
  const counts = Map.groupBy(before, kindOf)
  return [...Map.groupBy(after, kindOf)].flatMap(([kind, effects]) =>
    effects
      .filter((effect) => !known.has(idOfEffect(effect)))
      .slice(0, Math.max(0, effects.length - (counts.get(kind)?.length ?? 0))),
  )
}

function newPending(before: ReadonlyMap<string, Pending>, after: ReadonlyMap<string, Pending>): Map<string, Pending> {
  const none: Pending = { items: 0, refunds: 0 }
  const changes = new Map<string, Pending>()
  for (const seller of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(seller) ?? none, after.get(seller) ?? none]
    const change = { items: is.items - was.items, refunds: is.refunds - was.refunds }
    if (change.items !== 0 || change.refunds !== 0) changes.set(seller, change)
  }
  return changes
}
