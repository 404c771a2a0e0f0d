import { availableParallelism } from 'node:os'
import { BATCH_ITEMS_MAX, BODY_BYTES_MAX } from '../../contract/interaction.ts'
import type { ReadLimits } from '../../gateway/routes/deps.ts'
import type { accessSettings } from './access.ts'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'

const MEBIBYTE = 1024 * 1024

export const capacitySettings = settingsIn('Capacity', {
  DATABASE_CONNECTIONS: wholeNumber(1, 200)
    .default(10)
    .describe('Maximum connections to PostgreSQL of each process of the gateway, of recording, and of counting.')
    .meta({ unit: 'connections' }),
  ENDPOINT_PROCESSES: wholeNumber(1, 64)
    .default(1)
    .describe('Processes of the service endpoint, behind one port. Each has its own connections to PostgreSQL.')
    .meta({ unit: 'processes' }),
  GATEWAY_PROCESSES: wholeNumber(1, 64)
    .default(1)
    .describe(
      'Processes of the gateway, behind one port. Each has its own connections to PostgreSQL; limits of what waits or arrives are divided among them.',
    )
    .meta({ unit: 'processes' }),
  WAITING_CALLS_MAX: wholeNumber(0, 1_000_000)
    .default(1_000)
    .describe(
      'Direct calls of services that wait outside the places in Restate during an outage of PostgreSQL. A further call is answered 503, and nothing of it is recorded.',
    )
    .meta({ unit: 'calls' }),
  RECORDER_MIB_MAX: wholeNumber(16, 65_536)
    .default(256)
    .describe(
      'Events that were accepted without waiting for their outcome, and wait in one of the recorders, for all gateways together. A call counts as 16 KiB at least. A further request gets 503, and nothing of it is recorded.',
    )
    .meta({ unit: 'MiB' }),
  TOP_CACHE_MS: wholeNumber(0, 900_000)
    .default(1_000)
    .describe('Maximum age of an answer of the top list; 0 asks the database each time.')
    .meta({ unit: 'ms' }),
  POPULAR_CACHE_MS: wholeNumber(0, 900_000)
    .default(1_000)
    .describe(
      'Maximum age of an answer of the lists of popular products; 0 asks the database each time. Answers of lists with a window, of sellers and of searched queries are kept for as long, or for up to 10 s after a slow read.',
    )
    .meta({ unit: 'ms' }),
  FLUSHES_MAX: wholeNumber(1, 64)
    .default(4)
    .describe(
      'Concurrent calls of the gateway that each record many events of one caller. The flushes of all callers with much current data begin only while fewer than twice as many run; small requests have up to as many in addition, and so have old events.',
    )
    .meta({ unit: 'calls' }),
  QUEUE_EVENTS_MAX: wholeNumber(10_000, 10_000_000)
    .default(50_000)
    .describe('Events that wait in the gateway before further requests get 503.')
    .meta({ unit: 'events' }),
  QUEUE_MIB_MAX: wholeNumber(16, 4_096)
    .default(32)
    .describe('Size of the bodies that wait in the gateway before further requests get 503.')
    .meta({ unit: 'MiB' }),
  BODIES_MIB_MAX: wholeNumber(16, 4_096)
    .default(64)
    .describe('Size of the bodies that arrive at the gateway or wait for their answer before further requests get 503.')
    .meta({ unit: 'MiB' }),
  CLIENT_BODIES_MIB_MAX: wholeNumber(16, 4_096)
    .default(32)
    .describe('The same for one client address, of IPv6 for its /64.')
    .meta({ unit: 'MiB' }),
  CONNECTIONS_MAX: wholeNumber(100, 60_000)
    .default(4_096)
    .describe('Connections to the gateway. A further one is closed without an answer, and idle ones with it.')
    .meta({ unit: 'connections' }),
})

/** A read that waits longer for its turn is answered 503. */
const READ_WAIT_MS_MAX = 5_000

type CapacitySettings = SettingsOf<typeof capacitySettings>

/** The part of a limit that each process of the gateway has. */
function partOf({ GATEWAY_PROCESSES: processes }: Pick<CapacitySettings, 'GATEWAY_PROCESSES'>, limit: number, min = 1): number {
  return Math.min(limit, Math.max(min, Math.ceil(limit / processes)))
}

export function readLimitsOf(config: CapacitySettings): ReadLimits {
  // At most half of the connections, so that short reads do not wait for long ones.
  const half = Math.max(1, config.DATABASE_CONNECTIONS >> 1)
  // The number of PostgreSQL's processors is unknown here; the number of this machine's is a guess.
  const addedUpAtOnce = Math.min(partOf(config, availableParallelism()), half)
  return {
    topCacheMs: config.TOP_CACHE_MS,
    popularCacheMs: config.POPULAR_CACHE_MS,
    shortReadsMax: config.DATABASE_CONNECTIONS,
    callerShortReadsMax: half,
    addedUpAtOnce,
    longReadsMax: half,
    // Other callers find a processor that is not busy.
    callerLongReadsMax: Math.max(1, addedUpAtOnce >> 1),
    readWaitMsMax: READ_WAIT_MS_MAX,
  }
}

/** So many invocations of each kind keep their places in Restate during an outage; with 512 places, most stay free. */
const PLACES_MAX = 64
const PROCESS_PLACES_MIN = 8

/** What one process of the endpoint may have waiting. */
export function waitingLimitsOf({ ENDPOINT_PROCESSES: processes, WAITING_CALLS_MAX: leavingMax }: CapacitySettings) {
  const placesMax = Math.max(PROCESS_PLACES_MIN, Math.floor(PLACES_MAX / processes))
  return { placesMax, leavingMax: Math.ceil(leavingMax / processes) }
}

/** How much may arrive at the same time. */
export function arrivalLimitsOf(config: CapacitySettings & Pick<SettingsOf<typeof accessSettings>, 'TRUSTED_PROXIES'>) {
  const connectionsMax = partOf(config, config.CONNECTIONS_MAX, 2)
  return {
    bodies: {
      bytesMax: partOf(config, config.BODIES_MIB_MAX * MEBIBYTE, BODY_BYTES_MAX),
      clientBytesMax: partOf(config, config.CLIENT_BODIES_MIB_MAX * MEBIBYTE, BODY_BYTES_MAX),
    },
    connections: {
      connectionsMax,
      // The connections of a proxy are those of all its clients.
      clientConnectionsMax: config.TRUSTED_PROXIES === undefined ? connectionsMax >> 1 : connectionsMax,
    },
  }
}

export function queueLimitsOf(config: CapacitySettings) {
  return {
    flushesMax: partOf(config, config.FLUSHES_MAX),
    queueEventsMax: partOf(config, config.QUEUE_EVENTS_MAX, BATCH_ITEMS_MAX),
    queueBytesMax: partOf(config, config.QUEUE_MIB_MAX * MEBIBYTE, BODY_BYTES_MAX),
    recorderBytesMax: config.RECORDER_MIB_MAX * MEBIBYTE,
  }
}
