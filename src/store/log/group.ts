import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { kindsWith, type KindWith } from '../../contract/kinds.ts'
import type { BatchBounds, BatchRef } from './batch.ts'
import { type Call, callIdOf } from './call.ts'
import { KIND_OF_BATCH } from './kind.ts'
import type { Queryable } from '../database/connection.ts'
import { ALL_SLOTS, slotsValue } from './slots.ts'
import { isWide, WIDE_MS } from './wide.ts'

/** Limits of a group. They keep its transaction, and so the locks on hot products, well under a second. */
export const GROUP_BATCHES_MAX = 64
const GROUP_EVENTS_MAX = 16_000
/** How far from the number of its first batch those of a group are. To look at 50,000 waiting batches takes 12 ms, and at 2,000 1 ms. */
const NUMBERS_MAX = 1_000

/** The column that is set when a batch is counted, or fed to the profiles. */
export type Done = 'scored_at' | 'fed_at'

/** How much one transaction counted or fed. */
export interface GroupSize {
  batches: number
  events: number
}

export const NOTHING: GroupSize = { batches: 0, events: 0 }

/**
 * A batch that a message names and the log does not have. PostgreSQL gives ids again after it went back to an earlier state, e.g. by a
 * failover that lost commits, so its id may be that of another call's batch.
 */
export const LOST = 'lost'

export function sizeOf(group: Group): GroupSize {
  return { batches: group.ids.length, events: group.events }
}

type BatchedKind = KindWith<'isBatched'>

export interface Group {
  ids: string[]
  /** When the batches were received. */
  receivedAt: string[]
  events: number
  from: Date
  to: Date
  kinds: Set<BatchedKind>
  /** The slots of its lane that are not counted; undefined when the batches are taken whole. */
  slots?: bigint
}

/** Another transaction has locked the batch: an erasure, or a process of the release before that counts it. */
export const LOCKED = 'locked'

interface ClaimOptions {
  done: Done
  /** The slots of the lane. */
  slots: bigint
  othersMax: number
  left: Left
}

/**
 * Claims a waiting batch, then other waiting batches that no transaction has locked. It waits for no batch. It leaves kinds that only the release
 * after this one knows, because it would mark them without counting them. All bounds are those of the
 * claimed rows, and wide batches make groups of their own, so that the statements of every other group are about at most two years. In a group the
 * same slots of the lane are counted.
 *
 * The lane keeps other claims of the same work away. A batch is shared with counting in other lanes and with feeding, and locked against an erasure and a
 * process of the release before, until the transaction ends.
 * @returns undefined when nothing of the batch waits in the lane, and LOST when another call's batch has its id.
 */
export async function claimGroup(
  tx: Queryable,
  first: BatchRef,
  { done, slots, othersMax, left }: ClaimOptions,
): Promise<Group | undefined | typeof LOCKED | typeof LOST> {
  const { batchId } = first
  const waits = sql`${WAITING[done]} & ${slotsValue(slots)} <> 0`
  const counted = done === 'scored_at' ? sql`b.counted_slots & ${slotsValue(slots)}` : sql`0::bigint`
  const claimed = await sql<Waiting & Call & { isDone: boolean }>`
    select ${COLUMNS}, ${counted} as counted, not (${waits}) as "isDone", invocation_id as "invocationId", body_sha256 as "bodySha256"
    from interaction_batch b where batch_id = ${batchId} for key share skip locked`.execute(tx)
  const batch = claimed.rows[0]
  if (batch === undefined) return LOCKED
  if (!isOf(first, batch)) return LOST
  if (batch.isDone) return undefined
  const { rows: others } = await sql<Waiting>`
    select ${COLUMNS}, ${counted} as counted from interaction_batch b
    where ${sql.ref(done)} is null and ${waits} and ${counted} = ${batch.counted}::bigint
      and batch_id <> ${batchId} and ${isNear(batchId)} and ${goesWith(batch)} and ${isToTake(left)}
    order by batch_id limit ${othersMax} for key share skip locked`.execute(tx)
  const group = groupOf(batch, others)
  const isWhole = done === 'fed_at' || (slots === ALL_SLOTS && batch.counted === '0')
  return isWhole ? group : { ...group, slots: slots & ~BigInt(batch.counted) }
}

/**
 * Locks the claimed batches to mark them, in the order of their numbers, so that two transactions that mark the same batches do not deadlock. It comes
 * last, because the others wait from then on until the transaction ends.
 */
export async function lockToMark(tx: Queryable, { ids }: Group): Promise<void> {
  await sql`
    select from interaction_batch where batch_id = any(${ids}::bigint[]) order by batch_id for no key update`.execute(tx)
}

/** @throws when a batch was done already, so that none is taken twice: then the number of lanes changed, or the release before took it. */
export function mustHaveMarked({ ids }: Group, marked: number): void {
  if (marked !== ids.length) throw new Error(`${ids.length - marked} batches were taken by another transaction`)
}

