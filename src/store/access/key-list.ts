import { sql } from 'kysely'
import type { Key, KeysResponse, Session } from '../../contract/key.ts'
import { isUuid } from '../../contract/fields/uuid.ts'
import type { Queryable } from '../database/connection.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import { utc } from '../database/json.ts'
import { ENDS_AT, IS_LIVE } from './session.ts'

const KEYS = 'keys'
const SESSIONS = 'sessions'

interface Page {
  limit: number
  /** The id of the last row of the page before. */
  after: string | undefined
}

const KEY = sql`json_build_object('id', k.key_id, 'name', k.name, 'scopes', k.scopes, 'seller_id', k.seller_id,
  'is_publishable', k.is_publishable, 'origins', k.origins, 'requests_per_minute', k.requests_per_minute,
  'created_at', ${sql.raw(utc('k.created_at'))}::json, 'revoked_at', ${sql.raw(utc('k.revoked_at'))}::json,
  'last_used_at', ${sql.raw(utc('k.last_used_at'))}::json)`

/** A page of the keys, also of revoked ones, the newest first. */
export async function keysPage(db: Queryable, { limit, after }: Page): Promise<KeysResponse> {
  const beyond =
    after === undefined
      ? sql`true`
      : sql`(k.created_at, k.key_id) < (select created_at, key_id from api_key where key_id = ${after})`
  const { rows } = await sql<Row<Key>>`
    select ${KEY} as row, k.key_id as id from api_key k where ${beyond}
    order by k.created_at desc, k.key_id desc limit ${limit + 1}`.execute(db)
  return pageOf(KEYS, limit, rows)
}

/** A key; undefined when there never was one of this id. */
export async function findKey(db: Queryable, keyId: string): Promise<Key | undefined> {
  const { rows } = await sql<{ row: Key }>`select ${KEY} as row from api_key k where k.key_id = ${keyId}`.execute(db)
  return rows[0]?.row
}

/** A page of the sessions that have not ended, the newest first. */
export async function sessionsPage(
  db: Queryable,
  { limit, after }: Page,
): Promise<{ data: Omit<Session, 'is_current'>[]; meta: { next_cursor: string | null } }> {
  const beyond =
    after === undefined
      ? sql`true`
      : sql`(s.created_at, s.session_id) < (select created_at, session_id from access.session where session_id = ${after}::uuid)`
  const { rows } = await sql<Row<Omit<Session, 'is_current'>>>`
    select json_build_object('id', s.session_id, 'key_id', s.key_id, 'key_name', k.name, 'seller_id', coalesce(s.seller_id, k.seller_id),
        'created_at', ${sql.raw(utc('s.created_at'))}::json, 'seen_at', ${sql.raw(utc('s.seen_at'))}::json,
        'expires_at', ${sql.raw(utc(ENDS_AT))}::json) as row, s.session_id::text as id
    from access.session s left join api_key k on k.key_id = s.key_id
    where ${IS_LIVE} and k.revoked_at is null and ${beyond}
    order by s.created_at desc, s.session_id desc limit ${limit + 1}`.execute(db)
  return pageOf(SESSIONS, limit, rows)
}

interface Row<Item> {
  id: string
  row: Item
}

function pageOf<Item>(list: string, limit: number, rows: readonly Row<Item>[]) {
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return {
    data: shown.map(({ row }) => row),
    meta: { next_cursor: last === undefined ? null : encodeCursor(list, [last.id]) },
  }
}

/** The last key of the page before a cursor; undefined for a text that is no cursor of this list. */
export function keyPositionOf(cursor: string): string | undefined {
  const [id = ''] = decodeCursor(KEYS, cursor) ?? []
  return /^[0-9a-f]{12}$/.test(id) ? id : undefined
}

/** The same for the list of sessions. */
export function sessionPositionOf(cursor: string): string | undefined {
  const [id = ''] = decodeCursor(SESSIONS, cursor) ?? []
  return isUuid(id) ? id : undefined
}
