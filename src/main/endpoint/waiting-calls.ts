import type { Places, WaitingCalls } from '../../../services/handler/waiting-calls.ts'
import { isUnavailable } from '../../store/database/sql-state.ts'

/** An invocation that did not come back for so long goes on in another process, or was killed. Its attempts are at most 90 s apart. */
const FORGOTTEN_MS = 300_000
/** When all places are taken and nothing succeeded for so long, PostgreSQL is away, and further invocations do not try. */
const AWAY_MS = 2_000
/** One further invocation tries in each such time, because those in the places may come back to another process. */
const TRY_MS = 1_000

export interface WaitingLimits {
  /** Invocations of each kind that keep their places while PostgreSQL is away. */
  placesMax: number
  /** Direct calls that leave their places during one outage. */
  leavingMax: number
}

/** Bounds what one process of the endpoint has waiting for PostgreSQL in places in Restate. */
export function createWaitingCalls({ placesMax, leavingMax }: WaitingLimits, now = () => performance.now()): WaitingCalls {
  let left = 0
  let doneMs = -Infinity
  const recorded = () => {
    left = 0
    doneMs = now()
  }
  const backgroundDone = { ms: -Infinity }
  return {
    direct: createPlaces(placesMax, { now, onDone: recorded, isAway: () => now() - doneMs > AWAY_MS }),
    background: createPlaces(placesMax, {
      now,
      onDone: () => (backgroundDone.ms = now()),
      isAway: () => now() - backgroundDone.ms > AWAY_MS,
    }),
    mayLeave: () => ++left <= leavingMax,
    recorded,
  }
}

interface PlacesOptions {
  now: () => number
  /** Called when the statements of an invocation succeeded. */
  onDone: () => void
  isAway: () => boolean
}

function createPlaces(placesMax: number, { now, onDone, isAway }: PlacesOptions): Places {
  /** The invocations that Restate repeats, with the time of their last attempt. */
  const waiting = new Map<string, number>()
  let triedMs = -Infinity
  const hasPlace = (id: string) => {
    if (waiting.has(id) || waiting.size < placesMax) return true
    for (const [other, atMs] of waiting) if (now() - atMs > FORGOTTEN_MS) waiting.delete(other)
    return waiting.size < placesMax
  }
  return {
    attempt: async (id, statements, leave) => {
      if (!hasPlace(id) && isAway() && now() - triedMs < TRY_MS) return leave(undefined)
      triedMs = now()
      try {
        const done = await statements()
        waiting.delete(id)
        onDone()
        return done
      } catch (error) {
        if (!isUnavailable(error)) {
          waiting.delete(id)
          throw error
        }
        if (!hasPlace(id)) return leave(error)
        waiting.set(id, now())
        throw error
      }
    },
  }
}
