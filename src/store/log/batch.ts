import { sql } from 'kysely'
import { keptItemOf } from '../../admission/kept-item.ts'
import { KINDS } from '../../contract/kinds.ts'
import { type Call, callIdOf } from './call.ts'
import type { Queryable, Database } from '../database/connection.ts'
import type { LogTable } from './log-table.ts'
import { makePartitions, monthOf } from './month.ts'
import { findRejected } from './bisection.ts'
import type { LogRow, NewRejection, Rejection } from '../../admission/rows.ts'
import { isDataError, isDuplicateKey, isMissingPartition } from '../database/sql-state.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { onlyRow } from '../database/rows.ts'
import { hadDuplicates, noteDuplicates } from './duplicates-seen.ts'
import { ingestDeltaOf } from './ingest.ts'
import { erasedItems, shopperIdsOfCall } from './erased-items.ts'
import { isNewerThan, NONE, type Tombstones, WITHOUT_KEY } from './tombstone.ts'

/** A recorded batch and the first and last instant of its events, as RFC 3339 in UTC. */
export interface BatchBounds extends BatchRef {
  from: string
  to: string
}

/** A batch as messages name it. */
export interface BatchRef {
  batchId: string
  /** The call that recorded it, as `callIdOf` gives it. */
  call?: string | undefined
}

export interface RecordedBatchResult extends BatchBounds {
  accepted: number
  duplicateIndexes: number[]
  /** The rows that PostgreSQL rejected, without the rejections of the caller. */
  rejected: Rejection[]
  /** Whether this attempt inserted the batch: true for one of all attempts. */
  isNew: boolean
}

/** Claims the call's batch and inserts its rows, all or none. Repeating it inserts nothing more. */
export type InsertBatch<Row extends LogRow> = (
  db: Database,
  table: LogTable<Row>,
  call: Call,
  rows: readonly Row[],
  rejections: readonly NewRejection[],
  tombstoneNo: string,
  options?: { expectsDuplicates?: boolean },
) => Promise<Inserted>

export interface Inserted {
  /** How many rows were new. */
  inserted: number
  /** Whether the batch was new. */
  isNew: boolean
  /** Whether nothing was inserted because a person was erased since the tombstones were looked up. */
  isOutdated: boolean
}

/** Making partitions, finding rejected rows, new tombstones, and duplicates that were not expected each cost one more attempt. More than a few mean a fault. */
const ATTEMPTS_MAX = 8

/**
 * Records a call's rows in a table of the log once, however many attempts of the call run and overlap, and answers which rows were
 * new. Rows that PostgreSQL rejects are rejected one by one and never hold up the others. Rows of erased persons are recorded under
 * pseudonyms.
 */
export async function recordRows<Row extends LogRow>(
  db: Database,
  table: LogTable<Row>,
  call: Call,
  items: readonly Row[],
  rejections: readonly NewRejection[],
  insert: InsertBatch<Row> = insertBatch,
  tombstones: Tombstones = WITHOUT_KEY,
): Promise<RecordedBatchResult> {
  const shopperIds = () => shopperIdsOfCall(items, rejections)
  let checked = await tombstones.check(db, shopperIds())
  let rows = items
  let expectsDuplicates = hadDuplicates(db)
  const rejected = [...rejections]
  for (let attempt = 1; ; attempt++) {
    try {
      const erased = erasedItems(checked, rows, rejected)
      const { inserted, isNew, isOutdated } = await insert(db, table, call, erased.rows, erased.rejections, checked.tombstoneNo, {
        expectsDuplicates,
      })
      if (isOutdated) {
        checked = await tombstones.check(db, shopperIds(), true)
        continue
      }
      const rejectedBefore = new Set(rejections.map((rejection) => rejection.index))
      const areAllInserted = inserted === items.length
      const result = await readBatch(db, table, call, items, { rejectedBefore, areAllInserted, isNew })
      noteDuplicates(db, result.duplicateIndexes.length > 0)
      return { ...result, isNew }
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) throw error
      if (isDuplicateKey(error) && !expectsDuplicates) {
        expectsDuplicates = true
      } else if (isMissingPartition(error)) {
        await makePartitions(db, await monthsToMake(db, rows), [table.kind])
      } else if (isDataError(error)) {
        // A trial insert must not fail because a month is missing as well.
        await makePartitions(db, await monthsToMake(db, rows), [table.kind])
        const found = await findRejected(db, table, rows)
        if (found.length === 0) throw error
        const indexes = new Set(found.map((rejection) => rejection.index))
        rejected.push(...found)
        rows = rows.filter((row) => !indexes.has(row.index))
      } else {
        throw error
      }
    }
  }
}

