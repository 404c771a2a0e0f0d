import type { PaymentCallback } from './payment.ts'

/** A webhook as it arrived, for adapters whose provider has a signature of its own kind. */
export interface SignedWebhook {
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** The bytes that were signed. */
  body: Uint8Array
  nowMs: number
}

/**
 * Maps the webhooks of a payment provider, which sends them to `/api/v1/orders/payment/callback/<provider>`. It is the default
 * export of a module that PAYMENT_ADAPTERS names.
 */
export interface PaymentAdapter {
  /** The last part of the address, and the provider of its callbacks. */
  provider: string
  /**
   * The header of the signature, in lower case: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, or with `isSigned` any text. A
   * webhook without it is refused before its body is read.
   */
  signatureHeader?: string
  /** The valid secrets: one, or two during a change. */
  secrets?: readonly string[]
  /** Whether the provider signed the webhook. Replaces the check by `secrets`. */
  isSigned?: (webhook: SignedWebhook) => boolean | Promise<boolean>
  /** The callbacks in a webhook's body; none when it is about something else. An error is answered with 400 and its message. */
  callbacksOf: (body: never) => readonly AdaptedCallback[] | Promise<readonly AdaptedCallback[]>
}

export type AdaptedCallback = Omit<PaymentCallback, 'provider'>
