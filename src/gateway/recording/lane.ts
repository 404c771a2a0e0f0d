/** A flush that takes so many times as long as usual, and at least so long, does not keep the next one from going out. */
const SLOW_TIMES = 3
const SLOW_MS_MIN = 100
/** What is taken for usual before the first flush. */
const USUAL_MS = 100
/** The weight of the last flush in the usual duration. */
const LAST_SHARE = 1 / 8

/**
 * A flush of many requests is answered to many senders together, and they are about to send their next requests. The next flush waits
 * for these, for a part of the time that the last flush took. With 256 connections, waiting 0 / 5 / 10 / 15 ms gave 3,819 / 3,901 /
 * 4,519 / 4,652 events/s, and 121 / 103 / 103 / 102 ms at p99. A lone request does not wait.
 */
const CROWD_REQUESTS = 8
const GATHER_SHARE = 0.5
const GATHER_MS_MAX = 10

/**
 * A flush of so many events keeps processors busy, and so do counting and feeding them afterwards. Next to other callers a pause twice as
 * long follows, but only as if 1,000 events took 50 ms: a busy machine makes flushes slow, and would otherwise hold up a sender that sends
 * no more than before.
 */
const LARGE_EVENTS_MIN = 500
const PAUSE_TIMES = 2
const USUAL_EVENT_MS = 0.05
/** After a flush that is costly for its months. */
const COSTLY_PAUSE_MS_MAX = 500

/** When the next flush of some requests may go out. */
export interface Lane {
  /** How many of its flushes run. */
  flushes: () => number
  /** When the next flush may go out, by performance.now(); Infinity when only the end of a flush allows it. */
  nextMs: (next: NextFlush) => number
  began: () => void
  ended: (flush: { requests: number; events: number; tookMs: number }) => void
}

export interface NextFlush {
  /** Whether what waits would fill half of a flush. */
  isHalfFull: boolean
  /** Whether small requests of others are sent too: then large flushes go out in turn and with pauses, which leaves these a processor. */
  isNextToOthers: boolean
}

export interface LaneOptions {
  flushesMax: number
  /** Whether each flush waits for the one before, however long it takes. */
  isPaced: boolean
  /** Whether even a small flush keeps processors busy, because its events are of many months. */
  isCostly?: boolean
}

/**
 * The next flush goes out when the previous one has returned, with all events that arrived since. Concurrent flushes go out only when
 * they are at least half full, because many small concurrent flushes are slower than larger ones in turn, or when the last one is slow.
 */
export function createLane({ flushesMax, isPaced, isCostly = false }: LaneOptions): Lane {
  let flushes = 0
  let beganMs = 0
  let usualMs = USUAL_MS
  /** Until then the next flush waits for the senders that the last one has just answered. */
  let gatherUntilMs = 0
  let pauseUntilMs = 0
  const slowMs = () => Math.max(SLOW_MS_MIN, SLOW_TIMES * usualMs)

  return {
    flushes: () => flushes,
    nextMs: ({ isHalfFull, isNextToOthers }) => {
      if (flushes >= flushesMax) return Infinity
      if (flushes === 0 && isNextToOthers) return Math.max(gatherUntilMs, pauseUntilMs)
      if (isHalfFull && !isNextToOthers) return 0
      if (flushes === 0) return gatherUntilMs
      return isPaced ? Infinity : beganMs + slowMs()
    },
    began: () => {
      flushes++
      beganMs = performance.now()
    },
    ended: ({ requests, events, tookMs }) => {
      flushes--
      const nowMs = performance.now()
      if (isCostly) pauseUntilMs = nowMs + Math.min(COSTLY_PAUSE_MS_MAX, PAUSE_TIMES * tookMs)
      else if (events >= LARGE_EVENTS_MIN) pauseUntilMs = nowMs + PAUSE_TIMES * Math.min(tookMs, events * USUAL_EVENT_MS)
      if (requests >= CROWD_REQUESTS) {
        gatherUntilMs = nowMs + Math.min(GATHER_MS_MAX, GATHER_SHARE * tookMs)
      }
      // One slow flush must not make the next slow ones usual.
      usualMs += LAST_SHARE * (Math.min(tookMs, slowMs()) - usualMs)
    },
  }
}
