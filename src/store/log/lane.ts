import { sql } from 'kysely'
import { NESTED_LOOPS } from '../database/add-rows.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { tryNamedLocks } from '../database/locks.ts'
import { onlyRow } from '../database/rows.ts'
import { isDataError, isDuplicateKey } from '../database/sql-state.ts'
import type { BatchBounds, BatchRef } from './batch.ts'
import { claimGroup, type Group, type GroupSize, LOCKED, NOTHING } from './group.ts'
import { hold, type Holder, leftToHolder, refuse, retire } from './holder.ts'
import {
  doesOldWait,
  type Done,
  firstWaiting,
  GROUP_BATCHES_MAX,
  LANES,
  type Look,
  LOST,
  stateOf,
  type WaitingBatch,
} from './waiting.ts'
import { waitForBatch } from './batch-lock.ts'
import { ALL_SLOTS, slotsOfLane } from './slots.ts'
import { isWide } from './wide.ts'

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

/** What a call took, and what it leaves to other messages. */
export interface Taken extends GroupSize {
  /** The batch with which another message goes on. */
  next?: BatchBounds
  /** Batches that PostgreSQL refused or that were locked. */
  left?: BatchBounds[]
  /** Whether the message must come again later, because a batch waits that the holders of its lanes may not look for. */
  again?: true
}

export interface TakeOptions {
  /** Called after each transaction that took batches. */
  onGroup?: (group: GroupSize) => void
  /** While at most so many events wait, a transaction works in all lanes that are free: it is short, and more of them would cost more. */
  lightEvents?: number
  /** Whether the batch may be left to the message of this process that works in the only lane. Not for a wide batch. */
  mayBeLeft?: boolean
}

/** They are counted in about 50 ms. */
const LIGHT_EVENTS = 2_000
/** After so many groups, of at most 200 ms each, and one more for each lane, a message passes its work on to another one, so that none runs for ever. */
const GROUPS_MAX = 15
/** Groups of wide batches take longer, and must leave the processor to others between two of them. */
const WIDE_GROUPS_MAX = 1

/**
 * Takes the batch of a message, and what else waits. One message at a time works in a lane: it holds the lane, a lock, during each of its
 * transactions. A message that finds every lane of its batch held ends at once, instead of waiting with a connection for rows that the holder has locked.
 *
 * No batch stays behind, because a message that held a lane looks for waiting batches after its transaction, and the lane is released then. A message
 * that found the lane held had its batch committed before it asked, and so before the lane was released: the holder sees the batch when it looks. It
 * looks for slots of every lane but those that it found held itself, whose holders will look. It looks from near the number of its own batch, which
 * is at most the newest one. So a message that found a lane held comes again later while a batch waits that is far from the newest one, e.g. after an
 * outage. A message whose batch is done looks too, because its first attempt may have died between its transaction and its look. Wide batches have a
 * lane of their own, so that no other batch waits for them.
 *
 * A message whose holder is in the same process asks it directly, without a statement, when there is one lane and the batch is not wide. The holder
 * looks for all that the message would have looked for, and again when it was asked after it had begun to look. When it finds the lane held by another
 * process, and was asked since it last looked, it looks and tries once more, because the other one may have looked before.
 *
 * A batch that PostgreSQL refuses is left out from then on, and so is one that another transaction has locked. A message of its own tries it
 * again, which fails alone, or waits for the lock without holding a lane. When it then finds a lane held, it comes again later, because the holder may have
 * left the batch out.
 * @returns LOST when the log does not have the batch.
 */
export async function takeWaiting(
  db: Database,
  own: BatchRef,
  work: LaneWork,
  { onGroup = () => undefined, lightEvents = LIGHT_EVENTS, mayBeLeft = false }: TakeOptions = {},
): Promise<Taken | typeof LOST> {
  if (mayBeLeft && leftToHolder(db, work.name, own)) return { ...NOTHING }
  const state = await stateOf(db, own, work.done)
  if (state === LOST) return LOST
  const wide = isWide(state.batch)
  const call: Call = {
    db,
    own,
    work,
    wide,
    lightEvents,
    lanes: state.lanes,
    lane: 0,
    except: 0n,
    left: new Map(),
    holder: undefined,
  }
  try {
    return await takeAsHolder(state.batch, call, onGroup)
  } finally {
    end(call)
  }
}

