import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { type Item, NEWEST_RULE } from '../../../src/ledger/callback.ts'
import type { Pending } from '../../../src/ledger/pending.ts'
import { type Call, callOf } from '../../../src/store/log/call.ts'
import type { NewPayment } from '../../../src/admission/payment.ts'
import type { Reference } from '../reference/ledger.ts'

export const NOON = Date.parse('2026-03-01T12:00:00Z')

/** A callback as the store takes it: by default a success of two lamps. */
export function payment(values: Partial<NewPayment> = {}): NewPayment {
  const given: NewPayment = {
    index: 0,
    item: {},
    provider: 'acme-pay',
    callbackId: randomUUID(),
    paymentRef: 'pay-1',
    captureRef: null,
    reverses: null,
    rule: NEWEST_RULE,
    orderId: 'order-1',
    status: 'success',
    currency: 'EUR',
    accountId: 'ada',
    sessionId: null,
    processingMs: null,
    occurredAtMs: NOON,
    items: values.status === 'refunded' || values.status === 'cancelled' || values.reverses != null ? [] : [item()],
    ...values,
  }
  return { ...given, item: { callback_id: given.callbackId } }
}

export function item(values: Partial<Item> = {}): Item {
  return { productId: 'lamp', sellerId: 'north', quantity: 2, unitPrice: 500, ...values }
}

/** What is open, by seller. */
export function bySeller(pending: Iterable<Pending>): Reference['pending'] {
  const sums: Reference['pending'] = {}
  for (const { sellerId, items, refunds } of pending) {
    const sum = (sums[sellerId] ??= { items: 0, refunds: 0 })
    sum.items += items
    sum.refunds += refunds
  }
  return sums
}

/** Money without a product. */
export function adjustment(values: Partial<Item> = {}): Item {
  return { productId: null, sellerId: null, quantity: 1, unitPrice: 490, ...values }
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
  productId: fc.constantFrom('lamp', 'desk', 'lamp', 'desk', null),
  sellerId: fc.constantFrom('north', 'south', null),
  quantity: fc.constantFrom(1, 2, 3, 1, 2, 3, 0.25, 0.5, 1.5, 2.75),
  unitPrice: fc.constantFrom(0, 500, 700, 333, 1),
})

const discountArbitrary: fc.Arbitrary<Item> = fc
  .record({
    sellerId: fc.constantFrom('north', null),
    unitPrice: fc.constantFrom(-1, -100, 333),
    name: fc.constantFrom(undefined, 'shipping', 'gift wrap'),
  })
  .map(({ name, ...values }) => adjustment({ ...values, ...(name !== undefined && { name }) }))

/** Callbacks of a few payments, captures and orders, many of which contradict each other. */
const simpleCallback: fc.Arbitrary<NewPayment> = fc
  .record({
    paymentRef: fc.constantFrom('pay-1', 'pay-2'),
    orderId: fc.constantFrom('order-1', 'order-1', 'order-2'),
    status: fc.constantFrom(...(['success', 'success', 'pending', 'failed', 'refunded', 'refunded', 'cancelled'] as const)),
    captureRef: fc.constantFrom(null, null, null, 'first', 'second'),
    currency: fc.constantFrom('EUR', 'EUR', 'EUR', 'JPY'),
    occurredAtMs: fc.nat({ max: 20 }).map((steps) => NOON + steps * DAY_MS * 0.4),
    items: fc.array(fc.oneof({ weight: 4, arbitrary: itemArbitrary }, { weight: 1, arbitrary: discountArbitrary }), {
      maxLength: 3,
    }),
    hasPrices: fc.boolean(),
  })
  .map(({ hasPrices, items, ...rest }) => {
    const isBack = rest.status === 'refunded' || rest.status === 'cancelled'
    const priced = isBack && !hasPrices ? items.map((one) => ({ ...one, unitPrice: null })) : items
    return payment({ ...rest, items: rest.status === 'success' && items.length === 0 ? [item()] : priced })
  })

/** What becomes of a callback: nothing, or it reverses the callback at this place. */
const reversalArbitrary = fc.option(fc.nat(), { freq: 3 })

/** Callbacks as above, of which some reverse another one, mostly of their payment. */
export function callbacksArbitrary({
  minLength = 0,
  maxLength = 12,
  each = simpleCallback,
}: { minLength?: number; maxLength?: number; each?: fc.Arbitrary<NewPayment> } = {}): fc.Arbitrary<NewPayment[]> {
  return fc.array(fc.tuple(each, reversalArbitrary, fc.boolean()), { minLength, maxLength }).map((all) =>
    all.map(([one, place, isFailure], index) => {
      const named = place === null ? one : all[place % all.length]![0]
      // One in four of the drawn ones, because reversals of everything would leave nothing to look at.
      if (place === null || place % 4 !== 0 || all[index]![0] === named) return one
      const paymentRef = place % 3 === 0 ? one.paymentRef : named.paymentRef
      return {
        ...one,
        status: isFailure ? 'failed' : 'success',
        items: [],
        captureRef: null,
        paymentRef,
        reverses: named.callbackId,
      }
    }),
  )
}

/** Callbacks of one payment that sells and takes back weights of one product, for amounts that do not divide evenly. */
export const weightCallback: fc.Arbitrary<NewPayment> = fc
  .record({
    status: fc.constantFrom(...(['success', 'refunded', 'refunded', 'refunded', 'cancelled', 'failed'] as const)),
    occurredAtMs: fc.nat({ max: 20 }).map((steps) => NOON + steps * DAY_MS * 0.4),
    quantity: fc.constantFrom(0.25, 0.5, 1, 1.5),
    unitPrice: fc.constantFrom(333, 335, null, null, 100),
  })
  .map(({ status, occurredAtMs, quantity, unitPrice }) => {
    const sold = [item({ quantity: 2.75, unitPrice: 333 }), item({ quantity: 1, unitPrice: 335 })]
    return payment({ status, occurredAtMs, items: status === 'success' ? sold : [item({ quantity, unitPrice })] })
  })

/** Callbacks as a release knows them whose ledger has rule 1. */
export const firstRuleArbitrary: fc.Arbitrary<NewPayment> = simpleCallback.map((one): NewPayment => ({
  ...one,
  captureRef: null,
  rule: 1,
  items: one.items.filter(({ productId }) => productId !== null).map((each) => ({ ...each, quantity: Math.ceil(each.quantity) })),
  ...(one.status === 'success' && one.items.every(({ productId }) => productId === null) && { items: [item()] }),
}))
