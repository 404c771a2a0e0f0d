import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

/** A browser that signed in: with a key, or with the token of a seller. */
export interface StoredSession {
  sessionId: string
  keyId: string | null
  sellerId: string | null
}

/** Without a request a session ends after 12 hours; whatever happens, after 7 days, as the function that starts it says. */
export const ENDS_AT = "least(s.expires_at, s.seen_at + interval '12 hours')"

export const IS_LIVE = sql`s.ended_at is null and now() < ${sql.raw(ENDS_AT)}`

/** What the database has of the id in a cookie. */
export function hashOfId(id: string): string {
  return createHash('sha256').update(id).digest('hex')
}

/** The live sessions among these, by the hash of their id. */
export async function liveSessions(db: Queryable, hashes: readonly string[]): Promise<Map<string, StoredSession>> {
  const { rows } = await sql<StoredSession & { hash: string }>`
    select encode(s.id_sha256, 'hex') as hash, s.session_id as "sessionId", s.key_id as "keyId", s.seller_id as "sellerId"
    from access.session s
    where s.id_sha256 in (select decode(h, 'hex') from unnest(${hashes}::text[]) as h) and ${IS_LIVE}`.execute(db)
  return new Map(rows.map(({ hash, ...session }) => [hash, session]))
}
