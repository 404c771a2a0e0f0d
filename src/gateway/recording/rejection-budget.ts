import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { HOUR_MS } from '../../contract/fields/time.ts'
import { clientAddress } from '../http/client-address.ts'

/** How many bytes of rejected items are kept each hour. */
export interface RejectionLimits {
  /** Of a secret key, and of a provider of webhooks. */
  secretBytes: number
  /** Of a publishable key. */
  publishableBytes: number
  /** Of a publishable key from one client address: every shopper's browser has the key, so one that floods must not use up all of it. */
  addressBytes: number
}

export type RejectionSender = Pick<FastifyRequest, 'apiKey' | 'ip'>

/** The provider of signed webhooks. */
export interface WebhookSender {
  provider: string
}

export interface RejectionBudget {
  /**
   * Takes bytes for items that may be rejected. @returns a function that gives back what was not kept, or undefined when so much is not
   * left in this hour. A provider has as much as a secret key. Callers without a key, which exist only as long as none was made, are not
   * bounded.
   */
  take: (sender: RejectionSender | WebhookSender, bytes: number) => ((bytesKept: number) => void) | undefined
}

interface Used {
  hour: number
  bytes: number
}

/** An address that is forgotten begins its hour again; its key is not forgotten. */
const ADDRESSES_MAX = 50_000

/** Counts in this process only: with several gateways a key has its limit at each of them. */
export function createRejectionBudget(limits: RejectionLimits, now: () => number = Date.now): RejectionBudget {
  const keys = new Map<string, Used>()
  const providers = new Map<string, Used>()
  // Without `max`, with which lru-cache makes room for all of them at once.
  const addresses = new LRUCache<string, Used>({ maxSize: ADDRESSES_MAX, sizeCalculation: () => 1 })

  const usedOf = (counters: { get: (id: string) => Used | undefined; set: (id: string, used: Used) => unknown }, id: string) => {
    const hour = Math.floor(now() / HOUR_MS)
    const known = counters.get(id)
    if (known?.hour === hour) return known
    const used = { hour, bytes: 0 }
    counters.set(id, used)
    return used
  }

  const countersOf = (sender: RejectionSender | WebhookSender) => {
    if ('provider' in sender) return [{ used: usedOf(providers, sender.provider), max: limits.secretBytes }]
    const { apiKey, ip } = sender
    if (apiKey === null) return []
    const { keyId, isPublishable } = apiKey
    if (!isPublishable) return [{ used: usedOf(keys, keyId), max: limits.secretBytes }]
    return [
      { used: usedOf(keys, keyId), max: limits.publishableBytes },
      { used: usedOf(addresses, `${keyId} ${clientAddress(ip)}`), max: limits.addressBytes },
    ]
  }

  return {
    take: (sender, bytes) => {
      const counters = countersOf(sender)
      if (counters.some(({ used, max }) => used.bytes + bytes > max)) return undefined
      for (const { used } of counters) used.bytes += bytes
      let taken = bytes
      return (bytesKept) => {
        for (const { used } of counters) used.bytes += bytesKept - taken
        taken = bytesKept
      }
    },
  }
}
