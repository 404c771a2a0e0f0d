import type { PaymentAdapter } from '../../contract/payment-adapter.ts'
import { rejectedIdOf, type RejectedKey } from '../../contract/rejected.ts'
import { arrivedFrom, type MappedWebhook, mapWebhook } from '../../gateway/recording/map-webhook.ts'
import type { Config } from '../../main/config/config.ts'
import { paymentAdaptersOf } from '../../main/config/payments.ts'
import type { Database } from '../../store/database/connection.ts'
import { keptWebhook } from '../../store/log/kept-webhook.ts'

/** What an adapter makes of a kept webhook now. `wasIgnored` says whether it ignored it before. */
export type RemappedWebhook = (MappedWebhook & { wasIgnored: boolean }) | { problem: string }

/** Undefined for an event that is no webhook. */
export type WebhookMapper = (key: RejectedKey) => Promise<RemappedWebhook | undefined>

/**
 * Maps kept webhooks by the adapters of PAYMENT_ADAPTERS, which are loaded for the first webhook. They run in this process, so that a
 * mended adapter needs no restart of the gateway.
 */
export function createWebhookMapper(config: Pick<Config, 'PAYMENT_ADAPTERS'>, db: Database): WebhookMapper {
  let adapters: Promise<PaymentAdapter[]> | undefined
  return async (key) => {
    const kept = await keptWebhook(db, key)
    if (kept === undefined) return undefined
    const { provider } = kept.webhook
    const adapter = (await (adapters ??= paymentAdaptersOf(config))).find((each) => each.provider === provider)
    if (adapter === undefined) {
      return {
        problem: `${rejectedIdOf(key)} is a webhook of ${provider}, and PAYMENT_ADAPTERS names no adapter of it here: set it as for the gateway`,
      }
    }
    return { ...(await mapWebhook(adapter, arrivedFrom(kept.webhook))), wasIgnored: kept.code === 'ignored' }
  }
}
