import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { sql } from 'kysely'
import { SCOPES, type Scope } from '../../contract/key.ts'
import type { Database } from '../database/connection.ts'

export { SCOPES, type Scope }

export interface NewApiKey {
  name: string
  scopes: readonly Scope[]
  /** Can be in a web page: it only sends events, from pages of these origins. */
  isPublishable: boolean
  origins: readonly string[]
  sellerId: string | null
  /** Null for the default. */
  requestsPerMinute: number | null
}

export interface ApiKey extends NewApiKey {
  keyId: string
  createdAt: Date
  revokedAt: Date | null
  /** To the minute; null when it was never used. */
  lastUsedAt: Date | null
}

export interface SecretApiKey extends ApiKey {
  secretSha256: Buffer
}

interface KeyParts {
  keyId: string
  secret: string
}

const KEY_ID_BYTES = 6
const SECRET_BYTES = 32

/** Creates a key. Its text is `ff_<id>_<secret>` or, when publishable, `ffp_<id>_<secret>`, and cannot be read again. */
export async function createApiKey(db: Database, key: NewApiKey): Promise<{ keyId: string; text: string }> {
  const { text, ...parts } = newKeyText(key)
  await insertApiKey(db, key, parts)
  return { keyId: parts.keyId, text }
}

/** The text of a new key, and its parts. */
export function newKeyText({ isPublishable }: Pick<NewApiKey, 'isPublishable'>): KeyParts & { text: string } {
  const keyId = randomBytes(KEY_ID_BYTES).toString('hex')
  const secret = randomBytes(SECRET_BYTES).toString('hex')
  return { keyId, secret, text: `${isPublishable ? 'ffp' : 'ff'}_${keyId}_${secret}` }
}

/** What the database has of a secret, in hex. */
export function hashOfSecret(secret: string): string {
  return sha256(secret).toString('hex')
}

/** Stores a key whose text exists already. @returns whether it is new; a stored key with the same id does not change. */
export async function insertApiKey(db: Database, key: NewApiKey, { keyId, secret }: KeyParts): Promise<boolean> {
  const { rows } = await sql`
    insert into api_key (key_id, name, secret_sha256, scopes, is_publishable, origins, seller_id, requests_per_minute)
    values (${keyId}, ${key.name}, ${sha256(secret)}, ${key.scopes}::text[], ${key.isPublishable}, ${key.origins}::text[],
      ${key.sellerId}, ${key.requestsPerMinute})
    on conflict do nothing returning key_id`.execute(db)
  return rows.length > 0
}

/** Every key, also revoked ones, oldest first. */
export async function listApiKeys(db: Database): Promise<SecretApiKey[]> {
  const { rows } = await sql<SecretApiKey>`
    select key_id as "keyId", name, secret_sha256 as "secretSha256", scopes, is_publishable as "isPublishable", origins,
      seller_id as "sellerId", requests_per_minute as "requestsPerMinute", created_at as "createdAt", revoked_at as "revokedAt",
      last_used_at as "lastUsedAt"
    from api_key order by created_at, key_id`.execute(db)
  return rows
}

/** Revokes a key, which ends its sessions. @returns false when the key does not exist or was revoked before. */
export async function revokeApiKey(db: Database, keyId: string): Promise<boolean> {
  const { rows } = await sql`
    update api_key set revoked_at = now() where key_id = ${keyId} and revoked_at is null returning key_id`.execute(db)
  await sql`update access.session set ended_at = now() where key_id = ${keyId} and ended_at is null`.execute(db)
  return rows.length > 0
}

/** The two parts of a key's text; undefined for a text of another form. */
export function partsOfKey(text: string): KeyParts | undefined {
  const match = /^ffp?_([0-9a-f]{12})_([0-9a-f]{64})$/.exec(text)
  return match === null ? undefined : { keyId: match[1]!, secret: match[2]! }
}

/** Compares in constant time, so that the duration says nothing about the secret. */
export function isSecret(secret: string, expectedSha256: Uint8Array): boolean {
  return timingSafeEqual(sha256(secret), expectedSha256)
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
