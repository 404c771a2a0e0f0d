import { z } from 'zod'
import { Currency } from './currency.ts'
import { RejectedItem } from './interaction.ts'
import { itemSchemaOf } from './item-schema.ts'
import { wholeNumber } from './whole-number.ts'
import { Id } from './id.ts'
import { ProductId } from './id.ts'
import { Instant } from './instant.ts'

/** A callback waits for the settling of those that come with it. */
export const CALLBACKS_MAX = 100
export const PAYMENT_ITEMS_MAX = 1_000
export const QUANTITY_MAX = 1_000_000
export const UNIT_PRICE_MAX = 1_000_000_000_000
/** Of a payment, in minor units: 900 of them still add up exactly as JSON numbers. */
export const TOTAL_MAX = 10_000_000_000_000
const PROCESSING_MS_MAX = 2 ** 31 - 1

export const PAYMENT_STATUSES = ['pending', 'success', 'failed', 'refunded', 'cancelled'] as const
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number]

/** A source of analytics events; of payments, the provider. */
export const SourceSlug = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, { error: 'must be 1 to 64 of a-z, 0-9, _, . and -, beginning with one of a-z and 0-9' })

const PaymentItem = z.strictObject({
  product_id: ProductId,
  seller_id: Id.optional().describe("Who sells it; the catalogue's seller of the product when absent."),
  quantity: wholeNumber(1, QUANTITY_MAX),
  unit_price: wholeNumber(0, UNIT_PRICE_MAX)
    .optional()
    .describe(
      'In minor units of the currency. Needed but for a refund or a cancellation, where it is what was paid when absent.',
    ),
})

/** What a provider tells of a payment. */
export const PaymentCallback = z
  .strictObject({
    provider: SourceSlug.describe('Who sends it, such as `stripe`.'),
    callback_id: Id.describe("The provider's id of this callback: recorded once, for ever."),
    payment_ref: Id.describe("The provider's id of the payment, the same in all callbacks about it."),
    order_id: Id.describe("The shop's id of the order."),
    status: z
      .enum(PAYMENT_STATUSES)
      .describe('`refunded` and `cancelled` take back the items listed, or, without any, all that is left of the payment.'),
    currency: Currency,
    account_id: Id.optional().describe('The shopper; `order:<order_id>` is one when there is neither account nor session.'),
    session_id: Id.optional(),
    processing_ms: wholeNumber(0, PROCESSING_MS_MAX).optional().describe('How long the provider took.'),
    occurred_at: Instant,
    items: z.array(PaymentItem).max(PAYMENT_ITEMS_MAX).optional(),
  })
  .superRefine(({ status, items = [] }, context) => {
    const issue = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message })
    if (status === 'success' && items.length === 0) issue(['items'], 'must name what was sold')
    if (status !== 'refunded' && status !== 'cancelled') {
      const index = items.findIndex((item) => item.unit_price === undefined)
      if (index >= 0) issue(['items', index, 'unit_price'], 'is needed')
    }
    const total = items.reduce((sum, { quantity, unit_price = 0 }) => sum + quantity * unit_price, 0)
    if (total > TOTAL_MAX) issue(['items'], `come to more than ${TOTAL_MAX} in minor units`)
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

/** The same with an example, as a request. */
export const RecordPaymentRequest = PaymentCallback.meta({ examples: [EXAMPLE] })

export const RecordPaymentResponse = z.object({
  accepted: z.int().describe('How many callbacks were recorded by this request.'),
  duplicates: z.int().describe('How many were recorded before.'),
  duplicate_indexes: z.array(z.int()),
  rejected: z
    .array(RejectedItem)
    .describe(
      'A callback that was not recorded; or, with a field such as `items.0.quantity`, that part of one which could not be taken back because so much was never sold or is taken back already.',
    ),
})
export type RecordPaymentResponse = z.infer<typeof RecordPaymentResponse>

/** Items are unknown here, so that each is judged alone. */
export const RecordPaymentsRequest = z.strictObject({
  callbacks: z
    .array(z.unknown().meta(itemSchemaOf(PaymentCallback)))
    .min(1)
    .max(CALLBACKS_MAX),
})
export type RecordPaymentsRequest = z.infer<typeof RecordPaymentsRequest>

export const RecordPaymentsResponse = z.object({
  results: z.array(RecordPaymentResponse).describe('Of each callback, in their order, as of a batch of one.'),
})
export type RecordPaymentsResponse = z.infer<typeof RecordPaymentsResponse>
