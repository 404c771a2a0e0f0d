import type { LiveEvents } from '../external/live-events.ts'
import { createProcessEvents, type ProcessEvents } from '../external/process-events.ts'
import type { Config } from './config/config.ts'
import { liveEventStoreOf } from './config/live-events.ts'
import { contextSettingsOf } from './config/shoppers.ts'

export interface LiveEventsObserver {
  /** A call of the Redis failed, or its connection was lost. */
  onFailed: () => void
  /** The same, for the log: at most every 10 s, with the number of failures since then. */
  onAway: (error: unknown, failed: number) => void
  /** Live events are in this process. */
  onProcess: (events: ProcessEvents) => void
}

/** The live events of this process, where SHOPPER_STORE says. */
export async function createLiveEvents(config: Config, { onFailed, onAway, onProcess }: LiveEventsObserver): Promise<LiveEvents> {
  const store = liveEventStoreOf(config)
  const { idleMs, productsMax } = contextSettingsOf(config)
  if ('url' in store) {
    // Loaded only where it is used: it takes some 10 MB.
    const { createRedisEvents } = await import('../external/redis-events.ts')
    const warn = summed(onAway)
    return createRedisEvents({
      url: store.url,
      idleMs,
      itemsMax: productsMax,
      onFailed: (error) => {
        onFailed()
        warn(error)
      },
    })
  }
  const events = createProcessEvents({ ...store, idleMs })
  onProcess(events)
  return events
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
