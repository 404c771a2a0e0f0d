import { KINDS } from '../contract/kinds.ts'
import type { PaymentCallback } from '../contract/payment.ts'
import { type Callback, NEWEST_RULE } from '../ledger/callback.ts'
import { millisecondsOf } from '../contract/fields/time.ts'
import { type Judged, judgeEach, type Verdict } from './judge-each.ts'
import { parseItem } from './parse-item.ts'
import { timeProblem } from './time-problem.ts'

/** A checked callback. `index` is its position in the call, `item` the item as it was sent. */
export interface NewPayment extends Callback {
  index: number
  item: unknown
  accountId: string | null
  sessionId: string | null
  processingMs: number | null
}

/** Checks each payment callback of a call. */
export function judgePayments(items: readonly unknown[], nowMs: number): Judged<NewPayment> {
  return judgeEach(items, (item, index): Verdict<NewPayment> => {
    const result = parseItem(KINDS.payment, item)
    if ('rejection' in result) return result
    const callback = result.parsed
    const occurredAtMs = millisecondsOf(callback.occurred_at)
    const rejection = timeProblem(occurredAtMs, nowMs)
    if (rejection !== undefined) return { rejection }
    return { row: { index, item, occurredAtMs, ...columnsOf(callback) } }
  })
}

function columnsOf(callback: PaymentCallback) {
  return {
    provider: callback.provider,
    callbackId: callback.callback_id,
    paymentRef: callback.payment_ref,
    captureRef: callback.capture_ref ?? null,
    reverses: callback.reverses ?? null,
    rule: NEWEST_RULE,
    orderId: callback.order_id,
    status: callback.status,
    currency: callback.currency,
    accountId: callback.account_id ?? null,
    sessionId: callback.session_id ?? null,
    processingMs: callback.processing_ms ?? null,
    items: (callback.items ?? []).map((item) => ({
      productId: item.product_id ?? null,
      sellerId: item.seller_id ?? null,
      quantity: item.quantity ?? 1,
      unitPrice: item.unit_price ?? null,
      ...(item.name !== undefined && { name: item.name }),
    })),
  }
}