async function takeAsHolder(first: WaitingBatch, call: Call, onGroup: (group: GroupSize) => void): Promise<Taken | typeof LOST> {
  const { db, own, work, wide } = call
  const look: Look = { done: work.done, isWide: wide, left: call.left, from: own }
  let taken: GroupSize = NOTHING
  let refusal: { error: unknown } | undefined
  let wasLocked = false
  let comesAgain = false
  let next = first.waiting !== 0n ? first : await lookOn(look, call)
  for (let groups = wide ? WIDE_GROUPS_MAX : GROUPS_MAX + call.lanes; next !== undefined && groups > 0; groups--) {
    const outcome = await takeGroup(db, next, call)
    const isOwn = next.batchId === own.batchId
    if (outcome === LOST && isOwn && !call.holder?.isAsked) return LOST
    if (outcome === LOCKED && isOwn && call.holder === undefined) {
      wasLocked = true
      await waitForBatch(db, own)
    } else if (outcome === LOCKED) {
      leave(next, call)
      // Others have left their batches to this message, which must not wait for its own.
      if (isOwn) comesAgain = true
    } else if (outcome !== LOST && 'error' in outcome) {
      leave(next, call)
      if (isOwn) refusal = outcome
    } else if (outcome !== LOST && outcome.batches > 0) {
      taken = { batches: taken.batches + outcome.batches, events: taken.events + outcome.events }
      onGroup(outcome)
    }
    next = await lookOn(look, call)
  }
  if (refusal !== undefined) throw refusal.error
  return {
    ...taken,
    ...(next && { next: boundsOf(next) }),
    ...(call.left.size > 0 && { left: [...call.left.values()].map(boundsOf) }),
    ...((comesAgain || (call.except !== 0n && (wasLocked || (await doesOldWait(db, look))))) && { again: true }),
  }
}

/** The first batch that waits. When none does, no batch is left to this message any more. */
async function lookOn(look: Look, call: Call): Promise<WaitingBatch | undefined> {
  for (;;) {
    if (call.holder?.isAsked) call.except = 0n
    if (call.holder !== undefined) Object.assign(call.holder, { isAsked: false, answeredMs: performance.now() })
    const found = call.except === ALL_SLOTS ? undefined : await firstWaiting(call.db, look, call.except)
    if (found !== undefined) return found
    if (!call.holder?.isAsked) {
      end(call)
      return undefined
    }
  }
}

/** From now on messages of this process leave their batches to this one, which holds the only lane and has claimed a group. */
function begin(call: Call): void {
  const { db, own, work } = call
  const takes = ({ batchId }: BatchRef) => call.lanes === 1 && call.except === 0n && !call.left.has(batchId)
  call.holder ??= { own, takes, isAsked: false, answeredMs: 0 }
  call.holder.answeredMs = performance.now()
  hold(db, work.name, call.holder)
}

function end({ db, work, holder }: Call): void {
  if (holder !== undefined) retire(db, work.name, holder)
}

function leave(batch: WaitingBatch, { db, work, left }: Call): void {
  left.set(batch.batchId, batch)
  refuse(db, work.name, batch)
}

function boundsOf({ batchId, from, to, call }: WaitingBatch): BatchBounds {
  return { batchId, from, to, call }
}

/** What a call knows of the lanes. */
interface Call {
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

type Outcome = GroupSize | { error: unknown } | typeof LOCKED | typeof LOST

/**
 * Takes a group that begins with this batch, again when it met another transaction that added the same rows, e.g. the holder of the lane of wide
 * batches; or the batch alone when PostgreSQL refuses the group.
 */
async function takeGroup(db: Database, first: WaitingBatch, call: Call): Promise<Outcome> {
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
