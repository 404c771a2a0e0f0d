import type { PaymentCallback } from './payment.ts'

/** A webhook as it arrived, for adapters whose provider has a signature of its own kind. */
export interface SignedWebhook {
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** The bytes that were signed. */
  body: Uint8Array
  nowMs: number
}

/** What a webhook says besides its body. It is the same when the webhook is replayed. */
export interface WebhookContext {
  /** Its media type in lower case without parameters, e.g. `application/json`; an empty text when it has none. */
  contentType: string
  /** The values of the adapter's `headers`, as far as the webhook has them. */
  headers: Readonly<Record<string, string>>
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
  /** The headers that `callbacksOf` reads, in lower case. It gets no others. They are kept with a webhook that it refuses or ignores. */
  headers?: readonly string[]
  /**
   * Whether a webhook that the adapter refuses is answered with 202 once it is kept, for a provider that ends the subscription after a
   * few errors. Such a webhook comes no second time: it must be replayed.
   */
  acknowledgesRefused?: boolean
  /**
   * The callbacks of a webhook. Its body is what the JSON says; of any other content type it is the bytes, as a Uint8Array. Called when the
   * signature is good. An error is answered with 400 and its message, and the webhook is kept to be replayed.
   */
  callbacksOf: (body: never, webhook: WebhookContext) => Adapted | Promise<Adapted>
}

/**
 * What an adapter makes of a webhook. None, or a reason, for a webhook that is about something else; a reason in the list for a part of it
 * that is.
 */
export type Adapted = readonly (AdaptedCallback | Ignored)[] | Ignored

export interface Ignored {
  ignored: string
}

export type AdaptedCallback = Omit<PaymentCallback, 'provider'>
