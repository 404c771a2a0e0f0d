import { sql } from 'kysely'
import { kindsWith, type KindWith } from '../../contract/kinds.ts'
import type { BatchBounds } from './batch.ts'
import { KIND_OF_BATCH } from './kind.ts'
import type { Queryable } from '../database/connection.ts'
import { isDataError } from '../database/sql-state.ts'

/** Limits of a group. They keep its transaction, and so the locks on hot products, well under a second. */
export const GROUP_BATCHES_MAX = 64
const GROUP_EVENTS_MAX = 16_000

/** Repeats a failed group with its first batch alone, because a batch that cannot be counted must not block the others. */
export async function inGroupOrAlone<T>(work: (othersMax: number) => Promise<T>): Promise<T> {
  try {
    return await work(GROUP_BATCHES_MAX - 1)
  } catch (error) {
    if (!isDataError(error)) throw error
    return work(0)
  }
}

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
  events: number
  from: string
  to: string
  kinds: Set<BatchedKind>
}

/**
 * Locks the own batch, then other waiting batches that no transaction holds. Because it waits for its own batch alone, two groups
 * never wait for each other. It leaves kinds that only the release after this one knows, because it would mark them without counting
 * them. @returns undefined when the own batch is done.
 */
export async function claimGroup(
  tx: Queryable,
  own: BatchBounds,
  { done, othersMax }: { done: 'scored_at' | 'fed_at'; othersMax: number },
): Promise<Group | undefined> {
  const claimed = await sql<{ isDone: boolean; events: number; kind: BatchedKind }>`
    select ${sql.ref(done)} is not null as "isDone", events, ${KIND_OF_BATCH} as kind from interaction_batch b
    where batch_id = ${own.batchId} for update`.execute(tx)
  const batch = claimed.rows[0]
  if (batch === undefined) throw new Error(`there is no batch ${own.batchId}`)
  if (batch.isDone) return undefined
  const { rows: others } = await sql<{ batchId: string; from: Date; to: Date; events: number; kind: BatchedKind }>`
    select batch_id as "batchId", occurred_from as "from", occurred_to as "to", events, ${KIND_OF_BATCH} as kind
    from interaction_batch b
    where ${sql.ref(done)} is null and batch_id <> ${own.batchId} and ${KIND_OF_BATCH} = any(${kindsWith('isBatched')}::text[])
    order by batch_id limit ${othersMax} for update skip locked`.execute(tx)
  const group: Group = { ids: [own.batchId], events: batch.events, from: own.from, to: own.to, kinds: new Set([batch.kind]) }
  for (const other of others) {
    if (group.events + other.events > GROUP_EVENTS_MAX) break
    group.events += other.events
    group.ids.push(other.batchId)
    group.kinds.add(other.kind)
    if (other.from.toISOString() < group.from) group.from = other.from.toISOString()
    if (other.to.toISOString() > group.to) group.to = other.to.toISOString()
  }
  return group
}
