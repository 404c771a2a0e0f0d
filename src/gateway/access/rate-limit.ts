import { DecidedError } from '../../contract/decided-error.ts'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import type { GatewayObserver } from '../http/observer.ts'

export interface RateLimits {
  /** Requests a minute of a secret key that has no limit of its own, and of a seller's tokens. */
  secretPerMinute: number
  /** The same of a publishable one, for each address that uses it. */
  publishablePerMinute: number
}

const ADDRESSES_MAX = 50_000

/** Counts in this process: behind several gateways a key has the limit at each. */
export async function limitRates(
  app: FastifyInstance,
  { limits, observer }: { limits: RateLimits; observer: Pick<GatewayObserver, 'turnedAway'> },
): Promise<void> {
  await app.register(rateLimit, {
    timeWindow: 60_000,
    cache: ADDRESSES_MAX,
    allowList: (request) => request.apiKey === null,
    // Every shopper's browser has the same publishable key: one that floods must not lock out the others.
    keyGenerator: ({ apiKey, ip }) =>
      apiKey?.isPublishable ? `${apiKey.keyId} ${rateLimit.normalizeIP(ip ?? '')}` : (apiKey?.keyId ?? ''),
    max: ({ apiKey }) =>
      apiKey?.requestsPerMinute ?? (apiKey?.isPublishable ? limits.publishablePerMinute : limits.secretPerMinute),
    onExceeded: () => observer.turnedAway('rate_limited'),
    errorResponseBuilder: (_request, { max, after }) =>
      new DecidedError('rate_limited', `at most ${max} requests a minute are taken; try again in ${after}`),
  })
}
