import type { GatewaySettings } from '../../gateway/routes/deps.ts'
import { rateLimitsOf } from './access.ts'
import { isPublic, restateUiUrlOf } from './addresses.ts'
import { VERSION } from './checkout.ts'
import { arrivalLimitsOf, readLimitsOf } from './capacity.ts'
import type { Config } from './config.ts'
import { privacyOf } from './privacy.ts'
import { recommendSettingsOf } from './recommendations.ts'
import { rerankSettingsOf } from './rerank.ts'
import { similarityBytesMaxOf } from './similarity.ts'
import { contextSettingsOf, preferenceSettingsOf } from './shoppers.ts'

export function gatewaySettingsOf(config: Config): GatewaySettings {
  return {
    isPublic: isPublic(config),
    trustedProxies: config.TRUSTED_PROXIES,
    rateLimits: rateLimitsOf(config),
    publishableDaysMax: config.PUBLISHABLE_EVENT_DAYS_MAX,
    pendingDays: config.PENDING_DAYS,
    privacy: privacyOf(config),
    context: contextSettingsOf(config),
    preferences: preferenceSettingsOf(config),
    recommend: recommendSettingsOf(config),
    rerank: rerankSettingsOf(config),
    similarityBytesMax: similarityBytesMaxOf(config),
    attributionHours: config.ATTRIBUTION_HOURS,
    about: { version: VERSION, restateUiUrl: restateUiUrlOf(config) },
    keepsIgnoredWebhooks: config.IGNORED_WEBHOOK_DAYS > 0,
    ...arrivalLimitsOf(config),
    ...readLimitsOf(config),
  }
}
