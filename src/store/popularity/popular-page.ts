import { invalidField } from '../../contract/decided-error.ts'
import { createHash } from 'node:crypto'
import type { Mode, PopularRequest, PopularResponse } from '../../contract/popular-list.ts'
import { DAY_MS, EARLIEST_MS, instantOf, millisecondsOf } from '../../contract/fields/time.ts'
import { type Span, spanOf } from '../../ranking/span.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import type { Queryable } from '../database/connection.ts'
import { popularRows } from './popular-list.ts'
import { type PopularPosition, positionIn } from './popular-order.ts'
import { risingComputedAt } from './rising.ts'
import { rolledToMsOf } from './roll-up.ts'

interface PopularPage {
  /** Each a PopularProduct as JSON. */
  rows: string[]
  meta: PopularResponse['meta']
}

const LIST = 'popular'
/** A page costs more the older the first page is, because its window grows. */
const CURSOR_MS_MAX = DAY_MS
/** The clock of another gateway may be ahead. */
const AHEAD_MS_MAX = 60_000
/** How many rows a page reads. Few numbers, because each one is a prepared statement of its own in every connection. */
const READ_SIZES = [11, 21, 51, 101]

/** A page of a list of popular products. @throws DecidedError for a cursor of another query, or an instant in the future. */
export async function popularPage(db: Queryable, request: PopularRequest, nowMs: number): Promise<PopularPage> {
  const query = queryOf(request)
  const start = request.cursor === undefined ? undefined : startOf(request.cursor, request.mode, query)
  if (request.cursor !== undefined && start === undefined)
    throw invalidField('cursor', 'is not a cursor of this list with this query')
  if (start !== undefined && (start.instantMs < nowMs - CURSOR_MS_MAX || start.instantMs > nowMs + AHEAD_MS_MAX))
    throw invalidField('cursor', 'is not of the last 24 hours: ask for the first page')
  const asOfMs = asOfOf(request, nowMs)
  const span = await spanOfPage(db, request, { asOfMs, nowMs: start?.instantMs ?? nowMs })
  const { mode, category_ids: categoryIds, min_interactions: minInteractions, limit } = request
  // Read before the rows, so that `generated_at` is never later than the rows.
  const risingAt = mode === 'rising' && span === undefined ? await risingComputedAt(db) : undefined
  const readLimit = READ_SIZES.find((size) => size > limit)!
  const rows = await popularRows(db, { mode, span, categoryIds, minInteractions, limit: readLimit, after: start?.after })
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return {
    rows: shown.map(({ json }) => json),
    meta: {
      mode,
      time_window_days: request.time_window_days ?? null,
      as_of: span?.toMs === undefined ? null : instantOf(span.toMs),
      generated_at: instantOf(risingAt?.getTime() ?? nowMs),
      next_cursor: last === undefined ? null : cursorOf(query, start?.instantMs ?? nowMs, last.position),
    },
  }
}

/** Undefined for all time until now, because those numbers are stored and not computed. */
async function spanOfPage(
  db: Queryable,
  { time_window_days: windowDays }: PopularRequest,
  { asOfMs, nowMs }: { asOfMs: number | undefined; nowMs: number },
): Promise<Span | undefined> {
  if (asOfMs === undefined && windowDays === undefined) return undefined
  return spanOf({ windowDays, asOfMs, nowMs, rolledToMs: await rolledToMsOf(db) })
}

function asOfOf({ as_of: asOf }: PopularRequest, nowMs: number): number | undefined {
  if (asOf === undefined) return undefined
  const asOfMs = millisecondsOf(asOf)
  if (asOfMs >= EARLIEST_MS && asOfMs <= nowMs) return asOfMs
  throw invalidField('as_of', 'must be between 2000-01-01T00:00:00Z and now')
}

/** A hash of everything that all pages of a list share. */
function queryOf({ mode, time_window_days, category_ids, min_interactions, as_of }: PopularRequest): string {
  const parts = [mode, time_window_days ?? null, category_ids?.toSorted() ?? null, min_interactions, as_of ?? null]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 11)
}

/** Has the instant of the first page, so that the window of all pages begins with the same hour. */
function cursorOf(query: string, instantMs: number, { values, productId }: PopularPosition): string {
  return encodeCursor(LIST, [query, String(instantMs), productId, ...values])
}

function startOf(cursor: string, mode: Mode, query: string): { instantMs: number; after: PopularPosition } | undefined {
  const [ofQuery, instant = '', productId, ...values] = decodeCursor(LIST, cursor) ?? []
  const after = positionIn(mode, productId, values)
  const isOurs = ofQuery === query && /^\d{12,14}$/.test(instant) && after !== undefined
  return isOurs ? { instantMs: Number(instant), after } : undefined
}
