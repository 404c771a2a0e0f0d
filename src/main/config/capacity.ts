import { availableParallelism } from 'node:os'
import type { ReadLimits } from '../../gateway/routes/deps.ts'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'

export const capacitySettings = settingsIn('Capacity', {
  DATABASE_CONNECTIONS: wholeNumber(1, 200)
    .default(10)
    .describe('Maximum connections to PostgreSQL of each of the gateway, recording, and counting.')
    .meta({ unit: 'connections' }),
  ENDPOINT_PROCESSES: wholeNumber(1, 64)
    .default(1)
    .describe('Processes of the service endpoint, behind one port. Each has its own connections to PostgreSQL.')
    .meta({ unit: 'processes' }),
  TOP_CACHE_MS: wholeNumber(0, 900_000)
    .default(1_000)
    .describe('Maximum age of an answer of the top list; 0 asks the database each time.')
    .meta({ unit: 'ms' }),
  POPULAR_CACHE_MS: wholeNumber(0, 900_000)
    .default(1_000)
    .describe('Maximum age of an answer of the lists of popular products; 0 asks the database each time.')
    .meta({ unit: 'ms' }),
  FLUSHES_MAX: wholeNumber(1, 64)
    .default(4)
    .describe('Concurrent calls of the gateway that each record the events of many requests.')
    .meta({ unit: 'calls' }),
  QUEUE_EVENTS_MAX: wholeNumber(10_000, 10_000_000)
    .default(50_000)
    .describe('Events that wait in the gateway before further requests get 503.')
    .meta({ unit: 'events' }),
  QUEUE_MIB_MAX: wholeNumber(16, 4_096)
    .default(32)
    .describe('Size of the bodies that wait in the gateway before further requests get 503.')
    .meta({ unit: 'MiB' }),
})

type CapacitySettings = SettingsOf<typeof capacitySettings>

export function readLimitsOf(config: CapacitySettings): ReadLimits {
  // At most half of the connections, so that short reads do not wait for long ones.
  const longReadsMax = Math.max(1, config.DATABASE_CONNECTIONS >> 1)
  return {
    topCacheMs: config.TOP_CACHE_MS,
    popularCacheMs: config.POPULAR_CACHE_MS,
    // The number of PostgreSQL's processors is unknown here; the number of this machine's is a guess.
    addedUpAtOnce: Math.min(availableParallelism(), longReadsMax),
    reportsAtOnce: longReadsMax,
  }
}

export function queueLimitsOf(config: CapacitySettings) {
  return {
    flushesMax: config.FLUSHES_MAX,
    queueEventsMax: config.QUEUE_EVENTS_MAX,
    queueBytesMax: config.QUEUE_MIB_MAX * 1024 * 1024,
  }
}
