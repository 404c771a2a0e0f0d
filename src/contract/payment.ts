import { z } from 'zod'
import { Currency } from './fields/currency.ts'
import { RejectedItem } from './interaction.ts'
import { handler } from './handler.ts'
import { uncheckedItems } from './fields/item-schema.ts'
import { amountOf, hasThreePlaces, thousandthsOf } from './fields/quantity.ts'
import { storableText } from './fields/text.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { unlessMissing } from './fields/zod-messages.ts'
import { Waiting } from './waiting.ts'
import { Id } from './fields/id.ts'
import { ProductId } from './fields/id.ts'
import { Instant } from './fields/instant.ts'

/** A bound, because each callback of a call waits until all of them are settled. */
export const CALLBACKS_MAX = 100
export const PAYMENT_ITEMS_MAX = 1_000
export const QUANTITY_MAX = 1_000_000
export const UNIT_PRICE_MAX = 1_000_000_000_000
/** The largest payment, in minor units. The sum of 900 such payments is still exact as a JSON number. */
export const TOTAL_MAX = 10_000_000_000_000
const PROCESSING_MS_MAX = 2 ** 31 - 1

export const PAYMENT_STATUSES = ['pending', 'success', 'failed', 'refunded', 'cancelled'] as const
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number]

/** The source of analytics events; for payments, the provider. */
export const SourceSlug = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, { error: 'must be 1 to 64 of a-z, 0-9, _, . and -, and begin with one of a-z and 0-9' })

/** A wrong quantity ends the check of its callback, because its amount may be no number. */
const QUANTITY = {
  error: unlessMissing(`must be a number from 0.001 to ${QUANTITY_MAX} with up to three places`),
  abort: true,
}

const PaymentItem = z
  .strictObject({
    product_id: ProductId.optional().describe('Absent for an adjustment: shipping, a fee, a discount.'),
    seller_id: Id.optional().describe(
      "The seller; the product's seller in the catalog if absent. An adjustment without it is of no seller's revenue.",
    ),
    name: storableText(200)
      .optional()
      .describe('What an adjustment is. In a refund or a cancellation, only adjustments with this name are taken back.'),
    quantity: z
      .number(QUANTITY)
      .min(0.001, QUANTITY)
      .max(QUANTITY_MAX, QUANTITY)
      .refine(hasThreePlaces, QUANTITY)
      .optional()
      .describe('Up to three places, e.g. 1.5 for a weight. Needed, except for an adjustment, where 1 is the default.'),
    unit_price: wholeNumber(-UNIT_PRICE_MAX, UNIT_PRICE_MAX)
      .optional()
      .describe(
        'In minor units of the currency; below 0 for a discount without product. Needed, except in a refund or a cancellation, which take the price that was paid if it is absent.',
      ),
  })
  .superRefine(({ product_id, name, quantity, unit_price = 0 }, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    if (product_id === undefined) return
    if (quantity === undefined) issue('quantity', 'is missing')
    if (unit_price < 0) issue('unit_price', 'must not be below 0, except without product_id')
    if (name !== undefined) issue('name', 'is only of items without product_id')
  })

