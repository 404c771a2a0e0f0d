import type { Database } from '../database/connection.ts'
import type { BatchBounds, BatchRef } from './batch.ts'
import { waitForBatch } from './batch-lock.ts'
import { type GroupSize, LOCKED, NOTHING } from './group.ts'
import { leftToHolder, refuse, retire } from './holder.ts'
import { type Call, type LaneWork, takeGroup } from './lane.ts'
import { ALL_SLOTS } from './slots.ts'
import { doesOldWait, firstWaiting, type Look, LOST, stateOf, type WaitingBatch } from './waiting.ts'
import { isWide } from './wide.ts'

/** What a call took, and what it leaves to other messages. */
export interface Taken extends GroupSize {
  /** The batch with which another message goes on. */
  next?: BatchBounds
  /** Batches that PostgreSQL refused or that were locked. */
  left?: BatchBounds[]
  /** Those of them that were locked. */
  locked?: BatchBounds[]
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
 * again, which fails alone, or waits for the lock without holding a lane. When it has waited and then finds a lane held, it comes again later, because the
 * holder may have left the batch out. A holder that left a locked batch out also sends that batch a message that comes ten seconds later or more, because the
 * one that it sends at once may find the lane held by another holder that leaves the batch out too.
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
  const locked: BatchBounds[] = []
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
      locked.push(boundsOf(next))
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
    ...(locked.length > 0 && { locked }),
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
