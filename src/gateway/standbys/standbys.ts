import { setTimeout as sleep } from 'node:timers/promises'
import type { Lsn } from '../../contract/fields/lsn.ts'
import type { Database } from '../../store/database/connection.ts'
import { gathered } from '../../store/database/gathered.ts'
import { type PrimaryEnd, primaryEnd } from '../../store/database/lsn.ts'
import { createLagMeter, type LagMeter } from './lag-meter.ts'
import { createLink, type Link, within } from './link.ts'
import { createStandby, type Standby, type StandbyOptions } from './standby.ts'

export interface StandbysOptions {
  standbys: readonly Pick<StandbyOptions, 'name' | 'openReads' | 'openLooks'>[]
  /** Opens a connection to the primary, for looks at its log only. */
  openPrimary: () => Database
  /** Reads go to no standby whose answers may be older. */
  lagMsMax: number
  /** Whether reads go to a standby has changed. */
  onChange: (state: StandbyState) => void
}

/** What operators are told of a standby. */
export interface StandbyState {
  server: string
  /** The greatest age of its answers; null when it is not known. */
  lag_ms: number | null
  /** Whether reads go to it. */
  is_read: boolean
}

/** The standbys that reads may go to. They and the primary are looked at four times a second. */
export interface Standbys {
  /** A standby that is close enough behind the primary and shows what is before `minLsn`; they take turns. */
  choose: (minLsn?: Lsn) => Standby | undefined
  /** Waits until a standby shows what is before a position, for 200 ms at most. */
  waitFor: (minLsn: Lsn) => Promise<void>
  /** Where the primary's log ends, asked after the call. @throws when the primary does not answer within 200 ms. */
  endOfLog: () => Promise<Lsn>
  states: () => StandbyState[]
  close: () => Promise<void>
}

const LOOK_EACH_MS = 250
/** Long enough to try every address of DATABASE_URL. */
const PRIMARY_MS_MAX = 10_000
/** How long a read waits for a standby that has not replayed what its caller has just written. */
export const CATCH_UP_MS_MAX = 200
const CATCH_UP_EACH_MS = 20
const QUESTIONS_MAX = 10_000

export function createStandbys({ lagMsMax, onChange, ...options }: StandbysOptions): Standbys {
  const meter = createLagMeter()
  const primary = createLink(options.openPrimary)
  const standbys = options.standbys.map((standby) => createStandby({ ...standby, meter, lagMsMax }))
  const stateOf = (standby: Standby): StandbyState => ({
    server: standby.name,
    lag_ms: standby.lagMs() ?? null,
    is_read: standby.isUsable(),
  })
  const told = new Map<string, boolean>()
  const tellChanges = () => {
    for (const state of standbys.map(stateOf)) {
      if (told.get(state.server) === state.is_read) continue
      told.set(state.server, state.is_read)
      onChange(state)
    }
  }
  const lookAtStandbys = async () => {
    await Promise.all(standbys.map((standby) => standby.look()))
    tellChanges()
  }
  const closing = new AbortController()
  void repeat(lookAtStandbys, closing.signal)
  void repeat(primaryLooks(primary, standbys, meter), closing.signal)

  let turn = 0
  const choose = (minLsn?: Lsn): Standby | undefined => {
    const usable = standbys.filter((standby) => standby.isUsable(minLsn))
    return usable[turn++ % usable.length]
  }
  const asked = gathered<'end', Lsn>(async () => new Map([['end', (await endOfLog(primary.db())).lsn]]), QUESTIONS_MAX)
  return {
    choose,
    waitFor: (minLsn) =>
      waitUntil(
        () => standbys.some((standby) => standby.isUsable(minLsn)),
        () => Promise.all(standbys.map((one) => one.look())),
      ),
    endOfLog: async () => (await within(CATCH_UP_MS_MAX, asked(['end']))).get('end')!,
    states: () => standbys.map(stateOf),
    close: async () => {
      closing.abort()
      await Promise.all([primary.close(), ...standbys.map((standby) => standby.close())])
    },
  }
}

/** Each look notes where the primary's log ends. Without news of the primary, the age of what standbys show grows. */
function primaryLooks(primary: Link, standbys: readonly Standby[], meter: LagMeter): () => Promise<void> {
  let timeline: number | undefined
  return async () => {
    // Before the primary, so that a standby can be ahead only when it has another history.
    const seen = standbys.map((standby) => standby.replayed())
    const askedMs = performance.now()
    try {
      const end = await within(PRIMARY_MS_MAX, endOfLog(primary.db()))
      const isOther = timeline !== undefined && timeline !== end.timeline
      timeline = end.timeline
      for (const [at, standby] of standbys.entries()) standby.compare(end.lsn, seen[at], isOther)
      meter.note(end.lsn, askedMs)
    } catch {
      primary.renew()
    }
  }
}

async function endOfLog(db: Database): Promise<PrimaryEnd> {
  const end = await primaryEnd(db)
  if (end === undefined) throw new Error('DATABASE_URL is the address of a standby')
  return end
}

async function repeat(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await work()
    await sleep(LOOK_EACH_MS, undefined, { ref: false, signal }).catch(() => undefined)
  }
}

async function waitUntil(isTrue: () => boolean, look: () => Promise<unknown>): Promise<void> {
  const endMs = performance.now() + CATCH_UP_MS_MAX
  while (!isTrue()) {
    const leftMs = endMs - performance.now()
    if (leftMs <= 0) return
    await Promise.race([look(), sleep(leftMs, undefined, { ref: false })])
    if (!isTrue()) await sleep(Math.min(CATCH_UP_EACH_MS, leftMs), undefined, { ref: false })
  }
}
