import { type Callback, type Effect, type Line, saleLine, type Shortfall } from './callback.ts'
import { takeBack, type TakenItem } from './take-back.ts'

/*
 * What payments amount to. Everything here is a function of the set of known callbacks, and not of the order in which they arrived:
 * when another callback arrives, its caller settles again and adds the difference.
 *
 * - The first success of a payment is the sale, by occurred_at and then callback_id. The other successes repeat it.
 * - Refunds and cancellations take back in the same order; at the same instant callbacks that take everything back come last. Each takes
 *   back no more than is left, and nothing before the sale.
 * - A seller's part of an order counts as an order while any item of it is left, whatever number of payments the order has.
 */

/** What is open at a seller. */
export interface Pending {
  items: number
  refunds: number
}

export interface Settlement {
  lines: Line[]
  effects: Effect[]
  /** By the key of the callback. */
  shortfalls: Map<string, Shortfall[]>
  /** By seller. */
  pending: Map<string, Pending>
}

/** Settles callbacks. They must include all callbacks of each payment and, for `orders`, all payments of each order. */
export function settle(callbacks: readonly Callback[]): Settlement {
  const settlement: Settlement = { lines: [], effects: [], shortfalls: new Map(), pending: new Map() }
  const payments = Map.groupBy(callbacks, ({ provider, paymentRef }) => JSON.stringify([provider, paymentRef]))
  // Sorted, so that lines of the same instant are always counted in the same order.
  for (const key of [...payments.keys()].sort()) settlePayment(payments.get(key)!.toSorted(inOrder), settlement)
  countOrders(settlement.lines)
  return settlement
}

/** By time. At the same instant, because providers report whole seconds, callbacks that take everything back come last. */
function inOrder(one: Callback, other: Callback): number {
  const takesAll = ({ items }: Callback) => Number(items.length === 0)
  return one.occurredAtMs - other.occurredAtMs || takesAll(one) - takesAll(other) || (one.callbackId < other.callbackId ? -1 : 1)
}

function settlePayment(callbacks: readonly Callback[], { lines, effects, shortfalls, pending }: Settlement): void {
  const sale = callbacks.find(({ status }) => status === 'success')
  if (sale === undefined) {
    addPending(callbacks, pending)
    return
  }
  const refunds = callbacks.filter(({ status }) => status === 'refunded')
  const cancellations = callbacks.filter(({ status }) => status === 'cancelled')
  const both = takeBack(sale, [...refunds, ...cancellations].toSorted(inOrder))
  lines.push(...sale.items.map((item, place) => saleLine(sale, item, place)), ...both.lines)
  for (const [key, value] of both.shortfalls) shortfalls.set(key, value)
  // A cancellation and its refund are two events of a product, whichever of the two takes the items back.
  effects.push(
    ...sale.items.map((item, place) => effectOf('purchase', { callback: sale, sale, productId: item.productId, place })),
    ...takeBack(sale, refunds).taken.map((taken) => effectOf('refund_requested', taken)),
    ...takeBack(sale, cancellations).taken.map((taken) => effectOf('cancel_order', taken)),
  )
}

function effectOf(type: Effect['type'], taken: TakenItem): Effect {
  return { type, ...taken, occurredAtMs: Math.max(taken.callback.occurredAtMs, taken.sale.occurredAtMs) }
}

/** Sets 1 on the line that begins a seller's part of an order, and -1 on the line that ends it. */
function countOrders(lines: readonly Line[]): void {
  const parts = Map.groupBy(lines, ({ sale, sellerId, currency }) => JSON.stringify([sale.orderId, sellerId, currency]))
  for (const part of parts.values()) {
    let items = 0
    for (const line of part.toSorted(byTime)) {
      const hadItems = items > 0
      items += line.quantity
      line.orders = Number(items > 0) - Number(hadItems)
    }
  }
}

/** By time. At the same instant sold lines come before lines that take back; otherwise lines keep their order. */
function byTime(one: Line, other: Line): number {
  return one.occurredAtMs - other.occurredAtMs || Number(one.quantity < 0) - Number(other.quantity < 0)
}

/** A payment without a success has promised items that are not decided, and refunds that arrived before their sale. */
function addPending(callbacks: readonly Callback[], pending: Map<string, Pending>): void {
  const promised = callbacks.findLast(({ status }) => status === 'pending')?.items ?? []
  const add = (sellerId: string | null, field: keyof Pending, count: number) => {
    if (sellerId === null) return
    const open = pending.get(sellerId) ?? { items: 0, refunds: 0 }
    open[field] += count
    pending.set(sellerId, open)
  }
  // A refund does not decide a payment.
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
