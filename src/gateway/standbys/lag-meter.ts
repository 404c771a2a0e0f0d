import type { Lsn } from '../../contract/fields/lsn.ts'

/** Measures how far standbys are behind, from where the log of the primary ended at known instants. */
export interface LagMeter {
  /** The log of the primary ended at `lsn`, or later, at `atMs`. */
  note: (lsn: Lsn, atMs: number) => void
  /**
   * The greatest age, in ms, of what a standby shows that has replayed up to `replayed`: since the newest known end of the primary's log that
   * it has replayed. It grows while the primary cannot be asked. Infinity when no such end is known.
   */
  ageOf: (replayed: Lsn, nowMs: number) => number
  /** Whether a standby has replayed everything that the primary is known to have. */
  hasAll: (replayed: Lsn) => boolean
}

interface End {
  lsn: Lsn
  atMs: number
}

/** 17 minutes of four a second. A standby that is further behind is as good as one that shows nothing. */
const ENDS_MAX = 4_096

export function createLagMeter(): LagMeter {
  let ends: End[] = []
  return {
    note: (lsn, atMs) => {
      const last = ends.at(-1)
      // The log of a primary never gets shorter: this is another primary, and what the one before had says nothing of it.
      if (last !== undefined && lsn < last.lsn) ends = []
      // While nothing is written, a standby that has replayed the end is as new as the last look at it.
      if (last?.lsn === lsn) ends.pop()
      ends.push({ lsn, atMs })
      if (ends.length > ENDS_MAX) ends.shift()
    },
    ageOf: (replayed, nowMs) => {
      const end = ends.findLast(({ lsn }) => lsn <= replayed)
      return end === undefined ? Infinity : nowMs - end.atMs
    },
    hasAll: (replayed) => ends.length > 0 && ends.at(-1)!.lsn <= replayed,
  }
}
