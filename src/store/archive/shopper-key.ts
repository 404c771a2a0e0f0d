import { createHash, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

const KEY_BYTES = 32
const PSEUDONYM_BYTES = 16

/** The secret of a shopper in the archive. Without it nothing of an archived row leads to the shopper. */
export interface ShopperKey {
  shopperId: string
  /** 128 random bits in hex. */
  pseudonym: string
  key: Buffer
}

/** The id under which a text has a key: its hash, because the text itself is only in what is encrypted. */
export function textIdOf(text: ReturnType<typeof sql>) {
  return sql`'text:' || encode(sha256(convert_to(${text}, 'UTF8')), 'hex')`
}

/** The pseudonym of a row of the table as it is in archived rows. */
export function hexOf(table: string) {
  return sql`replace(${sql.ref(`${table}.pseudonym`)}::text, '-', '')`
}

/** Makes keys of the shoppers that have none. A caller holds the lock of `lockKeys`. */
export async function addKeys(tx: Queryable, shopperIds: readonly string[]): Promise<void> {
  const random = (bytes: number) => shopperIds.map(() => randomBytes(bytes).toString('hex'))
  await sql`
    insert into archive_shopper (shopper_id, pseudonym, key)
    select id, pseudonym, decode(key, 'hex')
    from unnest(${shopperIds}::text[], ${random(PSEUDONYM_BYTES)}::uuid[], ${random(KEY_BYTES)}::text[]) as n(id, pseudonym, key)
    on conflict do nothing`.execute(tx)
}

/**
 * Locks the keys until the transaction ends: `to make` some, alone, or `to use` them, together with others. An erasure, which deletes keys,
 * waits for it. A first statement, so that what follows sees what was committed before.
 */
export async function lockKeys(tx: Queryable, why: 'to make' | 'to use'): Promise<void> {
  await (
    why === 'to make'
      ? sql`lock table archive_shopper in share row exclusive mode`
      : sql`lock table archive_shopper in share mode`
  ).execute(tx)
}

/** The shoppers of these pseudonyms, by pseudonym. Those without a key were erased. */
export async function keysOf(tx: Queryable, pseudonyms: readonly string[]): Promise<ReadonlyMap<string, ShopperKey>> {
  const { rows } = await sql<ShopperKey>`
    select shopper_id as "shopperId", ${hexOf('archive_shopper')} as pseudonym, key from archive_shopper
    where pseudonym = any(${pseudonyms}::uuid[])`.execute(tx)
  return new Map(rows.map((shopper) => [shopper.pseudonym, shopper]))
}

/** What encrypts the personal columns of a row, by the keys of its shopper and its texts: no one of them is enough. */
export function sealingKeyOf(keys: readonly Buffer[]): Buffer {
  const hash = createHash('sha256')
  for (const key of keys) hash.update(key)
  return hash.digest()
}

/** Deletes the keys of a run's shoppers, after archives and restores that use them. @returns how many. */
export async function eraseKeys(tx: Queryable, runId: string): Promise<number> {
  const { numAffectedRows } = await sql`
    with gone as materialized (
      select distinct n.id from erasure_shopper s
        cross join lateral (select substr(s.shopper_id, strpos(s.shopper_id, ':') + 1) as bare) i
        cross join lateral (values (s.shopper_id), ('entity:' || i.bare), (${textIdOf(sql`i.bare`)})) as n(id)
      where s.run_id = ${runId}::uuid
    )
    delete from archive_shopper a using gone where a.shopper_id = gone.id`.execute(tx)
  return Number(numAffectedRows ?? 0)
}
