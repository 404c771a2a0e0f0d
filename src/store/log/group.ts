import { sql } from 'kysely'
import { kindsWith, type KindWith } from '../../contract/kinds.ts'
import type { BatchRef } from './batch.ts'
import { type Call, callIdOf } from './call.ts'
import { KIND_OF_BATCH } from './kind.ts'
import type { Queryable } from '../database/connection.ts'
import { isWide, WIDE_MS } from './wide.ts'
import { isDataError } from '../database/sql-state.ts'

/** Limits of a group. They keep its transaction, and so the locks on hot products, well under a second. */
export const GROUP_BATCHES_MAX = 64
const GROUP_EVENTS_MAX = 16_000
/** How far from the number of its first batch those of a group are. To look at 50,000 waiting batches takes 12 ms, and at 2,000 1 ms. */
const NUMBERS_MAX = 1_000

/** The column that is set when a batch is counted, or fed to the profiles. */
type Done = 'scored_at' | 'fed_at'

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
  events: number
  from: Date
  to: Date
  kinds: Set<BatchedKind>
}

/**
 * Locks the batch that a message names, its own one, then other waiting batches that no transaction holds. Because it waits for its own
 * batch alone, two groups never wait for each other. It leaves kinds that only the release after this one knows, because it would mark
 * them without counting them. All bounds are those of the locked rows, and wide batches make groups of their own, so that the statements
 * of every other group are about at most two years.
 * @returns undefined when the own batch is done, and LOST when it is not there.
 */
export async function claimGroup(
  tx: Queryable,
  own: BatchRef,
  { done, othersMax }: { done: Done; othersMax: number },
): Promise<Group | undefined | typeof LOST> {
  const claimed = await sql<Waiting & Call & { isDone: boolean }>`
    select ${COLUMNS}, ${sql.ref(done)} is not null as "isDone", invocation_id as "invocationId", body_sha256 as "bodySha256"
    from interaction_batch b
    where batch_id = ${own.batchId} for update`.execute(tx)
  const batch = claimed.rows[0]
  if (batch === undefined || !isOf(own, batch)) return LOST
  if (batch.isDone) return undefined
  const { rows: others } = await sql<Waiting>`
    select ${COLUMNS} from interaction_batch b
    where ${sql.ref(done)} is null and batch_id <> ${own.batchId} and ${isNear(own)} and ${goesWith(batch)}
      and ${KIND_OF_BATCH} = any(${kindsWith('isBatched')}::text[])
    order by batch_id limit ${othersMax} for update skip locked`.execute(tx)
  const group: Group = { ids: [], events: 0, from: batch.from, to: batch.to, kinds: new Set() }
  for (const each of [batch, ...others]) {
    if (group.ids.length > 0 && group.events + each.events > GROUP_EVENTS_MAX) break
    group.events += each.events
    group.ids.push(each.batchId)
    group.kinds.add(each.kind)
    if (each.from < group.from) group.from = each.from
    if (each.to > group.to) group.to = each.to
  }
  return group
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
function isNear({ batchId }: BatchRef): ReturnType<typeof sql> {
  return sql`b.batch_id between ${batchId}::bigint - ${NUMBERS_MAX} and ${batchId}::bigint + ${NUMBERS_MAX}`
}

/** Whether a batch b may be of one group with this one: both are wide, or all of their events are within a year. */
function goesWith({ from, to }: Pick<Waiting, 'from' | 'to'>): ReturnType<typeof sql> {
  const wide = sql`make_interval(secs => ${WIDE_MS / 1_000})`
  return isWide({ from, to })
    ? sql`b.occurred_to - b.occurred_from > ${wide}`
    : sql`b.occurred_from >= ${to}::timestamptz - ${wide} and b.occurred_to <= ${from}::timestamptz + ${wide}`
}

/** A batch that waits to be counted or fed. */
interface Waiting {
  batchId: string
  from: Date
  to: Date
  events: number
  kind: BatchedKind
}

const COLUMNS = sql`batch_id as "batchId", occurred_from as "from", occurred_to as "to", events, ${KIND_OF_BATCH} as kind`
