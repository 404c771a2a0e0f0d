import { createHash } from 'node:crypto'
import { uuidV7 } from '../../contract/fields/event-id.ts'
import { amountOfItem, type Callback, callbackKey, type Effect, effectKey, type Item } from '../../ledger/callback.ts'
import type { NewInteraction } from '../../admission/interaction.ts'
import type { NewPayment } from '../../admission/payment.ts'
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
  return ({ callback, sale }) => namedBy(callback) ?? namedBy(sale) ?? { accountId: null, sessionId: `order:${sale.orderId}` }
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
    metadata: { provider, callback_id: callbackId, order_id: sale.orderId },
  }
}

/** The event that the provider reported. How much could be taken back is in the ledger alone. */
export function analyticsEventOf(payment: NewPayment): NewAnalyticsEvent {
  const { provider, callbackId, paymentRef, orderId, status, currency, items, processingMs, occurredAtMs } = payment
  const isPaid = isPayment(payment)
  const amountOf = (some: readonly Item[]) => some.reduce((sum, item) => sum + amountOfItem(item), 0)
  const adjustments = items.filter(({ productId }) => productId === null)
  return {
    source: provider,
    externalRef: callbackId,
    entityId: orderId,
    status: isPaid && (status === 'failed' || status === 'pending') ? status : 'success',
    processingMs,
    amount: isPaid ? amountOf(items) : null,
    currency: isPaid ? currency : null,
    occurredAtMs,
    payload: {
      kind: kindOf(payment),
      payment_ref: paymentRef,
      ...(payment.captureRef !== null && { capture_ref: payment.captureRef }),
      ...(payment.reverses !== null && { reverses: payment.reverses }),
      ...(isPaid && adjustments.length > 0 && { adjustments: amountOf(adjustments) }),
    },
  }
}

function kindOf({ status, reverses }: Callback): 'payment' | 'refund' | 'cancellation' | 'reversal' {
  if (reverses !== null) return 'reversal'
  if (status === 'refunded') return 'refund'
  return status === 'cancelled' ? 'cancellation' : 'payment'
}
