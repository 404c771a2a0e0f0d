import { sql } from 'kysely'
import { shopperOf } from '../../contract/fields/shopper-id.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { takeNamedLocks, waitForTransactions } from '../database/locks.ts'
import { LOG_TABLES } from '../log/month.ts'
import { newPseudonym, type Tombstones } from '../log/tombstone.ts'
import { advance, type ErasureAt } from './run-machine.ts'

/** Transactions that began before a tombstone may still write to these. */
const WRITTEN = [...LOG_TABLES.map(String), 'payment_callback', 'rejected_interaction', 'shopper_redirect', 'impression']

/**
 * Finds the ids of a person and writes their tombstones, then waits for every transaction that may not know them: from then on nothing
 * more of the person is recorded under these ids, up to the instant of the run. A session that was merged meanwhile is one more id, so it
 * looks again until there is none.
 */
export async function fence(db: Database, at: ErasureAt, tombstones: Tombstones): Promise<void> {
  for (;;) {
    const isNew = await db.transaction().execute((tx) => writeTombstones(tx, at, tombstones))
    if (!isNew) break
    await waitForTransactions(
      db,
      sql`locktype = 'relation' and mode = 'RowExclusiveLock' and relation = any(${WRITTEN}::text[]::regclass[]::oid[])`,
    )
  }
  await db.transaction().execute((tx) => advance(tx, at, null))
}

/** @returns whether there was an id that had no tombstone of this run. */
async function writeTombstones(tx: Queryable, { runId, shopperId }: ErasureAt, tombstones: Tombstones): Promise<boolean> {
  // One at a time, so that the numbers have no gaps that fill up later.
  await takeNamedLocks(tx, [['tombstones']])
  await sql`
    update erasure_run set erased_at = date_trunc('milliseconds', statement_timestamp()),
      batch_max = (select coalesce(max(batch_id), 0) from interaction_batch)
    where run_id = ${runId}::uuid and erased_at is null`.execute(tx)
  const known = await knownShoppers(tx, runId)
  const found = (await shoppersOfPerson(tx, shopperId)).filter((id) => !known.has(id))
  if (found.length === 0) return false
  // Runs of one person that work at once, e.g. by an account and a session that is merged now, give it one pseudonym.
  await sql`
    insert into erasure_shopper (run_id, shopper_id, pseudonym)
    select ${runId}::uuid, f.id, coalesce((select min(o.pseudonym) from erasure_shopper o where o.shopper_id = f.id), f.pseudonym)
    from unnest(${found}::text[], ${found.map(newPseudonym)}::text[]) as f(id, pseudonym)`.execute(tx)
  const hmacs = found.map((id) => tombstones.hmacOf(id).toString('hex'))
  await sql`
    insert into shopper_tombstone as t (id_hmac, key_id, erased_at, tombstone_no)
    select decode(hmac, 'hex'), ${tombstones.keyId()}::bytea, r.erased_at,
      (select coalesce(max(tombstone_no), 0) from shopper_tombstone) + h.n
    from unnest(${hmacs}::text[]) with ordinality as h(hmac, n) cross join erasure_run r where r.run_id = ${runId}::uuid
    on conflict (id_hmac) do update set erased_at = greatest(t.erased_at, excluded.erased_at), tombstone_no = excluded.tombstone_no`.execute(
    tx,
  )
  return true
}

async function knownShoppers(tx: Queryable, runId: string): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`select shopper_id as id from erasure_shopper where run_id = ${runId}::uuid`.execute(
    tx,
  )
  return new Set(rows.map(({ id }) => id))
}

/**
 * Every shopper id of a person: the account, all sessions that were merged into it, and the orders of its payments, which stand for a shopper
 * where a callback named none. A session that was not merged stands for itself.
 */
export async function shoppersOfPerson(db: Queryable, shopperId: string): Promise<string[]> {
  const { kind, id } = shopperOf(shopperId)!
  const { rows } = await sql<{ id: string }>`
    with account as (
      select ${id}::text as id where ${kind} = 'account'
      union
      select account_id from shopper_redirect where session_id = ${id} and ${kind} = 'session'
    ), session as (
      select ${id}::text as id where ${kind} = 'session'
      union
      select session_id from shopper_redirect join account on account_id = account.id
    )
    select 'account:' || id as id from account
    union
    select 'session:' || id from session
    union
    select 'session:order:' || order_id from payment_callback
    where account_id in (select id from account) or session_id in (select id from session)`.execute(db)
  return rows.map((row) => row.id)
}
