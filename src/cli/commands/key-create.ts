import {
  createApiKey,
  insertApiKey,
  isSecret,
  listApiKeys,
  type NewApiKey,
  partsOfKey,
  type Scope,
  SCOPES,
} from '../../store/access/api-key.ts'
import type { Database } from '../../store/database/connection.ts'
import { readConfig } from '../../main/config/config.ts'
import { readSecret } from '../../main/config/secret.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { StartError, UsageError } from '../../main/config/start-error.ts'
import { actor } from '../terminal/actor.ts'
import { type AuditEntry, audit } from '../../store/audit/audit-entry.ts'
import { print } from '../terminal/output.ts'

interface CreateOptions {
  scope?: Scope[]
  publishable?: boolean
  origin?: string[]
  seller?: string
  rate?: number
  file?: string
}

/** Makes a key and prints it, or stores the key of a file. */
export async function createKey(name: string, options: CreateOptions): Promise<void> {
  const key = newKeyOf(name, options)
  const file = options.file === undefined ? undefined : keyTextIn(options.file, key)
  await withDatabase(readConfig(process.env), { name: 'footfall key' }, async (db) => {
    if (file !== undefined) return storeKey(db, key, file)
    const { keyId, text } = await db.transaction().execute(async (tx) => {
      const made = await createApiKey(tx, key)
      await auditKey(tx, 'key.create', made.keyId, key)
      return made
    })
    print(`Key ${keyId} (${key.scopes.join(', ')}). Keep it now, it is not shown again:`, '', `  ${text}`, '')
  })
}

/** Stores a key that was made where the program is deployed. Repeating it with the same key changes nothing. */
async function storeKey(db: Database, key: NewApiKey, text: string): Promise<void> {
  const parts = partsOfKey(text)!
  const isNew = await db.transaction().execute(async (tx) => {
    const isInserted = await insertApiKey(tx, key, parts)
    if (isInserted) await auditKey(tx, 'key.create', parts.keyId, key)
    return isInserted
  })
  if (isNew) {
    print(`Key ${parts.keyId} (${key.scopes.join(', ')}).`)
    return
  }
  const stored = (await listApiKeys(db)).find(({ keyId }) => keyId === parts.keyId)!
  if (!isSecret(parts.secret, stored.secretSha256)) {
    throw new StartError(`Key ${parts.keyId} exists with another secret: make a new key for the file.`)
  }
  if (stored.revokedAt !== null) throw new StartError(`Key ${parts.keyId} was revoked: make a new key for the file.`)
  print(`Key ${parts.keyId} (${stored.scopes.join(', ')}) exists already.`)
}

function keyTextIn(file: string, { isPublishable }: NewApiKey): string {
  if (isPublishable) throw new UsageError('A publishable key is not secret: leave out --file.')
  const text = readSecret('--file', file)
  if (partsOfKey(text) !== undefined && text.startsWith('ff_')) return text
  throw new StartError(`--file is ${file}, which has no key of the form ff_<12 hex digits>_<64 hex digits>.`)
}

function newKeyOf(name: string, { scope, publishable = false, origin = [], seller, rate }: CreateOptions): NewApiKey {
  if (publishable && (scope?.some((wanted) => wanted !== 'ingest') || seller !== undefined)) {
    throw new UsageError('A publishable key can only send events: leave out --seller and every --scope but ingest.')
  }
  if (publishable && origin.length === 0)
    throw new UsageError('A publishable key needs the origin of its pages: --origin https://shop.example.')
  if (!publishable && origin.length > 0) throw new UsageError('Only a publishable key has origins: add --publishable.')
  if (!publishable && scope === undefined) throw new UsageError(`A key needs a scope: --scope ${SCOPES.join(', --scope ')}.`)
  if (seller !== undefined && scope?.some((wanted) => wanted !== 'read')) {
    throw new UsageError("A seller's key can only read that seller's data: leave out every --scope but read.")
  }
  const scopes = publishable ? (['ingest'] as const) : [...new Set(scope)]
  return { name, scopes, isPublishable: publishable, origins: origin, sellerId: seller ?? null, requestsPerMinute: rate ?? null }
}

/** Writes the audit entry of a change of a key. */
export async function auditKey(db: Database, action: AuditEntry['action'], keyId: string, key?: NewApiKey): Promise<void> {
  const metadata = key && { name: key.name, scopes: key.scopes }
  await audit(db, { actor: actor(), action, resourceType: 'key', resourceId: keyId, ...(metadata && { metadata }) })
}
