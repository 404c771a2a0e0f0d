import { sql } from 'kysely'
import { NESTED_LOOPS } from '../database/add-rows.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { tryNamedLocks } from '../database/locks.ts'
import { onlyRow } from '../database/rows.ts'
import { isDataError, isDuplicateKey } from '../database/sql-state.ts'
import type { BatchRef } from './batch.ts'
import { claimGroup, type Group, type GroupSize, LOCKED, NOTHING } from './group.ts'
import { hold, type Holder } from './holder.ts'
import { ALL_SLOTS, slotsOfLane } from './slots.ts'
import { type Done, GROUP_BATCHES_MAX, LANES, LOST, type WaitingBatch } from './waiting.ts'

/** What is done with waiting batches: counting, or feeding. */
export interface LaneWork {
  name: 'counting' | 'feeding'
  done: Done
  /** Runs at the begin of each transaction. */
  begin?: (tx: Queryable) => Promise<void>
  /** Whether transactions in two lanes may write the same row. */
  haveLanesCommonRows?: true
  /**
   * Takes a claimed group, and marks its batches. `isAlone` says that no other transaction is expected to add the same rows at the same time; it may
   * fail with 23505 when one does. @returns how much is done with the group.
   */
  take: (tx: Queryable, group: Group, isAlone: boolean) => Promise<GroupSize>
}

/** What a call knows of the lanes. */
export interface Call {
  db: Database
  own: BatchRef
  work: LaneWork
  wide: boolean
  lightEvents: number
  lanes: number
  /** The lane that it held last. It goes on there as long as something waits in it. */
  lane: number
  /** The slots of the lanes that it found held. */
  except: bigint
  left: Map<string, WaitingBatch>
  /** Once it has held the only lane. */
  holder: Holder | undefined
}

interface Attempt {
  othersMax: number
  isAlone: boolean
}

export type Outcome = GroupSize | { error: unknown } | typeof LOCKED | typeof LOST

/**
 * Takes a group that begins with this batch, again when it met another transaction that added the same rows, e.g. the holder of the lane of wide
 * batches; or the batch alone when PostgreSQL refuses the group.
 */
export async function takeGroup(db: Database, first: WaitingBatch, call: Call): Promise<Outcome> {
  const take = (othersMax: number, isAlone: boolean) =>
    db.transaction().execute((tx) => takeInLane(tx, first, call, { othersMax, isAlone }))
  try {
    return await take(GROUP_BATCHES_MAX - 1, true).catch((error: unknown) => {
      if (!isDuplicateKey(error)) throw error
      return take(GROUP_BATCHES_MAX - 1, false)
    })
  } catch (error) {
    if (!isDataError(error)) throw error
  }
  try {
    return await take(0, false)
  } catch (error) {
    if (!isDataError(error)) throw error
    return { error }
  }
}

/** Takes a group in free lanes of the batch. The held ones, and another number of lanes, are noted in the call. */
async function takeInLane(tx: Queryable, first: WaitingBatch, call: Call, { othersMax, isAlone }: Attempt): Promise<Outcome> {
  const { work } = call
  await work.begin?.(tx)
  const { lanes } = onlyRow(await sql<{ lanes: number }>`select ${LANES} as lanes, ${NESTED_LOOPS}`.execute(tx))
  if (lanes !== call.lanes) {
    Object.assign(call, { lanes, lane: 0, except: 0n })
    return NOTHING
  }
  const isLight = first.eventsAhead <= call.lightEvents
  const open = openLanes(first, call, isLight)
  const names = open.map(({ name }) => [work.name, name] as const)
  const places = await tryNamedLocks(tx, names, isLight ? open.length : 1)
  const tried = isLight ? open.length : (places[0] ?? open.length)
  open.slice(0, tried).forEach(({ slots }, place) => (call.except |= places.includes(place) ? 0n : slots))
  if (places.length === 0) return NOTHING
  call.lane = open[places[0]!]!.lane
  const slots = places.reduce((sum, place) => sum | open[place]!.slots, 0n)
  const group = await claimGroup(tx, first, { done: work.done, slots, othersMax, left: call.left })
  if (group === undefined) return NOTHING
  if (group === LOCKED || group === LOST) return group
  if (lanes === 1 && !call.wide && call.except === 0n) begin(call)
  const sharesRows = work.haveLanesCommonRows === true && lanes > 1
  return work.take(tx, group, isAlone && !sharesRows && !(await isDistributed(tx)))
}

/** From now on messages of this process leave their batches to this one, which holds the only lane and has claimed a group. */
function begin(call: Call): void {
  const { db, own, work } = call
  const takes = ({ batchId }: BatchRef) => call.lanes === 1 && call.except === 0n && !call.left.has(batchId)
  call.holder ??= { own, takes, isAsked: false, answeredMs: 0 }
  call.holder.answeredMs = performance.now()
  hold(db, work.name, call.holder)
}

interface OpenLane {
  lane: number
  slots: bigint
  name: string
}

/**
 * The lanes that this call did not find held: all of them, or those in which the batch waits. The lane of its last group comes first. With which of the
 * others it begins depends on the batch, so that messages begin in different lanes.
 */
function openLanes({ batchId, waiting }: WaitingBatch, { wide, lanes, lane: last, except }: Call, areAll: boolean): OpenLane[] {
  if (wide) return [{ lane: 0, slots: ALL_SLOTS, name: 'wide' }]
  const start = Number(BigInt(batchId) % BigInt(lanes))
  const inOrder = [...new Set([last, ...Array.from({ length: lanes }, (_, index) => (start + index) % lanes)])]
  const wanted = (areAll ? ALL_SLOTS : waiting) & ~except
  return inOrder
    .map((lane) => ({ lane, slots: slotsOfLane(lane, lanes), name: `${lane} of ${lanes}` }))
    .filter(({ slots }) => (slots & wanted) !== 0n)
}
