import type { Logger } from 'pino'
import type { LiveEvents } from '../../external/live-events.ts'
import type { Config } from '../config/config.ts'
import { liveEventStoreOf } from '../config/live-events.ts'
import { contextSettingsOf } from '../config/shoppers.ts'

type Forgetting = Pick<LiveEvents, 'forget' | 'stop'>

/** For where each gateway keeps live events in its own process, which the endpoint does not reach. */
const NOTHING_SHARED: Forgetting = { forget: async () => true, stop: async () => undefined }

/** The live events that the endpoint reaches: those in a Redis. */
export async function createSharedLiveEvents(config: Config, log: Logger): Promise<Forgetting> {
  const store = liveEventStoreOf(config)
  if (!('url' in store)) return NOTHING_SHARED
  // Loaded only where it is used: it takes some 10 MB.
  const { createRedisEvents } = await import('../../external/redis-events.ts')
  const { idleMs, productsMax } = contextSettingsOf(config)
  const onFailed = (error: unknown) => log.warn({ err: error }, 'live events not reached')
  return createRedisEvents({ url: store.url, idleMs, itemsMax: productsMax, onFailed })
}
