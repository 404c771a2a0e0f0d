import { type RawBuilder, sql } from 'kysely'
import type { InteractionsRequest, InteractionsResponse, LoggedInteraction } from '../../contract/interaction-log.ts'
import { DecidedError, invalidField } from '../../contract/decided-error.ts'
import { EARLIEST_MS, HOUR_MS, instantOf, millisecondsOf } from '../../contract/fields/time.ts'
import { isUuid } from '../../contract/fields/uuid.ts'
import type { Queryable } from '../database/connection.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import { utc } from '../database/json.ts'

/** Runs one short read, in turn with those of other callers. */
type Read = <T>(work: (db: Queryable) => Promise<T>) => Promise<T>

/** Where the counted events of a product are, as an upper bound: the end of its newest cell before an instant; undefined for none. */
export type EndOfCellBefore = (db: Queryable, productId: string, beforeMs: number) => Promise<number | undefined>

/** Rows that one read looks at, some 30 ms, and all reads of a page. */
const SCANNED_ROWS = 20_000
const SCANS_MAX = 10
/** Events of the last hour are looked for in the log alone, because they may not be counted yet. */
const UNCOUNTED_MS = HOUR_MS

/** A place in the log: what follows is older. */
interface Position {
  atMs: number
  eventId: string
}

const FILTERS = {
  product_id: (value: string) => sql`not i.is_category and i.ref_id = ${value}`,
  account_id: (value: string) => sql`i.account_id = ${value}`,
  session_id: (value: string) => sql`i.session_id = ${value}`,
  batch_id: (value: string) => sql`i.batch_id = ${value}::bigint`,
}
type Filter = keyof typeof FILTERS

interface Question {
  filter: Filter | undefined
  value: string
  fromMs: number
  toMs: number
  limit: number
}

/**
 * A page of the log, newest first; ties by event_id. The log has no index of products and shoppers, because it would cost every write. So it
 * is read by time, months one after the other, 20,000 rows at a time and at most 200,000 for a page, which may therefore be short of its
 * limit, and even empty. Hours without counted events of a product are passed over, and a batch is found by its index.
 * @throws DecidedError for two filters, or a cursor of another list
 */
export async function interactionPage(
  read: Read,
  request: InteractionsRequest,
  { nowMs, endOfCellBefore }: { nowMs: number; endOfCellBefore: EndOfCellBefore },
): Promise<InteractionsResponse> {
  const question = questionOf(request)
  const { limit, filter, value } = question
  const found: LoggedInteraction[] = []
  let place = request.cursor === undefined ? { atMs: question.toMs, eventId: LOWEST_ID } : positionOf(request.cursor)
  for (let scan = 0; scan < SCANS_MAX; scan++) {
    if (filter === 'product_id' && place.atMs < nowMs - UNCOUNTED_MS) {
      const endMs = await read((db) => endOfCellBefore(db, value, place.atMs))
      if (endMs === undefined) return pageOf(found)
      if (endMs < place.atMs) place = { atMs: endMs, eventId: LOWEST_ID }
    }
    const end = isScanned(filter) ? await read((db) => endOfScan(db, question, place)) : undefined
    const rows = await read((db) => rowsOf(db, question, { place, end, count: limit + 1 - found.length }))
    found.push(...rows)
    if (found.length > limit) {
      const shown = found.slice(0, limit)
      return pageOf(shown, { atMs: millisecondsOf(shown.at(-1)!.occurred_at), eventId: shown.at(-1)!.event_id })
    }
    if (end === undefined) return pageOf(found)
    place = end
  }
  return pageOf(found, place, instantOf(place.atMs))
}

const LOWEST_ID = '00000000-0000-0000-0000-000000000000'
/** Later than every event, and a time that PostgreSQL and JSON both know. */
const LATEST_MS = Date.UTC(9999, 11, 31)

function questionOf(request: InteractionsRequest): Question {
  const filters = (Object.keys(FILTERS) as Filter[]).filter((name) => request[name] !== undefined)
  if (filters.length > 1)
    throw new DecidedError('invalid_request', `at most one of ${Object.keys(FILTERS).join(', ')} is possible at a time`)
  const [filter] = filters
  return {
    filter,
    value: filter === undefined ? '' : request[filter]!,
    fromMs: request.from === undefined ? EARLIEST_MS : heldMs(millisecondsOf(request.from)),
    toMs: request.to === undefined ? LATEST_MS : heldMs(millisecondsOf(request.to)),
    limit: request.limit,
  }
}

