import { sql } from 'kysely'
import { kindsWith } from '../../contract/kinds.ts'
import type { Queryable } from '../database/connection.ts'
import type { BatchBounds, BatchRef } from './batch.ts'
import { type Call, callIdOf } from './call.ts'
import { KIND_OF_BATCH } from './kind.ts'
import { ALL_SLOTS, slotsValue } from './slots.ts'
import { WIDE_MS } from './wide.ts'

/** The most batches of a group. */
export const GROUP_BATCHES_MAX = 64
/** How far the numbers of a group's batches are from that of its first one. To look at 50,000 waiting batches takes 12 ms, and at 2,000 1 ms. */
export const NUMBERS_MAX = 1_000

/** The column that is set when a batch is counted, or fed to the profiles. */
export type Done = 'scored_at' | 'fed_at'

/**
 * A batch that a message names and the log does not have. PostgreSQL gives ids again after it went back to an earlier state, e.g. by a
 * failover that lost commits, so its id may be that of another call's batch.
 */
export const LOST = 'lost'

/**
 * The slots of a batch b that wait. Counting has the slots of products. Feeding takes batches whole, so that a batch waits in one slot, because few transactions
 * feed the same row.
 */
export const WAITING: Record<Done, ReturnType<typeof sql>> = {
  scored_at: sql`case when b.scored_at is null then coalesce(b.product_slots, ${slotsValue(ALL_SLOTS)}) & ~b.counted_slots else 0 end`,
  fed_at: sql`case when b.fed_at is null then 1::bigint << (b.batch_id & 63)::int else 0 end`,
}

/** Batches that a call has tried, and takes along with no other, by their numbers. */
export type Left = Pick<ReadonlyMap<string, unknown>, 'size' | 'keys'>

export function isToTake(left: Left): ReturnType<typeof sql> {
  const isKnown = sql`${KIND_OF_BATCH} = any(${kindsWith('isBatched')}::text[])`
  return left.size === 0 ? isKnown : sql`${isKnown} and b.batch_id <> all(${[...left.keys()]}::bigint[])`
}

/** A batch of the log, and which of its slots wait. */
export interface WaitingBatch extends BatchBounds {
  waiting: bigint
  /** How many events the first waiting batches have together. */
  eventsAhead: number
}

/** The batch of a message, and the number of lanes. @returns LOST when the log does not have the batch. */
export async function stateOf(
  db: Queryable,
  own: BatchRef,
  done: Done,
): Promise<{ batch: WaitingBatch; lanes: number } | typeof LOST> {
  const { rows } = await sql<StoredState & { lanes: number }>`
    select ${STATE_COLUMNS}, ${WAITING[done]} as waiting, ${eventsAhead({ done, from: own })} as "eventsAhead", ${LANES} as lanes from interaction_batch b where batch_id = ${own.batchId}`.execute(
    db,
  )
  const row = rows[0]
  return row === undefined || !isOf(own, row) ? LOST : { batch: waitingBatchOf(row), lanes: row.lanes }
}

/** What a call looks for among the waiting batches. */
export interface Look {
  done: Done
  /** Whether it looks for wide batches, or for the others. */
  isWide: boolean
  left: Left
  /** The batch from which on it looks, and from as many numbers before. */
  from: BatchRef
}

/**
 * The first batch, by its number, in which another slot than these waits. It does not look at all that wait, because it would
 * read the index entries of all batches that were taken since the last vacuum: 100,000 of them, beside an old snapshot, took 89 ms on a busy machine.
 */
export async function firstWaiting(db: Queryable, look: Look, except: bigint): Promise<WaitingBatch | undefined> {
  const { rows } = await sql<StoredState>`
    select ${STATE_COLUMNS}, ${WAITING[look.done]} as waiting, ${eventsAhead(look)} as "eventsAhead" from interaction_batch b
    where ${isLookedAt(look)} and ${WAITING[look.done]} & ${slotsValue(~except)} <> 0
    order by batch_id limit 1`.execute(db)
  return rows[0] && waitingBatchOf(rows[0])
}

/** Whether a batch waits whose number is so far from the newest one that the holder of a lane may not look for it. */
export async function doesOldWait(db: Queryable, look: Look): Promise<boolean> {
  const { rows } = await sql<{ isOld: boolean }>`
    select batch_id < (select max(batch_id) from interaction_batch) - ${NUMBERS_MAX} as "isOld" from interaction_batch b
    where ${isLookedAt(look)} order by batch_id limit 1`.execute(db)
  return rows[0]?.isOld ?? false
}

function isLookedAt({ done, isWide, left, from }: Look): ReturnType<typeof sql> {
  return sql`${sql.ref(done)} is null and ${isFrom(from)} and (${IS_WIDE}) = ${isWide}::boolean and ${isToTake(left)}`
}

function isFrom({ batchId }: BatchRef): ReturnType<typeof sql> {
  return sql`batch_id >= ${batchId}::bigint - ${NUMBERS_MAX}`
}

function eventsAhead({ done, from }: Pick<Look, 'done' | 'from'>): ReturnType<typeof sql> {
  return sql`case when ${LANES} = 1 then 0 else (select coalesce(sum(w.events), 0)::int from (
    select events from interaction_batch where ${sql.ref(done)} is null and ${isFrom(from)}
    order by batch_id limit ${GROUP_BATCHES_MAX}) w) end`
}

/** The number of lanes, as a value. */
export const LANES = sql`coalesce((select lanes from popularity_rules), 1)`

/** Whether a batch is counted or fed; false when the log does not have it. */
export async function isTaken(db: Queryable, own: BatchRef, done: Done): Promise<boolean> {
  const { rows } = await sql<Call>`
    select invocation_id as "invocationId", body_sha256 as "bodySha256" from interaction_batch
    where batch_id = ${own.batchId} and ${sql.ref(done)} is not null`.execute(db)
  return rows.some((batch) => isOf(own, batch))
}

export function isOf({ call }: BatchRef, batch: Call): boolean {
  return call === undefined || call === callIdOf(batch)
}

export const WIDE = sql`make_interval(secs => ${WIDE_MS / 1_000})`
/** Whether a batch b is wide. */
export const IS_WIDE = sql`b.occurred_to - b.occurred_from > ${WIDE}`

interface StoredState extends Call {
  batchId: string
  from: Date
  to: Date
  waiting: string
  eventsAhead: number
}

const STATE_COLUMNS = sql`batch_id as "batchId", occurred_from as "from", occurred_to as "to", invocation_id as "invocationId",
  body_sha256 as "bodySha256"`

function waitingBatchOf({ batchId, from, to, waiting, eventsAhead, ...call }: StoredState): WaitingBatch {
  return { batchId, from: from.toISOString(), to: to.toISOString(), call: callIdOf(call), waiting: BigInt(waiting), eventsAhead }
}
