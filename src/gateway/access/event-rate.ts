import type { FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import type { Budgets } from './budgets.ts'
import { senderIdOf } from './caller.ts'
import type { RateLimits } from './rate-limit.ts'

/** Bounds the events of publishable keys: each may name another product, and every list reads all products. */
export interface EventRate {
  /** Takes the events of a request. @throws DecidedError when its address has sent too many in this minute; the first request may have any number. */
  take: (request: Pick<FastifyRequest, 'apiKey' | 'ip'>, items: readonly unknown[]) => Promise<void>
}

/** Events for each request that the rate of the key allows. */
const EVENTS_PER_REQUEST = 10

/** Counts where the rates of requests are counted. */
export function createEventRate({ publishablePerMinute }: RateLimits, budgets: Budgets): EventRate {
  return {
    take: async (request, items) => {
      const { apiKey } = request
      if (!apiKey?.isPublishable) return
      const max = EVENTS_PER_REQUEST * (apiKey.requestsPerMinute ?? publishablePerMinute)
      const events = items.reduce<number>((sum, item) => sum + productsIn(item), 0)
      if (events === 0) return
      // The first request takes everything when it has more.
      const { taken } = await budgets.take(senderIdOf(request), Math.min(events, max), max)
      if (taken === 0) {
        throw new DecidedError('rate_limited', `at most ${max} events a minute are taken; try again in a minute`)
      }
    },
  }
}

/** A search counts for each product that it shows. */
function productsIn(item: unknown): number {
  const { product_ids } = (item ?? {}) as { product_ids?: unknown }
  return Array.isArray(product_ids) ? Math.max(1, product_ids.length) : 1
}
