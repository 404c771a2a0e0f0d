import { type Callback, callbackKey, type Effect, isByRule2, type Line, saleLine, type Shortfall } from './callback.ts'
import { contentShortfalls } from './content.ts'
import { inOrder } from './order.ts'
import { addPending, type Pending } from './pending.ts'
import { isOfCapture, isWaiting, takeBack, type TakenItem } from './take-back.ts'

/*
 * What payments amount to. Everything here is a function of the set of known callbacks, and not of the order in which they arrived:
 * when another callback arrives, its caller settles again and adds the difference.
 *
 * - The successes of a payment with one capture_ref, or without one, are a capture. The first of them, by occurred_at and then
 *   callback_id, is its sale. The others repeat it; a success that says something else is a shortfall.
 * - Refunds and cancellations take back in the same order; at the same instant callbacks that take everything back come last. Each takes
 *   back no more than is left, and nothing before the sale. So does a failure after the sale, which takes back everything.
 * - A reversal gives back what the callback that it names took, from its own time on.
 * - A seller's part of an order counts as an order while any item of it is left, whatever number of payments the order has.
 */

export interface Settlement {
  lines: Line[]
  effects: Effect[]
  /** By the key of the callback. */
  shortfalls: Map<string, Shortfall[]>
  /** By seller and day. */
  pending: Map<string, Pending>
}

/** Settles callbacks. They must include all callbacks of each payment and, for `orders`, all payments of each order. */
export function settle(callbacks: readonly Callback[]): Settlement {
  const settlement: Settlement = { lines: [], effects: [], shortfalls: new Map(), pending: new Map() }
  const payments = Map.groupBy(callbacks, paymentKey)
  // Sorted, so that lines of the same instant are always counted in the same order.
  for (const key of [...payments.keys()].sort()) {
    const payment = payments.get(key)!.toSorted(inOrder)
    const sales = salesOf(payment)
    if (sales.length === 0) addPending(payment, settlement.pending)
    else settlePayment(payment, sales, settlement)
  }
  countOrders(settlement.lines)
  return settlement
}

/** The identity of a payment. */
export function paymentKey({ provider, paymentRef }: Pick<Callback, 'provider' | 'paymentRef'>): string {
  return JSON.stringify([provider, paymentRef])
}

function isSuccess({ status, reverses }: Callback): boolean {
  return status === 'success' && reverses === null
}

/** The first success of each capture. The callbacks are in order. */
function salesOf(callbacks: readonly Callback[]): Callback[] {
  const captures = Map.groupBy(callbacks.filter(isSuccess), ({ captureRef }) => captureRef)
  return [...captures.values()].map(([sale]) => sale!)
}

function settlePayment(
  callbacks: readonly Callback[],
  sales: readonly Callback[],
  { lines, effects, shortfalls }: Settlement,
): void {
  const hasRule2 = isByRule2(callbacks)
  const isLate = (failure: Callback) =>
    sales.some((sale) => isOfCapture(failure, sale) && sale.occurredAtMs < failure.occurredAtMs)
  const takesBack = (failure: Callback) => hasRule2 && (isLate(failure) || isWaiting(failure, sales))
  const own = callbacks.filter(({ reverses }) => reverses === null)
  const reversals = callbacks.filter(({ reverses }) => reverses !== null)
  const refunds = own.filter(({ status }) => status === 'refunded')
  const cancellations = own.filter(({ status }) => status === 'cancelled')
  const failures = own.filter((callback) => callback.status === 'failed' && takesBack(callback))
  const both = takeBack(sales, [...refunds, ...cancellations, ...failures, ...reversals])
  lines.push(...sales.flatMap((sale) => sale.items.map((item, place) => saleLine(sale, item, place))), ...both.lines)
  for (const [key, value] of both.shortfalls) shortfalls.set(key, value)
  const retractions = new Set([...refunds, ...cancellations, ...failures])
  if (hasRule2) addRefusals(callbacks, sales, { retractions, lines: both.lines }, shortfalls)
  // A cancellation and its refund are two events of a product, whichever of the two takes the items back.
  effects.push(
    ...sales.flatMap(purchasesOf),
    ...takeBack(sales, [...refunds, ...reversals]).taken.map((taken) => effectOf('refund_requested', taken)),
    ...takeBack(sales, [...cancellations, ...failures, ...reversals]).taken.map((taken) => effectOf('cancel_order', taken)),
  )
}

interface Retracted {
  /** Callbacks that take back, also those that find nothing. */
  retractions: ReadonlySet<Callback>
  /** What was taken and given back. */
  lines: readonly Line[]
}

/**
 * Adds successes that say something else than the sale of their capture or come after it was taken back, and reversals of callbacks that
 * take nothing back.
 */
function addRefusals(
  callbacks: readonly Callback[],
  sales: readonly Callback[],
  { retractions, lines }: Retracted,
  shortfalls: Map<string, Shortfall[]>,
): void {
  const ended = endingsOf(callbacks, lines)
  for (const callback of callbacks) {
    const refused =
      callback.reverses === null ? wrongSuccess(callback, sales, ended) : wrongReversal(callback, callbacks, retractions)
    if (refused.length > 0) shortfalls.set(callbackKey(callback), refused)
  }
}

/** The failures and whole cancellations that took something back, and were not reversed. */
function endingsOf(callbacks: readonly Callback[], lines: readonly Line[]): Callback[] {
  const reversed = new Set(callbacks.map(({ reverses }) => reverses))
  const taking = new Set(lines.map(({ callback }) => callback))
  const isWhole = ({ status, items }: Callback) => status === 'failed' || (status === 'cancelled' && items.length === 0)
  return callbacks.filter(
    (callback) => callback.reverses === null && isWhole(callback) && taking.has(callback) && !reversed.has(callback.callbackId),
  )
}

function wrongSuccess(callback: Callback, sales: readonly Callback[], ended: readonly Callback[]): Shortfall[] {
  if (!isSuccess(callback)) return []
  const sale = sales.find(({ captureRef }) => captureRef === callback.captureRef)!
  const noun = callback.captureRef === null ? 'payment' : 'capture'
  const differences = contentShortfalls(sale, callback, `differs from the sale of this ${noun}`)
  const end = ended.find((one) => isOfCapture(one, sale) && isBetween(one, sale, callback))
  if (differences.length > 0 || end === undefined) return differences
  const id = end.callbackId
  const message = `repeats a sale that ${id} took back: if it is paid after all, send a callback with reverses ${id}`
  return [{ field: 'status', message }]
}

function isBetween({ occurredAtMs }: Callback, first: Callback, last: Callback): boolean {
  return first.occurredAtMs < occurredAtMs && occurredAtMs < last.occurredAtMs
}

function wrongReversal({ reverses }: Callback, callbacks: readonly Callback[], retractions: ReadonlySet<Callback>): Shortfall[] {
  const named = callbacks.find(({ callbackId }) => callbackId === reverses)
  if (named === undefined || retractions.has(named)) return []
  return [{ field: 'reverses', message: `${reverses} took nothing back` }]
}

function purchasesOf(sale: Callback): Effect[] {
  return sale.items.flatMap(({ productId }, place) =>
    productId === null ? [] : [effectOf('purchase', { callback: sale, sale, productId, place })],
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
