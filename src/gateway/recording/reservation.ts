import { HOUR_MS } from '../../contract/fields/time.ts'

/** A gateway reserves in such parts of the bound. It has one part without asking, so that usual traffic needs no reservation. */
const PARTS = 16
/** After a refusal the next reservation is tried so much later. */
const REFUSED_MS = 1_000
/** Well before RecorderRoom forgets a reservation. */
const RENEWED_MS = HOUR_MS / 3

/** How much this process may have waiting in a recorder. */
export interface Reservation {
  bytes: () => number
  /** Whether more was refused in the last second. */
  isRefused: () => boolean
  /** Tries to have room for so much. */
  grow: (bytes: number) => Promise<void>
  /** Gives back what is not needed for so much, and renews the rest when it is due. */
  keep: (bytes: number) => void
}

/**
 * Reserves parts of the bound of a recorder, one change after the other.
 * @param reserve whether this process may have so much in all; 0 gives everything back
 */
export function createReservation(bytesMax: number, reserve: (bytes: number) => Promise<boolean>): Reservation {
  const part = Math.ceil(bytesMax / PARTS)
  let reserved = part
  let refusedMs = -Infinity
  let changedMs = -Infinity
  let changes = 0
  let changing: Promise<unknown> = Promise.resolve()
  const isDue = () => reserved > part && performance.now() - changedMs > RENEWED_MS

  const change = (bytes: number) => {
    changes++
    const wanted = Math.max(part, Math.ceil(bytes / part) * part)
    const before = changing
    const changed = (async () => {
      await before
      if (wanted === reserved && !isDue()) return
      // Without Restate's answer nothing can be handed over either.
      const isGranted = await reserve(wanted === part ? 0 : wanted).catch(() => false)
      changedMs = performance.now()
      if (isGranted) reserved = wanted
      else if (wanted > reserved) refusedMs = changedMs
    })()
    changing = changed
    return changed.finally(() => changes--)
  }

  const isRefused = () => performance.now() - refusedMs < REFUSED_MS
  return {
    bytes: () => reserved,
    isRefused,
    grow: async (bytes) => {
      if (!isRefused()) await change(bytes)
    },
    keep: (bytes) => {
      if (changes > 0) return
      const isMuchUnused = reserved > part && (bytes === 0 || reserved - bytes > 2 * part)
      if (isMuchUnused) void change(bytes === 0 ? 0 : bytes + part)
      else if (isDue()) void change(reserved)
    },
  }
}
