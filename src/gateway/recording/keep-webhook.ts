import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { bytesOfRejected } from '../../admission/kept-item.ts'
import type { PaymentAdapter } from '../../contract/payment-adapter.ts'
import { KEPT_MESSAGE_CHARACTERS_MAX, type KeepWebhookRequest } from '../../contract/payment-webhook.ts'
import { analyticApi } from '../../contract/services.ts'
import type { Ingress } from '../../ingress/clients.ts'
import { callerIdOf } from '../access/caller.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { type ArrivedWebhook, keptWebhookOf, type NotMapped } from './map-webhook.ts'
import { unknownOutcome } from './unknown-outcome.ts'
import type { Recording } from './ways.ts'

export interface KeepDeps {
  recording: Pick<Recording, 'gate' | 'rejections'>
  ingress: Pick<Ingress, 'callWithJson'>
  observer: Pick<GatewayObserver, 'notKept'>
  settings: { keepsIgnoredWebhooks: boolean }
}

/**
 * Keeps a webhook that its adapter did not map, once, however often the provider sends it.
 * @returns whether it is kept now: not when ignored webhooks are not kept, when too much of the provider was kept in this
 * hour, or when Restate does not answer.
 * @throws DecidedError when it is not known whether an ignored webhook was kept, so that its provider sends it again.
 */
export async function keepWebhook(
  { recording: { gate, rejections }, ingress, observer, settings }: KeepDeps,
  request: FastifyRequest,
  { provider }: PaymentAdapter,
  webhook: ArrivedWebhook,
  { code, message }: NotMapped,
): Promise<boolean> {
  if (code === 'ignored' && !settings.keepsIgnoredWebhooks) return false
  const body = Buffer.from(
    JSON.stringify({
      webhook: keptWebhookOf(provider, webhook),
      sha256: identityOf(webhook),
      code,
      message: message.replaceAll('\0', ' ').slice(0, KEPT_MESSAGE_CHARACTERS_MAX).toWellFormed(),
    } satisfies KeepWebhookRequest),
  )
  const giveBack = rejections.take({ provider }, bytesOfRejected(1, body.length))
  if (giveBack === undefined) {
    observer.notKept(1)
    return false
  }
  try {
    const { is_new: isNew } = await gate({ caller: callerIdOf(request), body }, () =>
      ingress.callWithJson(analyticApi, 'KeepWebhook', body),
    )
    if (!isNew) giveBack(0)
    return true
  } catch (error) {
    observer.notKept(1)
    // The provider sends it again because of its refusal.
    if (code === 'refused') return false
    throw unknownOutcome(error, 'send the same webhook again')
  }
}

/** The same for a webhook that comes again, and another when a header that the adapter reads is another, e.g. the topic. */
function identityOf({ body, context: { headers } }: ArrivedWebhook): string {
  const hash = createHash('sha256').update(body)
  if (Object.keys(headers).length > 0) hash.update(JSON.stringify(headers))
  return hash.digest('hex')
}
