import { PaymentCallback } from '../contract/payment.ts'
import { writable } from '../contract/text.ts'
import { millisecondsOf } from '../contract/time.ts'
import { timeProblemOf } from './interaction.ts'
import { itemProblem } from './item-problem.ts'
import type { NewRejection, NewPayment } from './rows.ts'

export interface JudgedPayments {
  payments: NewPayment[]
  rejections: NewRejection[]
}

/** Judges each callback of a call alone. */
export function judgePayments(items: readonly unknown[], nowMs: number): JudgedPayments {
  const judged: JudgedPayments = { payments: [], rejections: [] }
  for (const [index, item] of items.entries()) {
    const verdict = judgePayment(index, writable(item), nowMs)
    if ('callbackId' in verdict) judged.payments.push(verdict)
    else judged.rejections.push(verdict)
  }
  return judged
}

function judgePayment(index: number, item: unknown, nowMs: number): NewPayment | NewRejection {
  const parsed = PaymentCallback.safeParse(item)
  if (!parsed.success) return { index, code: 'invalid', ...itemProblem(parsed.error, item, 'a payment callback'), item }
  const callback = parsed.data
  const occurredAtMs = millisecondsOf(callback.occurred_at)
  const problem = timeProblemOf(occurredAtMs, nowMs)
  if (problem !== undefined) return { index, item, ...problem }
  return {
    index,
    item,
    provider: callback.provider,
    callbackId: callback.callback_id,
    paymentRef: callback.payment_ref,
    orderId: callback.order_id,
    status: callback.status,
    currency: callback.currency,
    accountId: callback.account_id ?? null,
    sessionId: callback.session_id ?? null,
    processingMs: callback.processing_ms ?? null,
    occurredAtMs,
    items: (callback.items ?? []).map((one) => ({
      productId: one.product_id,
      sellerId: one.seller_id ?? null,
      quantity: one.quantity,
      unitPrice: one.unit_price ?? null,
    })),
  }
}
