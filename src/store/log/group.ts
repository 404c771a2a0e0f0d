import { sql } from 'kysely'
import type { KindWith } from '../../contract/kinds.ts'
import type { Queryable } from '../database/connection.ts'
import type { BatchRef } from './batch.ts'
import type { Call } from './call.ts'
import { KIND_OF_BATCH } from './kind.ts'
import { ALL_SLOTS, slotsValue } from './slots.ts'
import { type Done, IS_WIDE, isOf, isToTake, type Left, LOST, NUMBERS_MAX, WAITING, WIDE } from './waiting.ts'
import { isWide } from './wide.ts'

/** With GROUP_BATCHES_MAX it keeps a group's transaction, and so the locks on hot products, well under a second. */
const GROUP_EVENTS_MAX = 16_000

/** How much one transaction counted or fed. */
export interface GroupSize {
  batches: number
  events: number
}

export const NOTHING: GroupSize = { batches: 0, events: 0 }

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
