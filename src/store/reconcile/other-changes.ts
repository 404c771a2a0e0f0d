import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

/** Changes of persons and keys that another database has, and this one may have lost. */

/** A session that belongs to an account there. */
export interface OtherMerge {
  sessionId: string
  accountId: string
}

/** An erasure there. One that has ended names no person any more. */
export interface OtherErasure {
  id: string
  status: string
  shopperId: string | null
  actor: string
  requestedBy: string | null
}

export interface OtherKey {
  keyId: string
  name: string
  isRevoked: boolean
}

const PAGE = 1_000

/** The sessions that were merged there since then, and not here. */
export async function lostMerges(other: Queryable, here: Queryable, sinceMs: number): Promise<OtherMerge[]> {
  const { rows } = await sql<OtherMerge>`
    select session_id as "sessionId", account_id as "accountId" from shopper_redirect
    where merged_at >= ${new Date(sinceMs).toISOString()}::timestamptz order by session_id`.execute(other)
  const lost: OtherMerge[] = []
  for (let at = 0; at < rows.length; at += PAGE) {
    const page = rows.slice(at, at + PAGE)
    const known = await sql<{ id: string }>`
      select session_id as id from shopper_redirect where session_id = any(${page.map(({ sessionId }) => sessionId)}::text[])`.execute(
      here,
    )
    const merged = new Set(known.rows.map(({ id }) => id))
    lost.push(...page.filter(({ sessionId }) => !merged.has(sessionId)))
  }
  return lost
}

/** The erasures that were requested there since then, and are not here. */
export async function lostErasures(other: Queryable, here: Queryable, sinceMs: number): Promise<OtherErasure[]> {
  const { rows } = await sql<OtherErasure>`
    select run_id as id, status, shopper_id as "shopperId", actor, requested_by as "requestedBy" from erasure_run
    where requested_at >= ${new Date(sinceMs).toISOString()}::timestamptz order by requested_at, run_id`.execute(other)
  const known = await sql<{ id: string }>`
    select run_id as id from erasure_run where run_id = any(${rows.map(({ id }) => id)}::uuid[])`.execute(here)
  const ids = new Set(known.rows.map(({ id }) => id))
  return rows.filter(({ id }) => !ids.has(id))
}

/** The keys that are revoked there and good here, and those that are good there and not known here. */
export async function differentKeys(other: Queryable, here: Queryable): Promise<OtherKey[]> {
  const keys = (db: Queryable) =>
    sql<OtherKey>`select key_id as "keyId", name, revoked_at is not null as "isRevoked" from api_key order by created_at, key_id`.execute(
      db,
    )
  const known = new Map((await keys(here)).rows.map((key) => [key.keyId, key]))
  return (await keys(other)).rows.filter(({ keyId, isRevoked }) => {
    const key = known.get(keyId)
    return key === undefined ? !isRevoked : isRevoked && !key.isRevoked
  })
}
