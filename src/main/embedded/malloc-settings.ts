import { availableParallelism } from 'node:os'

/**
 * Makes glibc give memory back, as environment variables that other systems ignore. Bodies and their chunks of 64 KiB are outside V8's
 * heap. By default glibc takes them from its own heap once larger ones were freed, and keeps what is between others: after 100
 * bodies of 15 MB a gateway of 130 MB kept 290 MB, and with these settings 140 MB. Smaller blocks are allocated as before.
 */
export const GATEWAY_MALLOC = { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_ARENA_MAX: '2' }

/**
 * Makes the allocator of restate-server (jemalloc) give memory back: as many arenas as processors, in place of four times as many, and a thread
 * that frees unused pages also while nothing is allocated. At rest after 60,000 events in requests of 100 it keeps 117 MB, and 125 to 133 without.
 */
export const RESTATE_MALLOC = { MALLOC_CONF: `narenas:${availableParallelism()},background_thread:true` }
