import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { sql } from 'kysely'
import { kindsWith, type KindWith } from '../../contract/kinds.ts'
import { rejectedIdOf, type RejectedKey, type RejectedKind } from '../../contract/rejected.ts'
import type { Call } from './call.ts'
import type { Queryable } from '../database/connection.ts'
import { type InsertBatch, insertBatch, type Inserted } from './batch.ts'
import { KIND_OF_REJECTED } from './kind.ts'
import { itemOf } from './rejected-item.ts'
import type { LogRow } from '../../admission/rows.ts'
import { audit } from '../audit/audit-entry.ts'

/** What a replay needs: the item as it was sent, its time, and its call. It never changes. */
export interface RejectedItemToReplay {
  item: unknown
  receivedAtMs: number
  call: Call
  kind: RejectedKind
}

interface StoredItem {
  item: string
  cutFromBytes: number | null
  receivedAt: Date
  kind: RejectedKind
}

/** A rejected event; undefined when the id does not exist. @throws DecidedError (conflict) for an event that is not kept whole. */
export async function findRejectedItem(db: Queryable, key: RejectedKey): Promise<RejectedItemToReplay | undefined> {
  const { rows } = await sql<StoredItem & Call>`
    select r.item, r.cut_from_bytes as "cutFromBytes", b.received_at as "receivedAt", ${KIND_OF_REJECTED} as kind, b.invocation_id as "invocationId",
      b.body_sha256 as "bodySha256"
    from rejected_interaction r join interaction_batch b on b.batch_id = r.batch_id
    where r.batch_id = ${key.batch_id}::bigint and r.index = ${key.index}::int`.execute(db)
  const row = rows[0]
  if (row === undefined) return undefined
  const { item, cutFromBytes, receivedAt, kind, invocationId, bodySha256 } = row
  if (cutFromBytes !== null)
    throw new DecidedError(
      'conflict',
      `${rejectedIdOf(key)} cannot be replayed: of its ${cutFromBytes} bytes only the first were kept`,
    )
  return { item: itemOf(item), receivedAtMs: receivedAt.getTime(), kind, call: { invocationId, bodySha256 } }
}

/**
 * Inserts a batch that replays a rejected event and marks it as replayed, in one transaction. A lock on its row makes two replays
 * take turns, and the second one finds the mark of the first. A repeated attempt finds its own batch in the mark and changes nothing.
 * @throws DecidedError (conflict) when the mark names the batch of another call.
 */
export function insertReplayOf(key: ReplayOf) {
  return <Row extends LogRow>(
    ...[db, table, call, rows, rejections, tombstoneNo]: Parameters<InsertBatch<Row>>
  ): Promise<Inserted> =>
    db.transaction().execute(async (tx) => {
      await lockUnlessReplayed(tx, key, call)
      const inserted = await insertBatch(tx, table, call, rows, rejections, tombstoneNo)
      await markReplayed(tx, key, call)
      return inserted
    })
}

/** The item that is replayed, and the actor that replays it. */
export interface ReplayOf extends RejectedKey {
  actor: string
}

/** Marks an item as replayed by the call's batch. */
export async function markReplayed(tx: Queryable, key: ReplayOf, call: Call): Promise<void> {
  const { numAffectedRows } = await sql`
    update rejected_interaction r set replayed_at = now(), replay_batch_id = b.batch_id
    from interaction_batch b
    where r.batch_id = ${key.batch_id}::bigint and r.index = ${key.index}::int and r.replayed_at is null
      and b.invocation_id = ${call.invocationId} and b.body_sha256 = ${call.bodySha256}`.execute(tx)
  if (!numAffectedRows) return
  const resourceId = rejectedIdOf(key)
  await audit(tx, { actor: key.actor, action: 'rejected.replay', resourceType: 'rejected_interaction', resourceId })
}

/** A recorded callback as the list has it: the rest of it that did not count. */
export interface ListedCallback {
  provider: string
  callbackId: string
  message: string
}

/** The newest open entries that are looked through. Entries beyond them stay until they are replayed. */
const SETTLED_AMONG = 10_000

