import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { PaymentStatus } from '../../../src/contract/payment.ts'
import type { Item } from '../../../src/ledger/callback.ts'
import { type Call, callOf } from '../../../src/store/log/call.ts'
import type { NewPayment } from '../../../src/admission/payment.ts'

export const NOON = Date.parse('2026-03-01T12:00:00Z')

/** A callback as the store takes it: by default a success of two lamps. */
export function payment(values: Partial<NewPayment> = {}): NewPayment {
  const given: NewPayment = {
    index: 0,
    item: {},
    provider: 'acme-pay',
    callbackId: randomUUID(),
    paymentRef: 'pay-1',
    orderId: 'order-1',
    status: 'success',
    currency: 'EUR',
    accountId: 'ada',
    sessionId: null,
    processingMs: null,
    occurredAtMs: NOON,
    items: values.status === 'refunded' || values.status === 'cancelled' ? [] : [item()],
    ...values,
  }
  return { ...given, item: { callback_id: given.callbackId } }
}

export function item(values: Partial<Item> = {}): Item {
  return { productId: 'lamp', sellerId: 'north', quantity: 2, unitPrice: 500, ...values }
}

export function newCall(): Call {
  return callOf(`inv_${randomUUID()}`, Buffer.from('{}'))
}

const DAY_MS = 24 * 3_600_000

/** Days whose sales were all taken back are rows of zeros. */
export function withoutZeros(days: Reference['days']): Reference['days'] {
  return Object.fromEntries(Object.entries(days).filter(([, day]) => Object.values(day).some((value) => value !== 0)))
}

const itemArbitrary: fc.Arbitrary<Item> = fc.record({
  productId: fc.constantFrom('lamp', 'desk'),
  sellerId: fc.constantFrom('north', 'south', null),
  quantity: fc.integer({ min: 1, max: 3 }),
  unitPrice: fc.constantFrom(0, 500, 700),
})

/** Callbacks of a few payments and orders, many of which contradict each other. */
export const callbackArbitrary: fc.Arbitrary<NewPayment> = fc
  .record({
    paymentRef: fc.constantFrom('pay-1', 'pay-2'),
    orderId: fc.constantFrom('order-1', 'order-1', 'order-2'),
    status: fc.constantFrom(...(['success', 'success', 'pending', 'failed', 'refunded', 'refunded', 'cancelled'] as const)),
    currency: fc.constantFrom('EUR', 'EUR', 'EUR', 'JPY'),
    occurredAtMs: fc.nat({ max: 20 }).map((steps) => NOON + steps * DAY_MS * 0.4),
    items: fc.array(itemArbitrary, { maxLength: 3 }),
    hasPrices: fc.boolean(),
  })
  .map(({ hasPrices, items, ...rest }) => {
    const isBack = rest.status === 'refunded' || rest.status === 'cancelled'
    const priced = isBack && !hasPrices ? items.map((one) => ({ ...one, unitPrice: null })) : items
    return payment({ ...rest, items: rest.status === 'success' && items.length === 0 ? [item()] : priced })
  })

/** What the ledger must hold after exactly these callbacks, in whatever order they came: slow, and unit by unit. */
export interface Reference {
  /** `seller currency day` → what was earned. */
  days: Record<string, { revenue: number; items: number; orders: number }>
  /** `seller` → what is open. */
  pending: Record<string, { items: number; refunds: number }>
  /** `provider ref type product` → how many of its events are certain. */
  events: Record<string, number>
  /** Whether no callback asked for more than there was, and no payment was reported twice with different items. */
  isConsistent: boolean
}

interface Unit {
  item: Item
  place: number
  isThere: boolean
  amount: number
}

const isBack = (status: PaymentStatus) => status === 'refunded' || status === 'cancelled'

export function reference(callbacks: readonly NewPayment[]): Reference {
  const result: Reference = { days: {}, pending: {}, events: {}, isConsistent: true }
  const inOrder = callbacks.toSorted(
    (one, other) =>
      one.occurredAtMs - other.occurredAtMs ||
      (one.items.length === 0 ? 1 : 0) - (other.items.length === 0 ? 1 : 0) ||
      (one.callbackId < other.callbackId ? -1 : 1),
  )
  const payments = new Map<string, NewPayment[]>()
  for (const one of inOrder) {
    const name = `${one.provider} ${one.paymentRef}`
    payments.set(name, [...(payments.get(name) ?? []), one])
  }
  const moments: { order: string; seller: string | null; currency: string; atMs: number; units: number }[] = []
  const book = (seller: string | null, currency: string, atMs: number, what: Partial<Reference['days'][string]>) => {
    if (seller === null) return
    const name = `${seller} ${currency} ${new Date(atMs).toISOString().slice(0, 10)}`
    const day = (result.days[name] ??= { revenue: 0, items: 0, orders: 0 })
    day.revenue += what.revenue ?? 0
    day.items += what.items ?? 0
    day.orders += what.orders ?? 0
  }
  for (const [name, all] of payments) {
    const sale = all.find(({ status }) => status === 'success')
    if (sale === undefined) {
      open(all, result.pending)
      continue
    }
    const successes = all.filter(({ status }) => status === 'success')
    if (new Set(successes.map(({ items }) => JSON.stringify(items))).size > 1) result.isConsistent = false
    const units = () =>
      sale.items.flatMap((one, place) =>
        Array.from({ length: one.quantity }, (): Unit => ({ item: one, place, isThere: true, amount: one.unitPrice! })),
      )
    const sold = units()
    const move = (unit: Unit, atMs: number, sign: 1 | -1, amount: number) => {
      book(unit.item.sellerId, sale.currency, atMs, { revenue: sign * amount, items: sign })
      moments.push({ order: sale.orderId, seller: unit.item.sellerId, currency: sale.currency, atMs, units: sign })
    }
    for (const unit of sold) move(unit, sale.occurredAtMs, 1, unit.amount)
    for (const one of sale.items) count(result.events, `${name} purchase ${one.productId}`)
    for (const one of all.filter(({ status }) => isBack(status))) {
      const atMs = Math.max(one.occurredAtMs, sale.occurredAtMs)
      const { isShort } = giveBack(one, sale, sold, (unit, amount) => {
        if (unit === null) return
        if (unit.isThere) move(unit, atMs, -1, amount)
        else book(unit.item.sellerId, sale.currency, atMs, { revenue: -amount })
      })
      if (isShort) result.isConsistent = false
    }
    for (const kind of ['refunded', 'cancelled'] as const) {
      const alone = units()
      for (const one of all.filter(({ status }) => status === kind)) {
        const products = giveBack(one, sale, alone, () => undefined).products
        for (const product of products) {
          count(result.events, `${name} ${kind === 'refunded' ? 'refund_requested' : 'cancel_order'} ${product}`)
        }
      }
    }
  }
  bookOrders(moments, book)
  return result
}

