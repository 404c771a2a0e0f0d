import { z } from 'zod'
import { handler } from './handler.ts'
import { SourceSlug } from './payment.ts'
import { storableText } from './fields/text.ts'

const CONTENT_TYPE_CHARACTERS_MAX = 200
/** Of the reason. */
export const KEPT_MESSAGE_CHARACTERS_MAX = 1_000
const SHA256 = /^[0-9a-f]{64}$/

/**
 * A signed webhook of which its adapter made no callback, as the rejected events list it. It has everything that the adapter got, so that a
 * mended adapter gets the same.
 */
export const KeptWebhook = z.strictObject({
  provider: SourceSlug,
  content_type: z.string().max(CONTENT_TYPE_CHARACTERS_MAX).describe('Without parameters; empty when the webhook had none.'),
  headers: z.record(z.string(), z.string()).describe('The headers that the adapter reads.'),
  form: z.enum(['json', 'text', 'base64']).describe('How `body` has the body: as JSON, as its text, or as its bytes in base64.'),
  body: z.unknown(),
})
export type KeptWebhook = z.infer<typeof KeptWebhook>

/** Why a webhook is kept: its adapter could not map it, or made no callback of it on purpose. */
export const WEBHOOK_CODES = ['refused', 'ignored'] as const
export type WebhookCode = (typeof WEBHOOK_CODES)[number]

export const KeepWebhookRequest = z.strictObject({
  webhook: KeptWebhook,
  /** Identifies the webhook, because a provider sends it again and again. */
  sha256: z.string().regex(SHA256).describe('In hex, of the bytes of the body and of the headers that the adapter reads.'),
  code: z.enum(WEBHOOK_CODES),
  message: storableText(KEPT_MESSAGE_CHARACTERS_MAX).describe('The reason.'),
})
export type KeepWebhookRequest = z.infer<typeof KeepWebhookRequest>

export const KeepWebhookResponse = z.object({
  is_new: z.boolean().describe('Whether this call was the first to keep the webhook.'),
})
export type KeepWebhookResponse = z.infer<typeof KeepWebhookResponse>

export const webhookHandlers = {
  KeepWebhook: handler({
    input: KeepWebhookRequest,
    output: KeepWebhookResponse,
    description:
      'For the gateway. Keeps a signed webhook that an adapter refused or ignored, once per provider, hash and code, among the rejected events.',
  }),
}
