import { createCallerShares } from '../http/caller-shares.ts'
import type { ReadSource } from '../standbys/read-source.ts'
import { createReadLine, type ReadLine } from './read-line.ts'

/** How many reads run concurrently, and how long others wait. */
export interface ReadLineLimits {
  /** Concurrent reads of a few rows by an index. */
  shortReadsMax: number
  /** The same of one caller. */
  callerShortReadsMax: number
  /** Concurrent reads of popular lists that add up hours. */
  addedUpAtOnce: number
  /** Concurrent reads of seller dashboards, reports, and all other reads whose time depends on the data. */
  longReadsMax: number
  /** Concurrent reads of these two kinds of one caller: each keeps one connection and one processor of PostgreSQL busy. */
  callerLongReadsMax: number
  /** How long a read waits for its turn. */
  readWaitMsMax: number
}

/** The lines of the reads, by what they cost. */
export interface ReadLines {
  short: ReadLine
  /** Of the history of metrics, which may be in another store. A line of its own, because reads of the database do not wait for that one. */
  history: ReadLine
  addedUp: ReadLine
  long: ReadLine
}

const WAITING_MAX = 1_000
const CALLER_WAITING_MAX = 200

export function createReadLines(source: ReadSource, limits: ReadLineLimits): ReadLines {
  const common = { source, waitMsMax: limits.readWaitMsMax, waitingMax: WAITING_MAX, callerWaitingMax: CALLER_WAITING_MAX }
  const long = { ...common, shares: createCallerShares(limits.callerLongReadsMax) }
  const short = () =>
    createReadLine({ ...common, runningMax: limits.shortReadsMax, shares: createCallerShares(limits.callerShortReadsMax) })
  return {
    short: short(),
    history: short(),
    addedUp: createReadLine({ ...long, runningMax: limits.addedUpAtOnce }),
    long: createReadLine({ ...long, runningMax: limits.longReadsMax }),
  }
}
