import { sql } from 'kysely'
import type { ProductVersion } from '../../admission/product.ts'
import { audit } from '../audit/audit-entry.ts'
import { countedUpsert, upsertOf } from '../catalog/catalog-product.ts'
import { crossAlerts, STOCK_BEFORE, type StockBefore } from '../catalog/product-effects.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { onlyRow } from '../database/rows.ts'
import { inTransaction } from '../database/transaction.ts'
import type { Call } from '../log/call.ts'

export interface TopicPartition {
  topic: string
  partition: number
}

export interface PartitionOffset extends TopicPartition {
  /** The first offset that is not stored. */
  next: bigint
}

/** How a batch moves the offset of a partition. */
export interface OffsetMove extends PartitionOffset {
  /** What it was when the batch was made. */
  before: bigint
}

/** Another consumer has moved an offset, or an operator. The transaction must be rolled back, and the offsets read again. */
export class FencedError extends Error {
  constructor(moves: readonly OffsetMove[]) {
    const names = moves.map(({ topic, partition, before }) => `${topic}/${partition} at ${before}`)
    super(`the offsets are no longer those of this consumer: ${names.join(', ')}`)
  }
}

/** The offsets of these partitions. A partition that was never read gets the offset of its first record. */
export async function readOffsets(db: Queryable, firsts: readonly PartitionOffset[]): Promise<PartitionOffset[]> {
  await sql`
    insert into kafka_offset (topic, partition, next_offset)
    select topic, partition, first from ${asTable(firsts.map(({ next, ...of }) => ({ ...of, before: next, next })))}
    order by topic collate "C", partition
    on conflict do nothing`.execute(db)
  const { rows } = await sql<TopicPartition & { next: string }>`
    select topic, partition, next_offset as next from kafka_offset join ${asTable(
      firsts.map(({ next, ...of }) => ({ ...of, before: next, next })),
    )} using (topic, partition)`.execute(db)
  return rows.map(({ next, ...of }) => ({ ...of, next: BigInt(next) }))
}

/** Moves the offsets. @throws FencedError unless each is where it was. */
export async function moveOffsets(tx: Queryable, moves: readonly OffsetMove[]): Promise<void> {
  const { rows } = await sql`with ${moveOf(moves)} select from moved`.execute(tx)
  if (rows.length !== moves.length) throw new FencedError(moves)
}

/**
 * Moves the offsets and upserts products by one statement, because batches of 100 took a tenth longer with a round trip for each, and for
 * the beginning and the end of the transaction. @returns how many products changed. @throws FencedError unless each offset is where it
 * was; nothing is changed then.
 */
export async function moveOffsetsAndUpsert(
  db: Queryable,
  moves: readonly OffsetMove[],
  call: Call,
  versions: readonly ProductVersion[],
): Promise<number> {
  const condition = areLocked(moves)
  const hasTriggers = !(await isDistributed(db))
  const move = async (tx: Queryable): Promise<number> => {
    const result = await sql<{ moved: number; changed: number; before: StockBefore | null }>`
      with ${moveOf(moves)}, ${upsertOf(call, versions, { condition, hasTriggers })},
        ${countedUpsert(call, { versions: versions.length, rejected: 0 }, condition)}
      select (select count(*) from moved)::int as moved, (select count(*) from changed)::int as changed,
        ${hasTriggers ? sql`null` : STOCK_BEFORE} as before`.execute(tx)
    const { moved, changed, before } = onlyRow(result)
    if (moved !== moves.length) throw new FencedError(moves)
    if (before !== null) await crossAlerts(tx, before)
    return changed
  }
  return hasTriggers ? move(db) : inTransaction(db, move)
}

/** Moves all offsets or none. They are locked in key order, so that two consumers cannot deadlock. */
function moveOf(moves: readonly OffsetMove[]) {
  return sql`
    locked as (
      select o.topic, o.partition, m.next from kafka_offset o join ${asTable(moves)} using (topic, partition)
      where o.next_offset = m.first order by o.topic, o.partition for update of o
    ), moved as (
      update kafka_offset o set next_offset = locked.next, moved_at = now() from locked
      where o.topic = locked.topic and o.partition = locked.partition and ${areLocked(moves)}
      returning 1
    )`
}

/** Whether each offset is where it was, and locked. */
function areLocked(moves: readonly OffsetMove[]) {
  return sql`(select count(*) from locked) = ${moves.length}::int`
}

function asTable(moves: readonly OffsetMove[]) {
  return sql`unnest(
    ${moves.map(({ topic }) => topic)}::text[], ${moves.map(({ partition }) => partition)}::int[],
    ${moves.map(({ before }) => String(before))}::bigint[], ${moves.map(({ next }) => String(next))}::bigint[])
    as m(topic, partition, first, next)`
}

export interface StoredOffset extends PartitionOffset {
  movedAt: Date
}

/** Every offset, by topic and partition. */
export async function storedOffsets(db: Queryable): Promise<StoredOffset[]> {
  const { rows } = await sql<TopicPartition & { next: string; movedAt: Date }>`
    select topic, partition, next_offset as next, moved_at as "movedAt" from kafka_offset order by topic, partition`.execute(db)
  return rows.map(({ next, ...row }) => ({ ...row, next: BigInt(next) }))
}

/** Moves an offset for an operator, whatever reads the partition now: that consumer is fenced, and goes on from here. */
export async function seek(db: Database, { topic, partition, next }: PartitionOffset, actor: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ next: string }>`
      select next_offset as next from kafka_offset where topic = ${topic} and partition = ${partition} for update`.execute(tx)
    await sql`
      insert into kafka_offset (topic, partition, next_offset, moved_at) values (${topic}, ${partition}, ${String(next)}, now())
      on conflict (topic, partition) do update set next_offset = excluded.next_offset, moved_at = excluded.moved_at`.execute(tx)
    const metadata = { from: rows[0]?.next ?? null, to: String(next) }
    await audit(tx, { actor, action: 'kafka.seek', resourceType: 'kafka_offset', resourceId: `${topic}/${partition}`, metadata })
  })
}