/** Takes unit after unit. `taken` is called before a unit is removed. */
function giveBack(
  callback: NewPayment,
  sale: NewPayment,
  units: Unit[],
  taken: (unit: Unit | null, amount: number) => void,
): { products: string[]; isShort: boolean } {
  if (callback.currency !== sale.currency) return { products: [], isShort: true }
  const take = (unit: Unit, amount: number) => {
    taken(unit, amount)
    unit.isThere = false
    unit.amount -= amount
  }
  if (callback.items.length === 0) {
    const left = units.filter((unit) => unit.isThere || unit.amount > 0)
    const places = new Map(left.map((unit) => [unit.place, unit.item.productId]))
    for (const unit of left) take(unit, unit.amount)
    return { products: [...places.values()], isShort: left.length === 0 }
  }
  let isShort = false
  const products: string[] = []
  for (const asked of callback.items) {
    let some = 0
    let highest = 0
    const isWhole = (unit: Unit) => units.some((one) => one.place === unit.place && one.isThere)
    const cheap = units.filter((unit) => !unit.isThere && unit.amount > 0 && !isWhole(unit))
    for (const wantsSamePrice of [true, false]) {
      for (const unit of units) {
        if (some === asked.quantity || !unit.isThere || unit.item.productId !== asked.productId) continue
        if (asked.sellerId !== null && unit.item.sellerId !== asked.sellerId) continue
        if ((unit.item.unitPrice === asked.unitPrice) !== wantsSamePrice) continue
        take(unit, Math.min(asked.unitPrice ?? unit.item.unitPrice!, unit.item.unitPrice!))
        highest = Math.max(highest, unit.item.unitPrice!)
        some++
      }
    }
    // The rest of the price of units that were returned for less before.
    let money = 0
    const wanted = (asked.quantity - some) * (asked.unitPrice ?? 0)
    for (const unit of cheap.filter(({ item: one }) => one.productId === asked.productId)) {
      if (asked.sellerId !== null && unit.item.sellerId !== asked.sellerId) continue
      const part = Math.min(wanted - money, unit.amount)
      if (part > 0) take(unit, part)
      money += part
    }
    if (some > 0 || money > 0) products.push(asked.productId)
    isShort ||= (some < asked.quantity && money < Math.max(1, wanted)) || (some > 0 && (asked.unitPrice ?? 0) > highest)
  }
  return { products, isShort }
}

/** Second by second: whether a seller has items in an order. */
function bookOrders(
  moments: readonly { order: string; seller: string | null; currency: string; atMs: number; units: number }[],
  book: (seller: string | null, currency: string, atMs: number, what: { orders: number }) => void,
): void {
  const parts = Map.groupBy(moments, ({ order, seller, currency }) => JSON.stringify([order, seller, currency]))
  for (const part of parts.values()) {
    let units = 0
    for (const atMs of [...new Set(part.map((one) => one.atMs))].sort((one, other) => one - other)) {
      const was = units > 0
      units += part.filter((one) => one.atMs === atMs).reduce((sum, one) => sum + one.units, 0)
      if (units > 0 !== was) book(part[0]!.seller, part[0]!.currency, atMs, { orders: was ? -1 : 1 })
    }
  }
}

function open(all: readonly NewPayment[], pending: Reference['pending']): void {
  const promised = all.findLast(({ status }) => status === 'pending')?.items ?? []
  const of = (seller: string) => (pending[seller] ??= { items: 0, refunds: 0 })
  if (all.findLast(({ status }) => status !== 'refunded')?.status === 'pending') {
    for (const { sellerId, quantity } of promised) if (sellerId !== null) of(sellerId).items += quantity
  }
  for (const refund of all.filter(({ status }) => status === 'refunded')) {
    const items = refund.items.length > 0 ? refund.items : promised
    const sellers = new Set(
      items.map((one) => one.sellerId ?? promised.find(({ productId }) => productId === one.productId)?.sellerId ?? null),
    )
    for (const seller of sellers) if (seller !== null) of(seller).refunds++
  }
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}
