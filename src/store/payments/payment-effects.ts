import { createHash } from 'node:crypto'
import { uuidV7 } from '../../contract/fields/event-id.ts'
import { amountOfItem, type Callback, callbackKey, type Effect, effectKey, type Item, type Line } from '../../ledger/callback.ts'
import { paymentKey } from '../../ledger/settlement.ts'
import type { NewInteraction } from '../../admission/interaction.ts'
import type { NewPayment } from '../../admission/payment.ts'
import { isPseudonym } from '../log/tombstone.ts'
import type { NewAnalyticsEvent } from '../../admission/analytics-event.ts'

/** Whether a callback names what is sold. A refund, a cancellation or a reversal goes by the sellers of the sale instead. */
export function isPayment({ status, reverses }: Pick<Callback, 'status' | 'reverses'>): boolean {
  return status !== 'refunded' && status !== 'cancelled' && reverses === null
}

type Shopper = Pick<NewPayment, 'accountId' | 'sessionId'>

/** The interactions that follow from effects. `callbacks` must include the callback and the sale of each effect. */
export function interactionsOf(effects: readonly Effect[], callbacks: readonly (Callback & Shopper)[]): NewInteraction[] {
  const shopperOf = shoppersOf(callbacks)
  return effects.map((effect, index) => interactionOf(effect, index, shopperOf(effect)))
}

/** The shopper of an effect is named by its callback or by the sale; otherwise the order stands for the shopper. */
function shoppersOf(callbacks: readonly (Callback & Shopper)[]): (effect: Effect) => Shopper {
  const shoppers = new Map(callbacks.map((callback) => [callbackKey(callback), callback]))
  const namedBy = (callback: Callback) => {
    const { accountId, sessionId } = shoppers.get(callbackKey(callback))!
    return accountId === null && sessionId === null ? undefined : { accountId, sessionId }
  }
  return ({ callback, sale }) =>
    namedBy(callback) ?? namedBy(sale) ?? { accountId: null, sessionId: shopperOfOrder(sale.orderId) }
}

/** The session that stands for the shopper of an order. */
export function shopperOfOrder(orderId: string): string {
  return `order:${orderId}`
}

/** The id is a hash of the effect, so that every attempt gives the same one. */
function interactionOf(effect: Effect, index: number, { accountId, sessionId }: Shopper): NewInteraction {
  const { type, productId, callback, sale, occurredAtMs } = effect
  const { provider, callbackId } = callback
  const hash = createHash('sha256').update(effectKey(effect)).digest()
  return {
    index,
    item: undefined,
    eventId: uuidV7(occurredAtMs, hash),
    occurredAtMs,
    eventType: type,
    refType: 'Product',
    refId: productId,
    accountId,
    accountNumber: null,
    sessionId,
    ipAddress: null,
    userAgent: null,
    // Of an erased person the log keeps no order, whenever its events arrive.
    metadata: isPseudonym(accountId ?? sessionId!) ? undefined : { provider, callback_id: callbackId, order_id: sale.orderId },
  }
}

/**
 * By how much a call changes what its payments come to, for each of its callbacks that changes it. What it changes of callbacks of earlier
 * calls goes to the first callback of the payment, so the amounts of all callbacks of a payment add up to its sale lines.
 */
export function changesOf(payments: readonly NewPayment[], lines: readonly Line[]): Map<string, Money> {
  const byKey = new Map(payments.map((payment) => [callbackKey(payment), payment]))
  const firsts = new Map(payments.toReversed().map((payment) => [paymentKey(payment), payment]))
  const changes = new Map<string, Money>()
  for (const { callback, sale, currency, amount } of lines) {
    const payment = byKey.get(callbackKey(callback)) ?? firsts.get(paymentKey(sale))
    if (payment === undefined || amount === 0) continue
    const key = callbackKey(payment)
    const change = changes.get(key)
    // An event has one currency. Another one comes only of captures or repeats in several currencies.
    if (change === undefined || (change.currency !== currency && currency === payment.currency)) {
      changes.set(key, { currency, amount })
    } else if (change.currency === currency) change.amount += amount
  }
  return changes
}

export interface Money {
  amount: number
  currency: string
}

/** The event that the provider reported, with the change of what its payment comes to. */
export function analyticsEventOf(payment: NewPayment, change: Money | undefined): NewAnalyticsEvent {
  const { provider, callbackId, paymentRef, orderId, status, currency, items, processingMs, occurredAtMs } = payment
  const isPaid = isPayment(payment)
  const isSale = isPaid && status === 'success'
  const amountOf = (some: readonly Item[]) => some.reduce((sum, item) => sum + amountOfItem(item), 0)
  const adjustments = items.filter(({ productId }) => productId === null)
  return {
    source: provider,
    externalRef: callbackId,
    entityId: orderId,
    status: isPaid && (status === 'failed' || status === 'pending') ? status : 'success',
    processingMs,
    ...(change ?? { amount: isSale ? 0 : null, currency: isSale ? currency : null }),
    occurredAtMs,
    payload: {
      kind: kindOf(payment),
      payment_ref: paymentRef,
      ...(payment.captureRef !== null && { capture_ref: payment.captureRef }),
      ...(payment.reverses !== null && { reverses: payment.reverses }),
      ...(isPaid && (change?.amount ?? 0) !== amountOf(items) && { reported_amount: amountOf(items) }),
      ...(isPaid && adjustments.length > 0 && { adjustments: amountOf(adjustments) }),
    },
  }
}

function kindOf({ status, reverses }: Callback): 'payment' | 'refund' | 'cancellation' | 'reversal' {
  if (reverses !== null) return 'reversal'
  if (status === 'refunded') return 'refund'
  return status === 'cancelled' ? 'cancellation' : 'payment'
}