/**
 * Marks the entries of callbacks as replayed by the call's batch, because what they say is no longer so. Leaves entries that are being
 * replayed, whose lock comes before those of payments.
 */
export async function settleRejected(tx: Queryable, call: Call, listed: readonly ListedCallback[]): Promise<void> {
  if (listed.length === 0) return
  await sql`
    with newest as (
      select batch_id, index from rejected_interaction where replayed_at is null
      order by batch_id desc, index desc limit ${SETTLED_AMONG}
    ), payment as materialized (
      select r.batch_id, r.index, r.message, r.item::json as item from newest join rejected_interaction r using (batch_id, index)
      where r.code = 'refused' and r.cut_from_bytes is null and (r.kind = 'payment' or r.kind is null and r.is_payment)
        and r.message = any(${listed.map(({ message }) => message)}::text[])
    ), settled as (
      select r.batch_id, r.index from payment p join rejected_interaction r using (batch_id, index)
        join unnest(${listed.map(({ provider }) => provider)}::text[], ${listed.map(({ callbackId }) => callbackId)}::text[],
          ${listed.map(({ message }) => message)}::text[]) as l (provider, callback_id, message)
          on (p.item ->> 'provider', p.item ->> 'callback_id', p.message) = (l.provider, l.callback_id, l.message)
      where r.replayed_at is null for update of r skip locked
    )
    update rejected_interaction r set replayed_at = now(), replay_batch_id = b.batch_id
    from settled s, interaction_batch b
    where r.batch_id = s.batch_id and r.index = s.index and b.batch_id <> r.batch_id
      and b.invocation_id = ${call.invocationId} and b.body_sha256 = ${call.bodySha256}`.execute(tx)
}

/**
 * The lock is a statement of its own, because only the next statement sees what was committed while it waited.
 * @throws DecidedError (not found) when the event was deleted since it was read: its replay would not be in the audit trail.
 */
export async function lockUnlessReplayed(tx: Queryable, key: RejectedKey, call: Call): Promise<void> {
  const locked = await sql`
    select from rejected_interaction
    where batch_id = ${key.batch_id}::bigint and index = ${key.index}::int for update`.execute(tx)
  if (locked.rows.length === 0) throw notFound(`there is no rejected event ${rejectedIdOf(key)}`)
  const { rows } = await sql<Replay>`
    select r.replayed_at as "replayedAt", b.batch_id as "batchId", n.index as "rejectedIndex", b.occurred_from as "from", b.occurred_to as "to"
    from rejected_interaction r join interaction_batch b on b.batch_id = r.replay_batch_id
      left join rejected_interaction n on n.batch_id = b.batch_id
    where r.batch_id = ${key.batch_id}::bigint and r.index = ${key.index}::int
      and (b.invocation_id <> ${call.invocationId} or b.body_sha256 <> ${call.bodySha256})`.execute(tx)
  const replay = rows[0]
  if (replay === undefined) return
  const isAccepted = (await Promise.all(kindsWith('isBatched').map((kind) => hasRows(tx, kind, replay)))).includes(true)
  throw new DecidedError('conflict', sentenceOf(key, replay, isAccepted))
}

/** Whether a batch has a row in a table of the log. */
async function hasRows(tx: Queryable, table: KindWith<'isBatched'>, { batchId, from, to }: Replay): Promise<boolean> {
  const { rows } = await sql`
    select from ${sql.table(table)} where batch_id = ${batchId} and occurred_at between ${from} and ${to} limit 1`.execute(tx)
  return rows.length > 0
}

interface Replay {
  replayedAt: Date
  batchId: string
  rejectedIndex: number | null
  from: Date
  to: Date
}

function sentenceOf(key: RejectedKey, { replayedAt, batchId, rejectedIndex }: Replay, isAccepted: boolean): string {
  const refused = rejectedIndex === null ? undefined : rejectedIdOf({ batch_id: batchId, index: rejectedIndex })
  const outcome = isAccepted ? 'accepted' : refused === undefined ? 'a duplicate' : `refused again as ${refused}`
  return `${rejectedIdOf(key)} was replayed already, at ${replayedAt.toISOString()}: ${outcome}`
}
