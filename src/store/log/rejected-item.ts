import { sql } from 'kysely'
import {
  type RejectedCode,
  type RejectedInteraction,
  rejectedIdOf,
  type RejectedKey,
  type RejectedResponse,
} from '../../contract/rejected.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { KIND_WITHOUT_BATCH } from './kind.ts'

/** A hundred items may have 16 MiB each. A page ends before its items exceed this size, and has at least one item. */
const PAGE_BYTES_MAX = 16 * 1024 * 1024

interface RejectedPage {
  limit: number
  after: RejectedKey | undefined
  /** Includes replayed items. */
  replayed: boolean
  /** Only webhooks that adapters ignored, instead of all others. */
  ignored?: boolean
}

/** Ignored webhooks are listed, counted and replayed apart, because nothing is wrong with most of them. */
const isIgnored = (ignored: boolean) => (ignored ? sql`code = 'ignored'` : sql`code <> 'ignored'`)

/** Newest first: ordered by batch and place, which is the order of an index. */
export async function rejectedPage(
  db: Queryable,
  { limit, after, replayed, ignored = false }: RejectedPage,
): Promise<RejectedResponse> {
  const open = replayed ? sql`true` : sql`replayed_at is null`
  const beyond = after === undefined ? sql`true` : sql`(batch_id, index) < (${after.batch_id}::bigint, ${after.index}::int)`
  const { rows } = await sql<RejectedRow & { candidates: number }>`
    select ${COLUMNS}, r.candidates from (
      select *, row_number() over newest_first as place, sum(octet_length(item)) over newest_first as bytes,
        (count(*) over ())::int as candidates
      from (
        select batch_id, index, code, field, message, item, cut_from_bytes, replayed_at from rejected_interaction
        where ${open} and ${isIgnored(ignored)} and ${beyond} order by batch_id desc, index desc limit ${limit + 1}) candidate
      window newest_first as (order by batch_id desc, index desc)
    ) r join interaction_batch b on b.batch_id = r.batch_id
    where r.place = 1 or r.bytes <= ${PAGE_BYTES_MAX}
    order by r.batch_id desc, r.index desc`.execute(db)
  const shown = rows.slice(0, limit)
  const last = shown.length < (rows[0]?.candidates ?? 0) ? shown.at(-1) : undefined
  return {
    data: shown.map(toRejected),
    meta: { next_cursor: last ? encodeCursor(REJECTED, [last.batchId, String(last.index)]) : null },
  }
}

/** One rejected event; undefined when the id does not exist. */
export async function rejectedInteraction(db: Queryable, key: RejectedKey): Promise<RejectedInteraction | undefined> {
  const { rows } = await sql<RejectedRow>`
    select ${COLUMNS} from rejected_interaction r join interaction_batch b on b.batch_id = r.batch_id
    where r.batch_id = ${key.batch_id}::bigint and r.index = ${key.index}::int`.execute(db)
  return rows[0] && toRejected(rows[0])
}

/**
 * How many events of each code and kind were not replayed, the most frequent first. Ignored webhooks are left out. Reads all of these events,
 * and the batch of the newest of each row.
 */
export async function rejectedCodes(db: Queryable): Promise<RejectedCode[]> {
  const { rows } = await sql<Omit<RejectedCode, 'newest_at'> & { newestAt: Date }>`
    select c.code, c.kind, c.count, c.replayable, b.received_at as "newestAt" from (
      select r.code, ${KIND_WITHOUT_BATCH} as kind, count(*)::int as count,
        (count(*) filter (where r.cut_from_bytes is null and r.kind is distinct from 'webhook'))::int as replayable,
        max(r.batch_id) as newest
      from rejected_interaction r where r.replayed_at is null and r.${isIgnored(false)} group by 1, 2
    ) c join interaction_batch b on b.batch_id = c.newest
    order by c.count desc, c.code, c.kind`.execute(db)
  return rows.map(({ newestAt, ...row }) => ({ ...row, newest_at: newestAt.toISOString() }))
}

/** Items that can be replayed and were not yet, oldest first. An item that is rejected again goes to the end. */
export async function openRejected(db: Queryable, limit: number, ignored = false): Promise<RejectedKey[]> {
  const { rows } = await sql<RejectedKey>`
    select batch_id, index from rejected_interaction where replayed_at is null and cut_from_bytes is null and ${isIgnored(ignored)}
    order by batch_id, index limit ${limit}`.execute(db)
  return rows
}

/** How many items can be replayed and were not yet. */
export async function countOpenRejected(db: Queryable, ignored = false): Promise<number> {
  const result = await sql<{ n: number }>`
    select count(*)::int as n from rejected_interaction
    where replayed_at is null and cut_from_bytes is null and ${isIgnored(ignored)}`.execute(db)
  return onlyRow(result).n
}

const REJECTED = 'rejected'

/** The position of a cursor; undefined for a text that is no cursor of this list. */
export function rejectedPositionOf(cursor: string): RejectedKey | undefined {
  const [batchId = '', index = ''] = decodeCursor(REJECTED, cursor) ?? []
  return /^\d{1,18}$/.test(batchId) && /^\d{1,9}$/.test(index) ? { batch_id: batchId, index: Number(index) } : undefined
}

/** The item as it was sent. It is stored as text, because jsonb does not accept all JSON. A text that is no JSON is returned as it is. */
export function itemOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

interface RejectedRow {
  batchId: string
  index: number
  receivedAt: Date
  code: string
  field: string | null
  message: string
  item: string
  cutFromBytes: number | null
  replayedAt: Date | null
}

const COLUMNS = sql`r.batch_id as "batchId", r.index, b.received_at as "receivedAt", r.code, r.field, r.message, r.item,
  r.cut_from_bytes as "cutFromBytes", r.replayed_at as "replayedAt"`

function toRejected({ batchId, index, receivedAt, code, field, message, ...row }: RejectedRow): RejectedInteraction {
  return {
    id: rejectedIdOf({ batch_id: batchId, index }),
    batch_id: batchId,
    index,
    received_at: receivedAt.toISOString(),
    code,
    field,
    message,
    item: itemOf(row.item),
    cut_from_bytes: row.cutFromBytes,
    replayed_at: row.replayedAt?.toISOString() ?? null,
  }
}
