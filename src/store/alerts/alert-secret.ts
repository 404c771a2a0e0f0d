import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

interface NewSecret {
  alertId: string
  secretId: string
  secret: string
  /** For how long the one before stays valid. */
  oldHours: number
}

/**
 * Adds a secret. The newest before it expires after its hours, and older ones at once, so that at most two are valid.
 * @returns whether it is new: a repeated call changes nothing, and neither does a secret that is the newest already.
 */
export async function addSecret(tx: Queryable, { alertId, secretId, secret, oldHours }: NewSecret): Promise<boolean> {
  const { rows } = await sql`
    insert into secret.alert_secret (alert_id, secret_id, secret) select ${alertId}::uuid, ${secretId}::uuid, ${secret}
    where not exists (
      select from secret.alert_secret where alert_id = ${alertId}::uuid and expires_at is null and secret = ${secret})
    on conflict (secret_id) do nothing returning secret_id`.execute(tx)
  if (rows.length === 0) return false
  await sql`
    delete from secret.alert_secret
    where alert_id = ${alertId}::uuid and secret_id <> ${secretId}::uuid and expires_at is not null`.execute(tx)
  await sql`
    update secret.alert_secret set expires_at = now() + ${oldHours}::int * interval '1 hour'
    where alert_id = ${alertId}::uuid and secret_id <> ${secretId}::uuid`.execute(tx)
  return true
}

/** The valid secrets of an alert, the newest first. */
export async function secretsOf(db: Queryable, alertId: string): Promise<string[]> {
  const { rows } = await sql<{ secret: string }>`
    select secret from secret.alert_secret
    where alert_id = ${alertId}::uuid and (expires_at is null or expires_at > now())
    order by expires_at desc nulls first`.execute(db)
  return rows.map(({ secret }) => secret)
}

/** The keys that secrets are encrypted and decrypted with, in PEM. */
export interface SealingKeys {
  publicKey: string
  privateKey: string
}

/** The keys; undefined before `keepSealingKeys`. */
export async function sealingKeys(db: Queryable): Promise<SealingKeys | undefined> {
  const { rows } = await sql<SealingKeys>`
    select public_key as "publicKey", private_key as "privateKey" from secret.sealing_key`.execute(db)
  return rows[0]
}

/** Keeps keys unless there are some. @returns the keys in the table. */
export async function keepSealingKeys(db: Queryable, { publicKey, privateKey }: SealingKeys): Promise<SealingKeys> {
  await sql`insert into secret.sealing_key (public_key, private_key) values (${publicKey}, ${privateKey}) on conflict do nothing`.execute(
    db,
  )
  return (await sealingKeys(db))!
}
