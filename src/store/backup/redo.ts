import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { revokeApiKey } from '../access/api-key.ts'
import { audit } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { requestErasure } from '../erasure/run-machine.ts'
import { takeNamedLocks } from '../database/locks.ts'
import type { Tombstones } from '../log/tombstone.ts'
import type { ErasedPerson, ListedKey } from './keys-and-erased.ts'

/** What does again what a restore undid, in the audit log. */
const ACTOR = 'footfall restore'

/** Revokes the keys that were revoked after the restored instant, and work again. @returns them. */
export async function revokeAgain(db: Database, listed: readonly ListedKey[]): Promise<ListedKey[]> {
  const again: ListedKey[] = []
  for (const key of listed.filter(({ revoked_at: at }) => at !== null)) {
    await db.transaction().execute(async (tx) => {
      if (!(await revokeApiKey(tx, key.key_id))) return
      await audit(tx, { actor: ACTOR, action: 'key.revoke', resourceType: 'key', resourceId: key.key_id, metadata: {} })
      again.push(key)
    })
  }
  return again
}

/** The listed keys that work nowhere now, because they were made after the restored instant. */
export async function lostKeys(db: Queryable, listed: readonly ListedKey[]): Promise<ListedKey[]> {
  const { rows } = await sql<{ id: string }>`select key_id as id from api_key`.execute(db)
  const known = new Set(rows.map(({ id }) => id))
  return listed.filter((key) => key.revoked_at === null && !known.has(key.key_id))
}

/** The listed persons whose erasure is not in this database, or is older there. */
export async function undoneErasures(db: Queryable, listed: readonly ErasedPerson[]): Promise<ErasedPerson[]> {
  const { rows } = await sql<{ idHmac: string }>`
    select l.hmac as "idHmac" from unnest(${listed.map((one) => one.id_hmac)}::text[], ${listed.map((one) => one.erased_at)}::timestamptz[]) as l(hmac, at)
    where not exists (select from shopper_tombstone t where t.id_hmac = decode(l.hmac, 'hex') and t.erased_at >= l.at)`.execute(
    db,
  )
  const undone = new Set(rows.map((row) => row.idHmac))
  return listed.filter((one) => undone.has(one.id_hmac))
}

/** Writes the tombstones again, so that events that come late are recognised. */
export async function writeTombstonesAgain(db: Database, undone: readonly ErasedPerson[]): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await takeNamedLocks(tx, [['tombstones']])
    await sql`
      insert into shopper_tombstone as t (id_hmac, key_id, erased_at, tombstone_no)
      select decode(u.hmac, 'hex'), decode(u.key, 'hex'), u.at, (select coalesce(max(tombstone_no), 0) from shopper_tombstone) + u.n
      from unnest(${undone.map((one) => one.id_hmac)}::text[], ${undone.map((one) => one.key_id)}::text[],
        ${undone.map((one) => one.erased_at)}::timestamptz[]) with ordinality as u(hmac, key, at, n)
      on conflict (id_hmac) do update set erased_at = greatest(t.erased_at, excluded.erased_at), tombstone_no = excluded.tombstone_no`.execute(
      tx,
    )
  })
}

const IDS_AT_ONCE = 20_000

/** The ids of shoppers in every table that has them. */
const SHOPPER_IDS = sql.raw(`
  select shopper_id as id from shopper_product
  union select 'account:' || account_id from interaction where account_id is not null
  union select 'session:' || session_id from interaction where session_id is not null
  union select 'account:' || account_id from search where account_id is not null
  union select 'session:' || session_id from search where session_id is not null
  union select coalesce('account:' || account_id, 'session:' || session_id, 'session:order:' || order_id) from payment_callback
  union select shopper_id from impression where shopper_id is not null
  union select 'account:' || account_id from shopper_redirect
  union select 'session:' || session_id from shopper_redirect`)

/**
 * Requests the erasure of these persons again, as far as the database knows them. The task watch-runs erases them when Footfall runs. Reads the
 * whole log, because only a hash of each id is known. @returns how many runs are open for them.
 */
export async function eraseAgain(
  db: Database,
  undone: readonly ErasedPerson[],
  tombstones: Tombstones,
  actor = ACTOR,
): Promise<number> {
  const wanted = new Set(undone.map((one) => one.id_hmac))
  const runs = new Set<string>()
  // No table has an order of all ids, so the union is kept for this session.
  await db.connection().execute(async (session) => {
    await sql`create temporary table shopper_seen as select id, row_number() over () as n from (${SHOPPER_IDS}) ids`.execute(
      session,
    )
    await sql`create index on shopper_seen (n)`.execute(session)
    for (let after = 0, isLast = false; !isLast; after += IDS_AT_ONCE) {
      const { rows } = await sql<{ id: string }>`
        select id from shopper_seen where n > ${after} and n <= ${after + IDS_AT_ONCE}`.execute(session)
      isLast = rows.length === 0
      for (const { id } of rows) {
        if (!wanted.has(tombstones.hmacOf(id).toString('hex'))) continue
        runs.add((await requestErasure(db, randomUUID(), { shopper_id: id, actor })).id)
      }
    }
    await sql`drop table shopper_seen`.execute(session)
  })
  // So that the first look of watch-runs sends them to Restate.
  await sql`update erasure_run set active_at = active_at - interval '1 hour' where run_id = any(${[...runs]}::uuid[])`.execute(db)
  return runs.size
}
