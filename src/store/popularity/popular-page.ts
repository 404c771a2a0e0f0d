import { invalidField } from '../../contract/decided-error.ts'
import { createHash } from 'node:crypto'
import type { Mode, PopularRequest, PopularResponse } from '../../contract/popular-list.ts'
import { DAY_MS, EARLIEST_MS, instantOf, millisecondsOf } from '../../contract/fields/time.ts'
import { type Span, spanOf } from '../../ranking/span.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import type { Queryable } from '../database/connection.ts'
import { popularRows, risingRows } from './popular-list.ts'
import { type PopularPosition, positionIn } from './popular-order.ts'
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
/** Cuts a page of so many rows, at most the longest one that was read. */
export type CutPage = (limit: number) => PopularPage

/** The longest pages that are read. Few numbers, because each one is a prepared statement of its own in every connection. */
const PAGE_SIZES = [10, 20, 50, 100]

/** The length of the page that is read for a page of `limit` rows. */
export function readSizeOf(limit: number): number {
  return PAGE_SIZES.find((size) => size >= limit)!
}

/** A page of a list of popular products. @throws DecidedError for a cursor of another query, or an instant in the future. */
export async function popularPage(db: Queryable, request: PopularRequest, nowMs: number): Promise<PopularPage> {
  return (await popularPages(db, request, nowMs))(request.limit)
}

/** Reads the page of `readSizeOf(limit)` rows, which has every shorter one. @throws as popularPage does */
export async function popularPages(db: Queryable, request: PopularRequest, nowMs: number): Promise<CutPage> {
  const query = queryOf(request)
  const start = request.cursor === undefined ? undefined : startOf(request.cursor, request.mode, query)
  if (request.cursor !== undefined && start === undefined)
    throw invalidField('cursor', 'is not a cursor of this list with this query')
  if (start !== undefined && (start.instantMs < nowMs - CURSOR_MS_MAX || start.instantMs > nowMs + AHEAD_MS_MAX))
    throw invalidField('cursor', 'is not of the last 24 hours: ask for the first page')
  const pinnedMs = start?.instantMs ?? nowMs
  const asOfMs = asOfOf(request, nowMs, pinnedMs)
  const span = await spanOfPage(db, request, { asOfMs, nowMs: pinnedMs })
  const { mode, category_ids: categoryIds, min_interactions: minInteractions, expand, in_stock: inStock } = request
  // One more tells whether the list goes on.
  const limit = readSizeOf(request.limit) + 1
  const asked = { mode, span, categoryIds, minInteractions, limit, after: start?.after, expand, inStock }
  const { rows, computedAt } =
    mode === 'rising' && span === undefined
      ? await risingRows(db, asked)
      : { rows: await popularRows(db, asked), computedAt: undefined }
  const meta = {
    mode,
    time_window_days: request.time_window_days ?? null,
    as_of: span?.toMs === undefined ? null : instantOf(span.toMs),
    generated_at: instantOf(computedAt?.getTime() ?? nowMs),
  }
  return (count) => {
    const shown = rows.slice(0, count)
    const last = rows.length > count ? shown.at(-1) : undefined
    const next_cursor = last === undefined ? null : cursorOf(query, pinnedMs, last.position)
    return { rows: shown.map(({ json }) => json), meta: { ...meta, next_cursor } }
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

/** A day is its end, so that the list has the whole day; a day that is not over is the instant of the first page. */
export function asOfOf({ as_of: asOf }: Pick<PopularRequest, 'as_of'>, nowMs: number, pinnedMs: number): number | undefined {
  if (asOf === undefined) return undefined
  const isDay = asOf.length === DAY_CHARACTERS
  const fromMs = millisecondsOf(isDay ? `${asOf}T00:00:00Z` : asOf)
  if (!(fromMs >= EARLIEST_MS && fromMs <= nowMs)) throw invalidField('as_of', 'must be between 2000-01-01T00:00:00Z and now')
  return isDay ? Math.min(fromMs + DAY_MS, pinnedMs) : fromMs
}

const DAY_CHARACTERS = '2026-03-01'.length

/** A hash of everything that all pages of a list share. */
function queryOf({ mode, time_window_days, category_ids, min_interactions, as_of, in_stock }: PopularRequest): string {
  const parts = [
    mode,
    time_window_days ?? null,
    category_ids?.toSorted() ?? null,
    min_interactions,
    as_of ?? null,
    ...(in_stock ? ['in stock'] : []),
  ]
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
