import type { Database } from '../database/connection.ts'
import type { BatchRef } from './batch.ts'

/** A message of this process that works in the only lane. */
export interface Holder {
  /** Whether it takes a batch when it looks the next time. */
  takes: (batch: BatchRef) => boolean
  /** Whether a message has left its batch to this one since this one last began to look. */
  isAsked: boolean
}

/** By database, and by what they do. */
const holders = new WeakMap<Database, Map<string, Holder>>()

/**
 * Leaves a batch to the message of this process that works in the only lane, which then looks once more before it ends. So most messages of a busy process
 * need no statement.
 * @returns false when there is none that takes it.
 */
export function leftToHolder(db: Database, work: string, batch: BatchRef): boolean {
  const holder = holders.get(db)?.get(work)
  if (holder === undefined || !holder.takes(batch)) return false
  holder.isAsked = true
  return true
}

/** From now on batches are left to it. It must look for them, and retire in the same tick in which it knows that it is not asked. */
export function holdFor(db: Database, work: string, holder: Holder): void {
  const ofDatabase = holders.get(db) ?? new Map<string, Holder>()
  holders.set(db, ofDatabase.set(work, holder))
}

export function retire(db: Database, work: string, holder: Holder): void {
  const ofDatabase = holders.get(db)
  if (ofDatabase?.get(work) === holder) ofDatabase.delete(work)
}
