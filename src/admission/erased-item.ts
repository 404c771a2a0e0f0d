import { metadataWithStars } from '../contract/fields/rating.ts'
import { normalisedQuery, SEARCH_CLICK } from '../contract/search.ts'

/** Replaces the ids of erased shoppers; undefined for every other id. */
export type PseudonymOf = (kind: 'account' | 'session', id: string, occurredAtMs: number) => string | undefined

/** The fields that say whose a row is. A row that is not recorded yet also has the item that it was made of. */
export interface ShopperRow {
  occurredAtMs: number
  /** Of a row that is stored: it is from before an erasure that came later, also when its sender's clock was ahead. */
  receivedAtMs?: number
  accountId: string | null
  sessionId: string | null
  item?: unknown
}

/**
 * The row as it is recorded: with pseudonyms in the place of erased shoppers. A row whose shopper is erased loses its other personal
 * columns too, as the function erase_interactions of the database takes them away. A row of another account loses its session only.
 */
export function withoutErased<Row extends ShopperRow>(row: Row, pseudonymOf: PseudonymOf): Row {
  const { accountId, sessionId, occurredAtMs, receivedAtMs = Infinity } = row
  const knownMs = Math.min(occurredAtMs, receivedAtMs)
  const account = accountId === null ? undefined : pseudonymOf('account', accountId, knownMs)
  const session = sessionId === null ? undefined : pseudonymOf('session', sessionId, knownMs)
  if (account === undefined && session === undefined) return row
  if (account === undefined && accountId !== null) return withItem({ ...row, sessionId: session! })
  return withItem({ ...row, accountId: account ?? null, sessionId: session ?? null, ...strippedOf(row) })
}

function strippedOf(row: object): object {
  return {
    ...('accountNumber' in row && { accountNumber: null }),
    ...('ipAddress' in row && { ipAddress: null }),
    ...('userAgent' in row && { userAgent: null }),
    ...('metadata' in row && 'eventType' in row && { metadata: keptMetadata(String(row.eventType), row.metadata) }),
    ...('normalisedQuery' in row && { query: row.normalisedQuery }),
  }
}

const RATINGS = new Set(['rating_low', 'rating_medium', 'rating_high'])

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * The metadata that numbers are made of: stars of a rating, the normalised query of a click, and the recommendation that an event follows
 * from. The same as kept_metadata of the database.
 */
export function keptMetadata(eventType: string, metadata: unknown): object | undefined {
  if (!isObject(metadata)) return undefined
  const { rating, recommendation_id: recommendationId } = metadata
  const query = eventType === SEARCH_CLICK ? keptQuery(metadata['query']) : undefined
  const kept = {
    ...(RATINGS.has(eventType) && typeof rating === 'number' && rating >= 1 && rating <= 5 && { rating }),
    ...(query !== undefined && { query }),
    ...(typeof recommendationId === 'string' && UUID.test(recommendationId) && { recommendation_id: recommendationId }),
  }
  return Object.keys(kept).length > 0 ? kept : undefined
}

function keptQuery(query: unknown): string | number | undefined {
  const kept = typeof query === 'string' ? normalisedQuery(query) : query
  return typeof kept === 'number' || (typeof kept === 'string' && kept !== '') ? kept : undefined
}

/** The item says what the row says: it is kept when PostgreSQL rejects the row. */
function withItem<Row extends ShopperRow>(row: Row): Row {
  const { item } = row
  if (!isObject(item)) return row
  return { ...row, item: erasedItem(item, { account_id: row.accountId, session_id: row.sessionId }) }
}

/** Fields of an item that say nothing of a person, and that a replay needs. All others are left out. */
const KEPT_FIELDS = new Set([
  ...['event_id', 'event_key', 'occurred_at', 'sent_at', 'event_type', 'ref_type', 'ref_id', 'product_id', 'product_ids'],
  ...[
    'provider',
    'callback_id',
    'payment_ref',
    'capture_ref',
    'reverses',
    'order_id',
    'status',
    'currency',
    'processing_ms',
    'items',
  ],
  ...['source', 'external_ref', 'amount'],
])

/** An item of an erased person as it is kept: with these ids, the query in its normal form, and nothing else about the person. */
export function erasedItem(
  item: object,
  ids: { account_id?: string | null; session_id?: string | null; entity_id?: string | null },
): object {
  const fields = Object.entries(item).filter(([name]) => KEPT_FIELDS.has(name))
  const { event_type: eventType, metadata, query } = item as Record<string, unknown>
  const type = String(eventType)
  const stars = isObject(metadata) ? metadataWithStars({ event_type: type, metadata }) : undefined
  const kept = keptMetadata(type, stars)
  return {
    ...Object.fromEntries(fields),
    ...(kept !== undefined && { metadata: kept }),
    ...(typeof query === 'string' && { query: normalisedQuery(query) }),
    ...Object.fromEntries(Object.entries(ids).filter(([, id]) => id !== null && id !== undefined)),
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