/** A payment provider's report of a payment. */
export const PaymentCallback = z
  .strictObject({
    provider: SourceSlug.describe('The provider that sends it, e.g. `stripe`.'),
    callback_id: Id.describe("The provider's id of this callback. It is recorded once, for ever."),
    payment_ref: Id.describe("The provider's id of the payment, the same in all of its callbacks."),
    capture_ref: Id.optional().describe(
      'Which capture of the payment. Successes with different ones add up; a refund, a cancellation or a failure is of this capture only.',
    ),
    reverses: Id.optional().describe(
      'The `callback_id` of a refund, a cancellation or a failure of this payment that did not last. What it took back is given back. With the status `success` or `failed`, and without items.',
    ),
    order_id: Id.describe("The shop's id of the order."),
    status: z
      .enum(PAYMENT_STATUSES)
      .describe(
        '`refunded` and `cancelled` take back the listed items, or without items all that is left of the payment. So does `failed` after `success`, by their times.',
      ),
    currency: Currency,
    account_id: Id.optional().describe('The shopper. Without account and session, `order:<order_id>` counts as the shopper.'),
    session_id: Id.optional(),
    processing_ms: wholeNumber(0, PROCESSING_MS_MAX).optional().describe('How long the provider took, in milliseconds.'),
    occurred_at: Instant,
    items: z.array(PaymentItem).max(PAYMENT_ITEMS_MAX).optional(),
  })
  .superRefine(({ callback_id, reverses, status, items = [] }, context) => {
    const issue = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message })
    if (reverses !== undefined) {
      if (reverses === callback_id) issue(['reverses'], 'must name another callback')
      if (status !== 'success' && status !== 'failed') issue(['status'], 'must be success or failed with reverses')
      if (items.length > 0) issue(['items'], 'must be absent with reverses')
    } else if (status === 'success' && items.length === 0) issue(['items'], 'must name the items that were sold')
    if (status !== 'refunded' && status !== 'cancelled') {
      const index = items.findIndex((item) => item.unit_price === undefined)
      if (index >= 0) issue(['items', index, 'unit_price'], 'is needed')
    }
    const amounts = items.map(({ quantity = 1, unit_price = 0 }) => amountOf(thousandthsOf(quantity), unit_price))
    const sumOf = (each: (amount: number) => number) => amounts.reduce((sum, amount) => sum + each(amount), 0)
    // Without their signs, because sale lines keep charges and discounts.
    if (sumOf(Math.abs) > TOTAL_MAX) issue(['items'], `come to more than ${TOTAL_MAX} in minor units`)
    if (status === 'success' && sumOf((amount) => amount) < 0)
      issue(['items'], 'come to less than 0, because the discounts exceed the rest')
  })
export type PaymentCallback = z.infer<typeof PaymentCallback>

const EXAMPLE = {
  provider: 'acme-pay',
  callback_id: 'evt-1001',
  payment_ref: 'pay-77',
  order_id: 'order-4711',
  status: 'success',
  currency: 'EUR',
  account_id: 'ada',
  processing_ms: 412,
  occurred_at: '2026-03-01T12:00:00Z',
  items: [{ product_id: 'lamp', seller_id: 'north-light', quantity: 2, unit_price: 4_990 }],
} satisfies PaymentCallback

/** The request to record one callback. */
export const RecordPaymentRequest = PaymentCallback.meta({ examples: [EXAMPLE] })

export const RecordPaymentResponse = z.object({
  accepted: z.int().describe('How many callbacks this request recorded.'),
  duplicates: z.int().describe('How many callbacks were recorded before.'),
  duplicate_indexes: z.array(z.int()),
  rejected: z
    .array(RejectedItem)
    .describe(
      'A callback that was not recorded; or, with a field such as `items.0.quantity`, the part of a callback that does not count: what could not be taken back, because so much was never sold or was taken back before, or a success that differs from the sale of its payment.',
    ),
})
export type RecordPaymentResponse = z.infer<typeof RecordPaymentResponse>

export const RecordPaymentsRequest = z.strictObject({
  callbacks: uncheckedItems(PaymentCallback, CALLBACKS_MAX),
})
export type RecordPaymentsRequest = z.infer<typeof RecordPaymentsRequest>

export const RecordPaymentsResponse = z.object({
  results: z.array(RecordPaymentResponse).describe('The answer to each callback, in their order, as for a batch of one.'),
})
export type RecordPaymentsResponse = z.infer<typeof RecordPaymentsResponse>

/** The answers of the handlers. */
export const PaymentOrWaiting = RecordPaymentResponse.extend({ waiting: Waiting })
export const PaymentsOrWaiting = RecordPaymentsResponse.extend({ waiting: Waiting })

export const paymentHandlers = {
  RecordPayment: handler({
    input: RecordPaymentRequest,
    output: PaymentOrWaiting,
    description:
      'For trusted callers. Records the callback of a payment provider once, with all that follows from it: the analytics event, interactions, and sale lines. Answers as for a batch of one.',
  }),
  RecordPayments: handler({
    input: RecordPaymentsRequest,
    output: PaymentsOrWaiting,
    description: 'The same for up to 100 callbacks. Each is checked alone.',
  }),
}