/** The first batch with as many others as the limit allows. */
function groupOf(first: Waiting, others: readonly Waiting[]): Group {
  const group: Group = { ids: [], receivedAt: [], events: 0, from: first.from, to: first.to, kinds: new Set() }
  for (const each of [first, ...others]) {
    if (group.ids.length > 0 && group.events + each.events > GROUP_EVENTS_MAX) break
    group.events += each.events
    group.ids.push(each.batchId)
    group.receivedAt.push(each.receivedAt)
    group.kinds.add(each.kind)
    if (each.from < group.from) group.from = each.from
    if (each.to > group.to) group.to = each.to
  }
  return group
}

/**
 * The slots of a batch b that wait. Counting has the slots of products. Feeding takes batches whole, so that a batch waits in one slot, because few transactions
 * feed the same row.
 */
const WAITING: Record<Done, ReturnType<typeof sql>> = {
  scored_at: sql`case when b.scored_at is null then coalesce(b.product_slots, ${slotsValue(ALL_SLOTS)}) & ~b.counted_slots else 0 end`,
  fed_at: sql`case when b.fed_at is null then 1::bigint << (b.batch_id & 63)::int else 0 end`,
}

/** Batches that a call has tried, and takes along with no other, by their numbers. */
export type Left = Pick<ReadonlyMap<string, unknown>, 'size' | 'keys'>

function isToTake(left: Left): ReturnType<typeof sql> {
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
 * The waiting batch with the smallest number of which a slot waits that is not one of these. It does not look at all that wait, because it would
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

/** Waits until no transaction has locked a batch. */
export async function waitForBatch(db: Queryable, { batchId }: BatchRef): Promise<void> {
  await sql`select from interaction_batch where batch_id = ${batchId} for no key update`.execute(db)
}

const LOCK_POLL_MS = 10

/**
 * Locks batches against counting and feeding, in the order of their numbers. It tries again until it has all: to wait for one would make those that work
 * on it wait for this transaction when they mark it. They leave the batches that are locked, so it ends.
 * @param which a condition on batches b, which may hold for fewer of them when it tries again.
 */
export async function lockBatches(tx: Queryable, which: ReturnType<typeof sql>): Promise<void> {
  for (;;) {
    const { rows: locked } = await sql<{ batchId: string }>`
      select batch_id as "batchId" from interaction_batch b where ${which} order by batch_id for update skip locked`.execute(tx)
    const ids = locked.map(({ batchId }) => batchId)
    const { rows: others } = await sql`
      select from interaction_batch b where ${which} and batch_id <> all(${ids}::bigint[]) limit 1`.execute(tx)
    if (others.length === 0) return
    await sleep(LOCK_POLL_MS)
  }
}

/** Whether a batch is counted or fed; false when the log does not have it. */
export async function isTaken(db: Queryable, own: BatchRef, done: Done): Promise<boolean> {
  const { rows } = await sql<Call>`
    select invocation_id as "invocationId", body_sha256 as "bodySha256" from interaction_batch
    where batch_id = ${own.batchId} and ${sql.ref(done)} is not null`.execute(db)
  return rows.some((batch) => isOf(own, batch))
}

function isOf({ call }: BatchRef, batch: Call): boolean {
  return call === undefined || call === callIdOf(batch)
}

/**
 * Whether the numbers of this batch and of a batch b are near. A wide batch, or one of a rare year, would otherwise look for others like
 * it among all that wait, e.g. after an outage; and every batch would read the index entries of all batches that were taken since the last vacuum.
 */
function isNear(batchId: string): ReturnType<typeof sql> {
  return sql`b.batch_id between ${batchId}::bigint - ${NUMBERS_MAX} and ${batchId}::bigint + ${NUMBERS_MAX}`
}

/** Whether a batch b may be of one group with this one: both are wide, or all of their events are within a year. */
function goesWith({ from, to }: Pick<Waiting, 'from' | 'to'>): ReturnType<typeof sql> {
  return isWide({ from, to })
    ? IS_WIDE
    : sql`b.occurred_from >= ${to}::timestamptz - ${WIDE} and b.occurred_to <= ${from}::timestamptz + ${WIDE}`
}

const WIDE = sql`make_interval(secs => ${WIDE_MS / 1_000})`
/** Whether a batch b is wide. */
const IS_WIDE = sql`b.occurred_to - b.occurred_from > ${WIDE}`

/** A batch that waits to be counted or fed. */
interface Waiting {
  batchId: string
  receivedAt: string
  from: Date
  to: Date
  events: number
  kind: BatchedKind
  /** Its counted slots in the lane. */
  counted: string
}

const COLUMNS = sql`batch_id as "batchId", received_at::text as "receivedAt", occurred_from as "from", occurred_to as "to", events, ${KIND_OF_BATCH} as kind`

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
