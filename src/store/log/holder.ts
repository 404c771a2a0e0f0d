import type { Database } from '../database/connection.ts'
import type { BatchRef } from './batch.ts'

/** A message of this process that works in the only lane. */
export interface Holder {
  own: BatchRef
  /** Whether it takes a batch when it looks the next time. */
  takes: (batch: BatchRef) => boolean
  /** Whether a message has left its batch to this one since this one last began to look. */
  isAsked: boolean
  /** When PostgreSQL last answered it, by performance.now(). */
  answeredMs: number
}

/** Nothing is left to a holder without an answer for so long, because the answer may never come. */
const SILENT_MS_MAX = 2_000
/** How many batches that a holder could not take are remembered. Beyond that, all are forgotten. */
const REFUSED_MAX = 1_000

interface Work {
  holder: Holder | undefined
  /** Batches that a holder could not take. Their own messages try them, and fail alone. */
  refused: Set<string>
}

const works = new WeakMap<Database, Map<string, Work>>()

function workOf(db: Database, name: string): Work {
  const ofDatabase = works.get(db) ?? new Map<string, Work>()
  works.set(db, ofDatabase)
  const work = ofDatabase.get(name) ?? { holder: undefined, refused: new Set() }
  ofDatabase.set(name, work)
  return work
}

/**
 * Leaves a batch to the message of this process that works in the only lane, which then looks once more before it ends, or passes its work on. So most
 * messages of a busy process need no statement. A repeated attempt of the holder's own message is not left to it, because the first attempt may still fail;
 * nor is a batch before its own, because it does not look as far back as the message of that batch.
 * @returns false when there is none that takes it.
 */
export function leftToHolder(db: Database, name: string, batch: BatchRef): boolean {
  const { holder, refused } = workOf(db, name)
  if (holder === undefined || refused.has(batch.batchId) || BigInt(batch.batchId) <= BigInt(holder.own.batchId)) return false
  if (performance.now() > holder.answeredMs + SILENT_MS_MAX || !holder.takes(batch)) return false
  holder.isAsked = true
  return true
}

/** Batches are left to it from now on. It must retire in the same tick in which it finds that nothing waits and that it was not asked. */
export function hold(db: Database, name: string, holder: Holder): void {
  workOf(db, name).holder = holder
}

export function retire(db: Database, name: string, holder: Holder): void {
  const work = workOf(db, name)
  if (work.holder === holder) work.holder = undefined
}

/** From now on the batch is left to no holder. */
export function refuse(db: Database, name: string, { batchId }: BatchRef): void {
  const { refused } = workOf(db, name)
  if (refused.size >= REFUSED_MAX) refused.clear()
  refused.add(batchId)
}
