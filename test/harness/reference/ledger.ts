import type { NewPayment } from '../../../src/admission/payment.ts'
import { inOrder, isAbout, type Moment, replay } from './ledger-replay.ts'

/** What the ledger must hold after exactly these callbacks, in whatever order they came: slow, and quarter by quarter of an item. */
export interface Reference {
  /** `seller currency day` → what was earned. */
  days: Record<string, { revenue: number; items: number; orders: number }>
  /** `seller` → what is open. */
  pending: Record<string, { items: number; refunds: number }>
  /** `provider ref type product` → how many of its events are certain. */
  events: Record<string, number>
  /** Whether every part of every callback counts. */
  isConsistent: boolean
}

const isSale = ({ status, reverses }: NewPayment) => status === 'success' && reverses === null

export function reference(callbacks: readonly NewPayment[]): Reference {
  const result: Reference = { days: {}, pending: {}, events: {}, isConsistent: true }
  const moments: Moment[] = []
  for (const [name, unsorted] of Map.groupBy(callbacks, ({ provider, paymentRef }) => `${provider} ${paymentRef}`)) {
    const all = unsorted.toSorted(inOrder)
    const sales = all.filter((one, place) => isSale(one) && !all.slice(0, place).some((other) => isSameCapture(one, other)))
    if (sales.length === 0) {
      open(all, result.pending)
      continue
    }
    const isLate = (failure: NewPayment) =>
      all.some(({ rule }) => rule === 2) &&
      failure.reverses === null &&
      sales.some((sale) => isAbout(failure, sale) && failure.occurredAtMs > sale.occurredAtMs)
    const refunds = all.filter(({ status }) => status === 'refunded')
    const cancellations = all.filter((one) => one.status === 'cancelled' || (one.status === 'failed' && isLate(one)))
    const reversals = all.filter(({ reverses }) => reverses !== null)
    for (const sale of sales)
      for (const { productId } of sale.items) count(result.events, `${name} purchase ${productId}`, Number(productId !== null))
    const whole = replay(sales, [...refunds, ...cancellations, ...reversals])
    moments.push(...whole.moments)
    for (const [type, some] of [
      ['refund_requested', refunds],
      ['cancel_order', cancellations],
    ] as const)
      for (const product of replay(sales, [...some, ...reversals]).products) count(result.events, `${name} ${type} ${product}`, 1)
    const repeats = all.filter((one) => isSale(one) && !sales.includes(one))
    const isRepeat = (one: NewPayment) =>
      JSON.stringify(sales.find((sale) => isSameCapture(sale, one))!.items) === JSON.stringify(one.items)
    if (whole.isShort || !repeats.every(isRepeat)) result.isConsistent = false
  }
  bookDays(moments, result.days)
  return result
}

function isSameCapture(one: NewPayment, other: NewPayment): boolean {
  return isSale(other) && one.captureRef === other.captureRef
}

/** Second by second: what sellers earned, and whether a seller has items in an order. */
function bookDays(moments: readonly Moment[], days: Reference['days']): void {
  const dayOf = (seller: string | null, currency: string, atMs: number) =>
    (days[`${seller} ${currency} ${new Date(atMs).toISOString().slice(0, 10)}`] ??= { revenue: 0, items: 0, orders: 0 })
  const ofSellers = moments.filter(({ pile }) => pile.item.sellerId !== null)
  for (const { pile, atMs, money, items } of ofSellers) {
    const day = dayOf(pile.item.sellerId, pile.sale.currency, atMs)
    day.revenue += money
    day.items += items
  }
  const parts = Map.groupBy(ofSellers, ({ pile: { sale, item } }) => JSON.stringify([sale.orderId, item.sellerId, sale.currency]))
  for (const part of parts.values()) {
    const { sale, item } = part[0]!.pile
    let items = 0
    for (const atMs of [...new Set(part.map((one) => one.atMs))].sort((one, other) => one - other)) {
      const was = items > 0
      items += part.filter((one) => one.atMs === atMs).reduce((sum, one) => sum + one.items, 0)
      if (items > 0 !== was) dayOf(item.sellerId, sale.currency, atMs).orders += was ? -1 : 1
    }
  }
}

function open(all: readonly NewPayment[], pending: Reference['pending']): void {
  const isTakenBack = ({ callbackId, status }: NewPayment) =>
    status !== 'pending' && all.some(({ reverses }) => reverses === callbackId)
  const own = all.filter((one) => one.reverses === null && !isTakenBack(one))
  const promised = own.findLast(({ status }) => status === 'pending')?.items ?? []
  const of = (seller: string) => (pending[seller] ??= { items: 0, refunds: 0 })
  if (own.findLast(({ status }) => status !== 'refunded')?.status === 'pending') {
    for (const { productId, sellerId, quantity } of promised) {
      if (sellerId !== null && productId !== null) of(sellerId).items += Number.isInteger(quantity) ? quantity : 1
    }
  }
  for (const refund of own.filter(({ status }) => status === 'refunded')) {
    const items = refund.items.length > 0 ? refund.items : promised
    const sellers = new Set(
      items.map((one) => one.sellerId ?? promised.find(({ productId }) => productId === one.productId)?.sellerId ?? null),
    )
    for (const seller of sellers) if (seller !== null) of(seller).refunds++
  }
}

function count(counts: Record<string, number>, name: string, by: number): void {
  if (by > 0) counts[name] = (counts[name] ?? 0) + by
}