/** The nearest time that an event may have. */
function heldMs(milliseconds: number): number {
  return Math.min(Math.max(milliseconds, EARLIEST_MS), LATEST_MS)
}

/** Without a filter every row is shown, and a batch has an index. */
function isScanned(filter: Filter | undefined): boolean {
  return filter !== undefined && filter !== 'batch_id'
}

/** The rows i between the beginning of the question and a place. The bounds of the time alone choose the months. */
function before({ fromMs }: Question, { atMs, eventId }: Position): RawBuilder<unknown> {
  const at = sql`${instantOf(atMs)}::timestamptz`
  return sql`i.occurred_at >= ${instantOf(fromMs)}::timestamptz and i.occurred_at <= ${at}
    and (i.occurred_at, i.event_id) < (${at}, ${eventId}::uuid)`
}

/** The place that many rows before another; undefined when the rows end before it. */
async function endOfScan(db: Queryable, question: Question, place: Position): Promise<Position | undefined> {
  const { rows } = await sql<{ at: Date; eventId: string }>`
    select i.occurred_at as at, i.event_id as "eventId" from interaction i where ${before(question, place)}
    order by i.occurred_at desc, i.event_id desc offset ${SCANNED_ROWS - 1} limit 1`.execute(db)
  return rows[0] && { atMs: rows[0].at.getTime(), eventId: rows[0].eventId }
}

interface Range {
  place: Position
  end: Position | undefined
  count: number
}

async function rowsOf(db: Queryable, question: Question, { place, end, count }: Range): Promise<LoggedInteraction[]> {
  const { filter, value } = question
  const isAsked = filter === undefined ? sql`true` : FILTERS[filter](value)
  const isInScan =
    end === undefined
      ? sql`true`
      : sql`i.occurred_at >= ${instantOf(end.atMs)}::timestamptz
          and (i.occurred_at, i.event_id) >= (${instantOf(end.atMs)}::timestamptz, ${end.eventId}::uuid)`
  // Fenced, because an estimate for few large batches would choose the order of time, and pass through the whole log to an old batch.
  const fence = filter === 'batch_id' ? sql`offset 0` : sql``
  const { rows } = await sql<LoggedInteraction>`
    select ${COLUMNS} from (
      select * from (
        select * from interaction i where ${before(question, place)} and ${isInScan} and ${isAsked} ${fence}
      ) i order by i.occurred_at desc, i.event_id desc limit ${count}
    ) i left join interaction_batch b using (batch_id)
    order by i.occurred_at desc, i.event_id desc`.execute(db)
  return rows
}

const COLUMNS = sql.raw(`i.event_id, (${utc('i.occurred_at')})::json as occurred_at,
  (${utc('b.received_at')})::json as recorded_at, i.batch_id::text as batch_id, i.event_type,
  case when i.is_category then 'Category' else 'Product' end as ref_type, i.ref_id, i.account_id, i.account_number::float8 as account_number,
  i.session_id, i.category, i.brand, i.metadata, i.user_agent, host(i.ip_address) as ip_address,
  (${utc('i.sent_at')})::json as sent_at`)

function pageOf(data: LoggedInteraction[], next?: Position, searchedTo: string | null = null): InteractionsResponse {
  return { data, meta: { next_cursor: next === undefined ? null : cursorOf(next), searched_to: searchedTo } }
}

const LIST = 'interactions'

function cursorOf({ atMs, eventId }: Position): string {
  return encodeCursor(LIST, [String(atMs), eventId])
}

function positionOf(cursor: string): Position {
  const [atMs = '', eventId = ''] = decodeCursor(LIST, cursor) ?? []
  if (!/^\d{1,15}$/.test(atMs) || !isUuid(eventId)) throw invalidField('cursor', 'is not a cursor of this list')
  return { atMs: heldMs(Number(atMs)), eventId }
}
