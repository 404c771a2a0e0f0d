import { availableParallelism } from 'node:os'
import type { GatewaySettings } from '../../gateway/routes/deps.ts'
import { rateLimitsOf } from './access.ts'
import { isPublic } from './addresses.ts'
import type { Config } from './config.ts'
import { privacyOf } from './privacy.ts'

export function gatewaySettingsOf(config: Config): GatewaySettings {
  // At most half of the connections, so that short reads do not wait for long ones.
  const longReadsMax = Math.max(1, config.DATABASE_CONNECTIONS >> 1)
  return {
    isPublic: isPublic(config),
    trustedProxies: config.TRUSTED_PROXIES,
    rateLimits: rateLimitsOf(config),
    privacy: privacyOf(config),
    topCacheMs: config.TOP_CACHE_MS,
    popularCacheMs: config.POPULAR_CACHE_MS,
    // The number of PostgreSQL's processors is unknown here; the number of this machine's is a guess.
    addedUpAtOnce: Math.min(availableParallelism(), longReadsMax),
    reportsAtOnce: longReadsMax,
  }
}
