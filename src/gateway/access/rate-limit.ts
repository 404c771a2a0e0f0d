import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import { senderIdOf } from './caller.ts'
import type { GatewayObserver } from '../http/observer.ts'

export interface RateLimits {
  /** Requests per minute of a secret key that has no limit of its own, and of a seller's tokens. */
  secretPerMinute: number
  /** The same for a publishable key, per client address. */
  publishablePerMinute: number
}

const ADDRESSES_MAX = 50_000

/** Counts in this process only: with several gateways a key has its limit at each of them. */
export async function limitRates(
  app: FastifyInstance,
  { limits, observer }: { limits: RateLimits; observer: Pick<GatewayObserver, 'turnedAway'> },
): Promise<void> {
  await app.register(rateLimit, {
    timeWindow: 60_000,
    cache: ADDRESSES_MAX,
    allowList: (request) => request.apiKey === null,
    // Every shopper's browser has the same publishable key, so a browser that floods must not lock out the others.
    keyGenerator: senderIdOf,
    max: ({ apiKey }) =>
      apiKey?.requestsPerMinute ?? (apiKey?.isPublishable ? limits.publishablePerMinute : limits.secretPerMinute),
    onExceeded: () => observer.turnedAway('rate_limited'),
    errorResponseBuilder: (_request, { max, after }) =>
      new DecidedError('rate_limited', `at most ${max} requests a minute are taken; try again in ${after}`),
  })
}
