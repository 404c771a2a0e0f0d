import { Command, InvalidArgumentError } from 'commander'
import {
  type ApiKey,
  createApiKey,
  insertApiKey,
  isSecret,
  listApiKeys,
  type NewApiKey,
  partsOfKey,
  revokeApiKey,
  type Scope,
  SCOPES,
} from '../../store/access/api-key.ts'
import type { Database } from '../../store/database/connection.ts'
import { actor } from '../terminal/actor.ts'
import { readConfig } from '../../main/config/config.ts'
import { readSecret } from '../../main/config/secret.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { type AuditEntry, audit } from '../../store/audit/audit-entry.ts'
import { StartError } from '../../main/config/start-error.ts'
import { Id } from '../../contract/id.ts'

interface CreateOptions {
  scope?: Scope[]
  publishable?: boolean
  origin?: string[]
  seller?: string
  rate?: number
  file?: string
}

const NAME_CHARACTERS_MAX = 100
const RATE_MAX = 10_000_000

/** Keys are in the database; a running gateway knows of a new or revoked one within a second. */
export function keyCommand(): Command {
  return new Command('key')
    .description('Make, list and revoke the keys of the gateway. From the first key on, every request needs one.')
    .addCommand(
      new Command('create')
        .description('Make a key and print it. Its secret is not kept and cannot be shown again.')
        .argument('<name>', 'a name for its user, e.g. "checkout service"', nameOf)
        .option('--scope <scope>', `a permission, repeatable: ${SCOPES.join(', ')}`, scopesOf)
        .option('--publishable', 'for a web page: the key can only send events, from pages of its origins')
        .option('--origin <origin>', 'the origin of pages that may use it, repeatable, e.g. https://shop.example', originsOf)
        .option('--seller <id>', 'the key reads the data of this seller only', sellerOf)
        .option('--rate <requests>', 'requests per minute', rateOf)
        .option(
          '--file <file>',
          'take the secret key in this file, ff_<12 hex digits>_<64 hex digits>, instead of making one; safe to repeat',
        )
        .action(create),
    )
    .addCommand(
      new Command('list').description('List the keys, including revoked ones.').option('--json', 'as JSON').action(list),
    )
    .addCommand(
      new Command('revoke').description('Revoke a key permanently.').argument('<id>', 'id of the key, as listed').action(revoke),
    )
}