/**
 * Claims the call's batch and inserts its rows in one statement. A call that has its batch already inserts nothing. Rows are inserted
 * in the order of the primary key, because two batches with common ids would otherwise deadlock. Each row gets the category and the
 * brand of its product. The rows must be those of `erasedItems` for this number of the newest tombstone; `isFenced` says that the
 * transaction locked the table before it looked up the tombstones. `isCounted` is false where the caller counts the items that came in.
 * Without `expectsDuplicates` it fails with 23505 when an event is in the log already; PostgreSQL then writes the rows without looking for
 * conflicts first, which takes 48 bytes less of its own log per event.
 * @returns how many rows were new: 0 when the batch existed before.
 */
export async function insertBatch<Row extends LogRow>(
  db: Queryable,
  table: LogTable<Row>,
  call: Call,
  rows: readonly Row[],
  rejections: readonly NewRejection[],
  tombstoneNo: string = NONE,
  { isFenced = false, isCounted = true, expectsDuplicates = true } = {},
): Promise<Inserted> {
  const events = rows.reduce((sum, row) => sum + table.eventsOf(row), 0)
  // A kind that is not fed to profiles counts as fed.
  const fedAt = KINDS[table.kind].isFed ? sql`null::timestamptz` : sql`now()`
  const kept = rejections.map(keptItemOf)
  const rejectedKind = table.rejectedKind ?? table.kind
  const isOutdated = isFenced ? sql`false` : isNewerThan(tombstoneNo)
  const added = (await isDistributed(db)) ? table.added : undefined
  const counts = isCounted
    ? { items: sql`count(*)`, refused: sql`${rejections.length}::int + ${rows.length}::int - count(*)` }
    : { items: sql`null`, refused: sql`null` }
  const answer = await sql<Inserted>`
    with given as (${table.rowsAsTable(rows)}), claimed as (
      insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, kind, is_search, fed_at, tombstone_no,
        items, refused, product_slots)
      -- Bounds that include rejected events, or a far instant for an empty batch, would make a group read every month.
      select coalesce(min(occurred_at), now()), coalesce(max(occurred_at), now()),
        ${events}::int, ${call.invocationId}::text, ${call.bodySha256}::bytea, ${table.kind},
        ${table.kind === 'search'}::boolean, ${fedAt}, ${tombstoneNo}::bigint, ${counts.items}, ${counts.refused},
        coalesce(bit_or(${table.productSlots}), 1)
      from given where occurred_at >= (select horizon from log_horizon)
      having not ${isOutdated}
      on conflict (invocation_id, body_sha256) do nothing
      returning batch_id, items, refused
    ), inserted as (
      insert into ${sql.table(table.kind)} (${table.columns})
      select ${table.values(sql`claimed.batch_id`)}
      from given cross join claimed ${table.joins}
      where given.occurred_at >= (select horizon from log_horizon)
      order by given.occurred_at, given.event_id, given.index
      ${expectsDuplicates ? sql`on conflict (occurred_at, event_id) do nothing` : sql``}
      returning ${added?.columns ?? sql`1`}
    ), ${added === undefined ? sql`` : sql`added as (${added.insert}), `}rejected as (
      insert into rejected_interaction (batch_id, index, code, field, message, item, cut_from_bytes, kind, is_payment)
      select claimed.batch_id, r.index, r.code, r.field, r.message, r.item, r.cut_from_bytes, ${rejectedKind}, ${rejectedKind === 'payment'}::boolean
      from claimed cross join unnest(
        ${rejections.map((row) => row.index)}::int[], ${rejections.map((row) => row.code)}::text[],
        ${rejections.map((row) => row.field)}::text[], ${rejections.map((row) => row.message)}::text[],
        ${kept.map(({ text }) => text)}::text[], ${kept.map(({ cutFromBytes }) => cutFromBytes)}::int[])
        as r(index, code, field, message, item, cut_from_bytes)
      union all
      select claimed.batch_id, given.index, 'too_old', 'occurred_at',
        'is before the horizon ' || to_char(horizon, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ${table.itemJson}, null, ${table.kind}, false
      from claimed cross join given cross join log_horizon
      where given.occurred_at < horizon
    ), counted as (${ingestDeltaOf(sql`
      select i.rows as accepted, items - i.rows as duplicates, refused as rejected, ${table.kind}::text as kind
      from claimed cross join (select count(*)::int as rows from inserted) i where items + refused > 0`)}
    )
    select count(*)::int as inserted, exists (select from claimed) as "isNew", ${isOutdated} as "isOutdated" from inserted`.execute(
    db,
  )
  return onlyRow(answer)
}

