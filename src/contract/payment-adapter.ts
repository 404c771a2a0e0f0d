import type { PaymentCallback } from './payment.ts'

/** A webhook as it came, for adapters whose provider signs in its own way. */
export interface SignedWebhook {
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** The bytes that were signed. */
  body: Uint8Array
  nowMs: number
}

/**
 * Maps the webhooks of a payment provider. They are sent to `/api/v1/orders/payment/callback/<provider>`; PAYMENT_ADAPTERS names the
 * module whose default export this is.
 */
export interface PaymentAdapter {
  /** The last part of the address, and the provider of its callbacks. */
  provider: string
  /** The header with `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, in small letters. */
  signatureHeader?: string
  /** The secrets that are good: one, or while it changes two. */
  secrets?: readonly string[]
  /** Whether the webhook is the provider's, in place of the two above. */
  isSigned?: (webhook: SignedWebhook) => boolean | Promise<boolean>
  /** What a webhook's body says, as callbacks; none for what is of no interest here. An error is answered with 400 and its message. */
  callbacksOf: (body: never) => readonly AdaptedCallback[] | Promise<readonly AdaptedCallback[]>
}

export type AdaptedCallback = Omit<PaymentCallback, 'provider'>
