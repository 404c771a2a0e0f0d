import { createHmac, randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

const BYTES = 64
const PSEUDONYM_CHARACTERS = 32

/** The secret of a shopper in the archive. Without it nothing of an archived row leads to the shopper. */
export interface ShopperKey {
  shopperId: string
  /** In hex. */
  pseudonym: string
  /** What encrypts the personal columns of the shopper's rows: 32 bytes. */
  sealingKey: Buffer
}

/** Makes keys of the shoppers that have none. A caller holds the lock of `lockKeys`. */
export async function addKeys(tx: Queryable, shopperIds: readonly string[]): Promise<void> {
  const keys = shopperIds.map(() => randomBytes(BYTES))
  const pseudonyms = shopperIds.map((id, n) =>
    createHmac('sha256', keys[n]!.subarray(0, BYTES / 2))
      .update(id)
      .digest('hex')
      .slice(0, PSEUDONYM_CHARACTERS),
  )
  await sql`
    insert into archive_shopper (shopper_id, pseudonym, key)
    select id, pseudonym, decode(key, 'hex') from unnest(${shopperIds}::text[], ${pseudonyms}::text[], ${keys.map((key) => key.toString('hex'))}::text[])
      as n(id, pseudonym, key) on conflict do nothing`.execute(tx)
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
  const { rows } = await sql<{ shopperId: string; pseudonym: string; key: Buffer }>`
    select shopper_id as "shopperId", pseudonym, key from archive_shopper where pseudonym = any(${pseudonyms}::text[])`.execute(
    tx,
  )
  return new Map(rows.map(({ key, ...shopper }) => [shopper.pseudonym, { ...shopper, sealingKey: sealingKeyOf(key) }]))
}

export function sealingKeyOf(key: Buffer): Buffer {
  return key.subarray(BYTES / 2)
}

/** Deletes the keys of a run's shoppers, after archives and restores that use them. @returns how many. */
export async function eraseKeys(tx: Queryable, runId: string): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from archive_shopper a using erasure_shopper s
    where s.run_id = ${runId}::uuid and a.shopper_id in (s.shopper_id, 'entity:' || substr(s.shopper_id, strpos(s.shopper_id, ':') + 1))`.execute(
    tx,
  )
  return Number(numAffectedRows ?? 0)
}
