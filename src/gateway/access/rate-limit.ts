import rateLimit, { type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import { BUDGET_MS, type Budgets, type Taken } from './budgets.ts'
import { senderIdOf } from './caller.ts'
import type { GatewayObserver } from '../http/observer.ts'

export interface RateLimits {
  /** Requests per minute of a secret key that has no limit of its own, and of a seller's tokens. */
  secretPerMinute: number
  /** The same for a publishable key, per client address. */
  publishablePerMinute: number
}

/** With several gateways a key has its limit at each of them; the processes of one share it. */
export async function limitRates(
  app: FastifyInstance,
  { limits, budgets, observer }: { limits: RateLimits; budgets: Budgets; observer: Pick<GatewayObserver, 'turnedAway'> },
): Promise<void> {
  await app.register(rateLimit, {
    timeWindow: BUDGET_MS,
    store: storeOf(budgets),
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

/** The plugin refuses a request when the count is above its limit. */
function storeOf(budgets: Budgets): FastifyRateLimitStoreCtor {
  const store: InstanceType<FastifyRateLimitStoreCtor> = {
    incr: (id, callback, _timeWindow, max) => {
      const answer = ({ taken, used, endsMs }: Taken) =>
        callback(null, { current: taken === 0 ? max + 1 : used, ttl: Math.max(0, endsMs - Date.now()) })
      const taken = budgets.take(id, 1, max)
      if (taken instanceof Promise) taken.then(answer, callback)
      else answer(taken)
    },
    child: () => store,
  }
  // Called as a constructor, whose answer takes the place of the new object.
  return function Store() {
    return store
  } as unknown as FastifyRateLimitStoreCtor
}
