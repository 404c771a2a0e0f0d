import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { instantOf } from '../contract/fields/time.ts'
import { SESSIONS_MAX, SHOPPER_EVENTS_MAX, type ShopperEvent } from '../ranking/shopper-event.ts'
import { FORGOTTEN_MS, type LiveEvents } from './live-events.ts'
import { MERGE_MS } from './merges.ts'
import { createRedis, redisScript } from './redis-client.ts'

export interface RedisEventsOptions {
  /** redis:// or rediss://, with the user and the password if there are any. */
  url: string
  /** How long after its last event a shopper is forgotten. */
  idleMs: number
  /** Distinct products in the list for other services. */
  itemsMax: number
  /** Called for each call that failed, and for each lost connection. */
  onFailed: (error: unknown) => void
  /** How long a call waits for Redis. */
  deadlineMs?: number
  now?: () => number
}

const scriptIn = (name: string) => redisScript(readFileSync(join(import.meta.dirname, `${name}.lua`), 'utf8'))
const KEEP = scriptIn('keep-event')
const READ = scriptIn('read-events')
const MERGE = scriptIn('merge-shoppers')
const FORGET = scriptIn('forget-shoppers')

/** An event as it is kept; its id is the field. */
interface StoredEvent {
  at: number
  occurred_at: string
  product_id: string
  event_type: string
  category?: string | undefined
  brand?: string | undefined
}

/**
 * Live events in Redis, for several gateways and for other services of the shop. Each call is one script, so one atomic round trip. A
 * call that fails is reported, and keeps or reads nothing.
 */
export function createRedisEvents(options: RedisEventsOptions): LiveEvents {
  const { idleMs, itemsMax, onFailed, now = Date.now } = options
  const redis = createRedis(options)

  const run = async (...call: Parameters<typeof redis.run>): Promise<unknown> => {
    try {
      return await redis.run(...call)
    } catch (error) {
      onFailed(error)
      return undefined
    }
  }

  const change = async (shopperId: string, event: ShopperEvent, way: 'keep' | 'describe') => {
    const nowMs = now()
    const numbers = [idleMs, SHOPPER_EVENTS_MAX, itemsMax].map(String)
    const values = [event.eventId, JSON.stringify(storedOf(event)), String(nowMs), instantOf(nowMs), ...numbers, way]
    await run(KEEP, [...EVENT_KEYS.map((name) => keyOf(shopperId, name)), forgottenKeyOf(shopperId)], values)
  }

  return {
    keep: (shopperId, event) => change(shopperId, event, 'keep'),
    describe: (shopperId, event) => change(shopperId, event, 'describe'),
    read: async (shopperIds) => {
      const texts = await run(READ, [], shopperIds)
      return texts === undefined ? undefined : eventsIn(texts as readonly string[])
    },
    merged: async (sessionId, accountId) => {
      const [session, account] = [`session:${sessionId}`, `account:${accountId}`]
      const keys = [keyOf(session, 'account'), keyOf(account, 'sessions')]
      await run(MERGE, keys, [session, account, String(SESSIONS_MAX), String(MERGE_MS)])
    },
    forget: async (shopperIds) => {
      for (let from = 0; from < shopperIds.length; from += FORGET_SHOPPERS_MAX) {
        const some = shopperIds.slice(from, from + FORGET_SHOPPERS_MAX)
        const keys = some.flatMap((shopperId) => [...KEYS.map((name) => keyOf(shopperId, name)), forgottenKeyOf(shopperId)])
        const values = [KEYS.length + 1, now(), FORGOTTEN_MS].map(String)
        if ((await run(FORGET, keys, values)) === undefined) return false
      }
      return true
    },
    stop: redis.stop,
  }
}

/** In the order in which the script takes them. */
const EVENT_KEYS = ['recent_events', 'recent_items', 'recent_categories', 'last_active']
const KEYS = [...EVENT_KEYS, 'account', 'sessions']
/** When a shopper was forgotten, ms since 1970. A hash, because the id of an erased person is kept nowhere. */
const forgottenKeyOf = (shopperId: string) => `user:${createHash('sha256').update(shopperId).digest('hex')}:forgotten_at`
/** So that no script keeps other callers waiting for long. */
const FORGET_SHOPPERS_MAX = 500

function keyOf(shopperId: string, name: string): string {
  return `user:${shopperId}:${name}`
}

function storedOf({ occurredAtMs, productId, eventType, category, brand }: ShopperEvent): StoredEvent {
  const occurred_at = instantOf(occurredAtMs)
  return { at: occurredAtMs, occurred_at, product_id: productId, event_type: eventType, category, brand }
}

/** What other programs wrote under these keys is left out. */
function eventsIn(texts: readonly string[]): ShopperEvent[] {
  const events: ShopperEvent[] = []
  for (let place = 0; place + 1 < texts.length; place += 2) {
    const stored = storedIn(texts[place + 1]!)
    if (stored === undefined) continue
    const { at, product_id, event_type, category, brand } = stored
    events.push({ eventId: texts[place]!, occurredAtMs: at, productId: product_id, eventType: event_type, category, brand })
  }
  return events
}

function storedIn(text: string): StoredEvent | undefined {
  try {
    const stored = JSON.parse(text) as Partial<Record<keyof StoredEvent, unknown>> | null
    return stored !== null && isStored(stored) ? stored : undefined
  } catch {
    return undefined
  }
}

function isStored(stored: Partial<Record<keyof StoredEvent, unknown>>): stored is StoredEvent {
  const { at, product_id, event_type, category, brand } = stored
  const isText = (value: unknown) => typeof value === 'string'
  const isInstant = typeof at === 'number' && !Number.isNaN(new Date(at).getTime())
  return isInstant && [product_id, event_type, category ?? '', brand ?? ''].every(isText)
}
