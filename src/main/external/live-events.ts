import type { LiveEvents } from '../../external/live-events.ts'
import type { Config } from '../config/config.ts'
import { liveEventStoreOf } from '../config/live-events.ts'
import { contextSettingsOf } from '../config/shoppers.ts'

export interface SharedEventsObserver {
  /** A call of the Redis failed, or its connection was lost. */
  onFailed: () => void
  /** The same, for the log: at most every 10 s, with the number of failures since then. */
  onAway: (error: unknown, failed: number) => void
}

export interface LiveEventsOptions extends SharedEventsObserver {
  /** Those in the memory of the gateway. */
  inMemory: () => LiveEvents
}

/** The live events of a gateway, where SHOPPER_STORE says. */
export async function createLiveEvents(config: Config, { inMemory, ...observer }: LiveEventsOptions): Promise<LiveEvents> {
  const store = liveEventStoreOf(config)
  return 'url' in store ? createRedisStore(store.url, config, observer) : inMemory()
}

/** The live events that processes share: those in a Redis. Undefined where each gateway keeps its own. */
export async function createSharedEvents(config: Config, observer: SharedEventsObserver): Promise<LiveEvents | undefined> {
  const store = liveEventStoreOf(config)
  return 'url' in store ? createRedisStore(store.url, config, observer) : undefined
}

async function createRedisStore(url: string, config: Config, { onFailed, onAway }: SharedEventsObserver): Promise<LiveEvents> {
  // Loaded only where it is used: it takes some 10 MB.
  const { createRedisEvents } = await import('../../external/redis-events.ts')
  const { idleMs, productsMax: itemsMax } = contextSettingsOf(config)
  const warn = summed(onAway)
  return createRedisEvents({
    url,
    idleMs,
    itemsMax,
    onFailed: (error) => {
      onFailed()
      warn(error)
    },
  })
}

/** Thousands of calls a second may fail. */
const WARN_MS = 10_000

/** Sums up what comes within 10 s of a warning. */
function summed(warn: (error: unknown, count: number) => void): (error: unknown) => void {
  let warnedMs = -Infinity
  let count = 0
  return (error) => {
    count++
    if (performance.now() - warnedMs < WARN_MS) return
    warnedMs = performance.now()
    warn(error, count)
    count = 0
  }
}
