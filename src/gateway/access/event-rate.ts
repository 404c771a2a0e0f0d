import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { DecidedError } from '../../contract/decided-error.ts'
import { senderIdOf } from './caller.ts'
import type { RateLimits } from './rate-limit.ts'

/** Bounds the events of publishable keys: each may name another product, and every list reads all products. */
export interface EventRate {
  /** Takes the events of a request. @throws DecidedError when its address has sent too many in this minute; the first request may have any number. */
  take: (request: Pick<FastifyRequest, 'apiKey' | 'ip'>, items: readonly unknown[]) => void
}

/** Events for each request that the rate of the key allows. */
const EVENTS_PER_REQUEST = 10
const MINUTE_MS = 60_000
const ADDRESSES_MAX = 50_000

interface Sent {
  minute: number
  events: number
}

/** Counts in this process only, as the rates of requests do. */
export function createEventRate({ publishablePerMinute }: RateLimits, now: () => number = Date.now): EventRate {
  const addresses = new LRUCache<string, Sent>({ max: ADDRESSES_MAX })
  return {
    take: (request, items) => {
      const { apiKey } = request
      if (!apiKey?.isPublishable) return
      const max = EVENTS_PER_REQUEST * (apiKey.requestsPerMinute ?? publishablePerMinute)
      const minute = Math.floor(now() / MINUTE_MS)
      const events = items.reduce<number>((sum, item) => sum + productsIn(item), 0)
      const id = senderIdOf(request)
      const known = addresses.get(id)
      const sent = known?.minute === minute ? known : { minute, events: 0 }
      if (sent.events > 0 && sent.events + events > max) {
        throw new DecidedError('rate_limited', `at most ${max} events a minute are taken; try again in a minute`)
      }
      sent.events += events
      addresses.set(id, sent)
    },
  }
}

/** A search counts for each product that it shows. */
function productsIn(item: unknown): number {
  const { product_ids } = (item ?? {}) as { product_ids?: unknown }
  return Array.isArray(product_ids) ? Math.max(1, product_ids.length) : 1
}
