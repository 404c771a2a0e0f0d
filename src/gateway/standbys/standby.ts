import type { Lsn } from '../../contract/fields/lsn.ts'
import type { Database } from '../../store/database/connection.ts'
import { replayedLsn } from '../../store/database/lsn.ts'
import { isBrokenConnection } from '../../store/database/sql-state.ts'
import { UnavailableError } from '../../store/database/unavailable-error.ts'
import type { LagMeter } from './lag-meter.ts'
import { createLink, within } from './link.ts'

export interface StandbyOptions {
  /** Its host and port, for operators. */
  name: string
  /** Opens the connections for reads. */
  openReads: () => Database
  /** Opens a connection of its own for looks, so that they do not wait for reads. */
  openLooks: () => Database
  meter: LagMeter
  lagMsMax: number
}

/** One standby, as it was at the last look at it. */
export interface Standby {
  name: string
  /**
   * Asks up to where it has replayed the log. It counts as away from a look that fails until one that does not. Calls during a look share it,
   * because the looks of many readers would wait for each other until the standby seems away.
   */
  look: () => Promise<void>
  /** Up to where it had replayed the log at the last look; undefined when it is away, or no standby. */
  replayed: () => Lsn | undefined
  /** The primary's log ended here, asked after a look that found `seen`. `isOther` says that it is another primary than at the look before. */
  compare: (end: Lsn, seen: Lsn | undefined, isOther: boolean) => void
  /** Whether reads may go to it, and, with `minLsn`, whether it shows what is before that. */
  isUsable: (minLsn?: Lsn) => boolean
  /** The greatest age of what it shows, in ms; 0 when it shows all that the primary is known to have, undefined when it is not known. */
  lagMs: () => number | undefined
  /** Reads. @throws UnavailableError when it is found to be away in the meantime. */
  read: <Answer>(work: (db: Database) => Promise<Answer>) => Promise<Answer>
  close: () => Promise<void>
}

/** A standby that does not answer a look for so long is away. */
const LOOK_MS_MAX = 1_000
/** What was found at a look is that of the moment for so long: until the next look. */
const MOMENT_MS = 1_000

export function createStandby({ name, openReads, openLooks, meter, lagMsMax }: StandbyOptions): Standby {
  const reads = createLink(openReads)
  const looks = createLink(openLooks)
  let replayed: Lsn | undefined
  let lookedMs = -Infinity
  let isAhead = false
  /**
   * Where it was after a failover, and null until that is known. It may have more of the old primary's log than the new one, and then it stops
   * there: what it shows was lost. So it is read again when it has replayed more.
   */
  let stopped: Lsn | null | undefined
  let lost = newLoss()

  /** Ends its reads, which may hang for ever. */
  const giveUp = () => {
    replayed = undefined
    lost.reject(new UnavailableError(`the standby ${name} does not answer`))
    lost = newLoss()
    reads.renew()
  }
  let looking: Promise<void> | undefined
  const look = async () => {
    const askedMs = performance.now()
    try {
      // Undefined for a server that was promoted: it is the primary, which DATABASE_URL finds, or has another history than the primary.
      replayed = await within(LOOK_MS_MAX, replayedLsn(looks.db()))
      lookedMs = askedMs
    } catch {
      looks.renew()
      giveUp()
    }
  }
  const age = () => (replayed === undefined ? Infinity : meter.ageOf(replayed, performance.now()))

  return {
    name,
    look: () => (looking ??= look().finally(() => (looking = undefined))),
    replayed: () => replayed,
    compare: (end, seen, isOther) => {
      if (isOther) stopped = null
      if (seen === undefined) return
      // Nothing is replayed before the primary has it, so the standby follows another primary, or an earlier one.
      isAhead = seen > end
      if (stopped === null) stopped = seen
      else if (stopped !== undefined && seen > stopped) stopped = undefined
    },
    isUsable: (minLsn = 0n) =>
      replayed !== undefined && !isAhead && stopped === undefined && replayed >= minLsn && age() <= lagMsMax,
    lagMs: () => {
      if (replayed !== undefined && meter.hasAll(replayed) && performance.now() - lookedMs < MOMENT_MS) return 0
      return Number.isFinite(age()) ? Math.round(age()) : undefined
    },
    read: async (work) => {
      const answer = work(reads.db())
      answer.catch(() => undefined)
      try {
        return await Promise.race([answer, lost.promise])
      } catch (error) {
        // Reads go elsewhere until the next look.
        if (isBrokenConnection(error)) replayed = undefined
        throw error
      }
    },
    close: async () => void (await Promise.all([reads.close(), looks.close()])),
  }
}

function newLoss() {
  const loss = Promise.withResolvers<never>()
  // When nothing is read, nothing waits for it.
  loss.promise.catch(() => undefined)
  return loss
}