/**
 * The outcome of a call's rows. It reads the table and not the answer of the insert, because a repeated or overlapping attempt inserts
 * nothing and must give the same answer as the first one.
 */
async function readBatch<Row extends LogRow>(
  db: Queryable,
  table: LogTable<Row>,
  call: Call,
  items: readonly Row[],
  { rejectedBefore, areAllInserted, isNew }: { rejectedBefore: ReadonlySet<number>; areAllInserted: boolean; isNew: boolean },
): Promise<Omit<RecordedBatchResult, 'isNew'>> {
  const batch = (await batchOf(db, call, { isRepeated: !isNew }))!
  if (areAllInserted) return { ...batch, accepted: items.length, duplicateIndexes: [], rejected: [] }

  const inserted = await sql<{ eventId: string; occurredAt: Date }>`
    select event_id as "eventId", occurred_at as "occurredAt" from ${sql.table(table.kind)}
    where batch_id = ${batch.batchId} and occurred_at between ${batch.from} and ${batch.to}`.execute(db)
  const stored = await sql<Rejection>`
    select index, code, field, message from rejected_interaction
    where batch_id = ${batch.batchId} order by index`.execute(db)
  const rejected = stored.rows.filter((row) => !rejectedBefore.has(row.index))
  const rejectedIndexes = new Set(rejected.map((row) => row.index))
  const unclaimed = new Set(inserted.rows.map((row) => `${row.occurredAt.getTime()} ${row.eventId}`))
  const duplicateIndexes = items
    .filter((row) => !rejectedIndexes.has(row.index) && !unclaimed.delete(`${row.occurredAtMs} ${row.eventId}`))
    .map((row) => row.index)
  const accepted = items.length - duplicateIndexes.length - rejected.length
  return { ...batch, accepted, duplicateIndexes, rejected }
}

/**
 * The batch of a call; undefined when the call has none. For a repeated attempt it waits until a synchronous standby has the batch: the first attempt
 * may have died while it waited for that. A row lock is written to the log, so its commit waits as any other.
 */
export async function batchOf(db: Queryable, call: Call, { isRepeated = false } = {}): Promise<BatchBounds | undefined> {
  const { rows } = await sql<{ batchId: string; from: Date; to: Date }>`
    select batch_id as "batchId", occurred_from as "from", occurred_to as "to"
    from interaction_batch where invocation_id = ${call.invocationId} and body_sha256 = ${call.bodySha256}
    ${isRepeated ? sql`for key share` : sql``}`.execute(db)
  const batch = rows[0]
  return batch && { batchId: batch.batchId, from: batch.from.toISOString(), to: batch.to.toISOString(), call: callIdOf(call) }
}

/** The months of the rows that are not before the horizon. */
export async function monthsToMake(db: Queryable, rows: readonly Pick<LogRow, 'occurredAtMs'>[]): Promise<string[]> {
  const result = await sql<{ horizon: Date }>`select horizon from log_horizon`.execute(db)
  const horizonMs = onlyRow(result).horizon.getTime()
  return rows.filter((row) => row.occurredAtMs >= horizonMs).map((row) => monthOf(row.occurredAtMs))
}