async function create(name: string, options: CreateOptions): Promise<void> {
  const key = newKeyOf(name, options)
  const file = options.file === undefined ? undefined : keyTextIn(options.file, key)
  await withDatabase(readConfig(process.env), { name: 'footfall key' }, async (db) => {
    if (file !== undefined) return storeKey(db, key, file)
    const { keyId, text } = await db.transaction().execute(async (tx) => {
      const made = await createApiKey(tx, key)
      await auditKey(tx, 'key.create', made.keyId, key)
      return made
    })
    console.log(`Key ${keyId} (${key.scopes.join(', ')}). Keep it now, it is not shown again:\n\n  ${text}\n`)
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
    console.log(`Key ${parts.keyId} (${key.scopes.join(', ')}).`)
    return
  }
  const stored = (await listApiKeys(db)).find(({ keyId }) => keyId === parts.keyId)!
  if (!isSecret(parts.secret, stored.secretSha256)) {
    throw new StartError(`Key ${parts.keyId} exists with another secret: make a new key for the file.`)
  }
  if (stored.revokedAt !== null) throw new StartError(`Key ${parts.keyId} was revoked: make a new key for the file.`)
  console.log(`Key ${parts.keyId} (${stored.scopes.join(', ')}) exists already.`)
}

function keyTextIn(file: string, { isPublishable }: NewApiKey): string {
  if (isPublishable) throw new StartError('A publishable key is not secret: leave out --file.')
  const text = readSecret('--file', file)
  if (partsOfKey(text) !== undefined && text.startsWith('ff_')) return text
  throw new StartError(`--file is ${file}, which has no key of the form ff_<12 hex digits>_<64 hex digits>.`)
}

async function auditKey(db: Database, action: AuditEntry['action'], keyId: string, key?: NewApiKey): Promise<void> {
  const metadata = key && { name: key.name, scopes: key.scopes }
  await audit(db, { actor: actor(), action, resourceType: 'key', resourceId: keyId, ...(metadata && { metadata }) })
}

function newKeyOf(name: string, { scope, publishable = false, origin = [], seller, rate }: CreateOptions): NewApiKey {
  if (publishable && (scope?.some((name) => name !== 'ingest') || seller !== undefined)) {
    throw new StartError('A publishable key can only send events: leave out --seller and every --scope but ingest.')
  }
  if (publishable && origin.length === 0)
    throw new StartError('A publishable key needs the origin of its pages: --origin https://shop.example.')
  if (!publishable && origin.length > 0) throw new StartError('Only a publishable key has origins: add --publishable.')
  if (!publishable && scope === undefined) throw new StartError(`A key needs a scope: --scope ${SCOPES.join(', --scope ')}.`)
  if (seller !== undefined && scope?.some((name) => name !== 'read')) {
    throw new StartError("A seller's key can only read that seller's data: leave out every --scope but read.")
  }
  const scopes = publishable ? (['ingest'] as const) : [...new Set(scope)]
  return { name, scopes, isPublishable: publishable, origins: origin, sellerId: seller ?? null, requestsPerMinute: rate ?? null }
}

async function list(options: { json?: boolean }): Promise<void> {
  await withDatabase(readConfig(process.env), { name: 'footfall key', readOnly: true }, async (db) => {
    const keys = await listApiKeys(db)
    if (options.json) console.log(JSON.stringify(keys.map(withoutSecret), null, 2))
    else if (keys.length === 0) console.log('There is no key: only this machine may call the gateway, and it may do everything.')
    else console.table(keys.map(lineOf))
  })
}

function withoutSecret({
  keyId,
  name,
  scopes,
  isPublishable,
  origins,
  sellerId,
  requestsPerMinute,
  createdAt,
  revokedAt,
}: ApiKey) {
  return { keyId, name, scopes, isPublishable, origins, sellerId, requestsPerMinute, createdAt, revokedAt }
}

function lineOf(key: ApiKey) {
  return {
    id: key.keyId,
    name: key.name,
    may: key.isPublishable ? `ingest, from ${key.origins.join(' ')}` : key.scopes.join(' '),
    seller: key.sellerId ?? '',
    'a minute': key.requestsPerMinute ?? 'default',
    made: key.createdAt.toISOString(),
    revoked: key.revokedAt?.toISOString() ?? '',
  }
}

async function revoke(keyId: string): Promise<void> {
  await withDatabase(readConfig(process.env), { name: 'footfall key' }, async (db) => {
    await db.transaction().execute(async (tx) => {
      if (!(await revokeApiKey(tx, keyId))) throw new StartError(`There is no key ${keyId}, or it was revoked before.`)
      await auditKey(tx, 'key.revoke', keyId)
    })
    console.log(`Key ${keyId} is revoked.`)
  })
}

/** Actors that are not keys: no key may have these names. */
const NOT_NAMES = ['footfall', 'local', 'unknown']

function nameOf(text: string): string {
  if (NOT_NAMES.includes(text)) throw new InvalidArgumentError('Audit entries use this name for callers without a key.')
  if (text.trim() !== '' && text.length <= NAME_CHARACTERS_MAX) return text
  throw new InvalidArgumentError(`It has 1 to ${NAME_CHARACTERS_MAX} characters.`)
}

function sellerOf(text: string): string {
  if (Id.safeParse(text).success) return text
  throw new InvalidArgumentError('It has 1 to 200 characters.')
}

function scopesOf(text: string, before: Scope[] = []): Scope[] {
  if (SCOPES.includes(text as Scope)) return [...before, text as Scope]
  throw new InvalidArgumentError(`The scopes are ${SCOPES.join(', ')}.`)
}

/** An origin as browsers write it: scheme, host and port. */
function originsOf(text: string, before: string[] = []): string[] {
  const origin = URL.parse(text)?.origin
  if (origin !== undefined && origin !== 'null' && origin === text.replace(/\/$/, '')) return [...before, origin]
  throw new InvalidArgumentError('It is the scheme and host of a page, such as https://shop.example.')
}

function rateOf(text: string): number {
  const rate = Number(text)
  if (Number.isInteger(rate) && rate >= 1 && rate <= RATE_MAX) return rate
  throw new InvalidArgumentError(`It is a whole number from 1 to ${RATE_MAX}.`)
}
