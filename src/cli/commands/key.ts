import { Command, InvalidArgumentError } from 'commander'
import { type ApiKey, listApiKeys, revokeApiKey, type Scope, SCOPES } from '../../store/access/api-key.ts'
import { originOf, originProblem } from '../../gateway/access/origins.ts'
import { readConfig } from '../../main/config/config.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { StartError } from '../../main/config/start-error.ts'
import { KEY_NAME_CHARACTERS_MAX, KEY_RATE_MAX, NAMES_OF_NO_KEY } from '../../contract/key.ts'
import { Id } from '../../contract/fields/id.ts'
import { auditKey, createKey } from './key-create.ts'
import { wholeNumber } from './whole-number.ts'
import { print, printJson, printTable } from '../terminal/output.ts'

/** Keys are in the database. A running gateway knows a new or revoked key within a second. */
export function keyCommand(): Command {
  return new Command('key')
    .description('Make, list and revoke the keys of the gateway. From the first key on, every request needs one.')
    .addCommand(
      new Command('create')
        .description('Make a key and print it. Its secret is not kept and cannot be shown again.')
        .argument('<name>', 'a name for its user, e.g. "checkout service"', nameOf)
        .option('--scope <scope>', `a permission, repeatable: ${SCOPES.join(', ')}`, scopesOf)
        .option('--publishable', 'for a web page: the key can only send events, from pages of its origins')
        .option(
          '--origin <origin>',
          'the origin of pages that may use it, repeatable, e.g. https://shop.example or https://*.shop.example',
          originsOf,
        )
        .option('--seller <id>', 'the key reads the data of this seller only', sellerOf)
        .option('--rate <requests>', 'requests per minute', wholeNumber(1, KEY_RATE_MAX))
        .option(
          '--file <file>',
          'take the secret key in this file, ff_<12 hex digits>_<64 hex digits>, instead of making one; safe to repeat',
        )
        .action(createKey),
    )
    .addCommand(
      new Command('list').description('List the keys, including revoked ones.').option('--json', 'as JSON').action(list),
    )
    .addCommand(
      new Command('revoke').description('Revoke a key permanently.').argument('<id>', 'id of the key, as listed').action(revoke),
    )
}

async function list(options: { json?: boolean }): Promise<void> {
  await withDatabase(readConfig(process.env), { name: 'footfall key', readOnly: true }, async (db) => {
    const keys = await listApiKeys(db)
    if (options.json) printJson(keys.map(withoutSecret))
    else if (keys.length === 0) print('There is no key: only this machine may call the gateway, and it may do everything.')
    else printTable(keys.map(lineOf))
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
  lastUsedAt,
}: ApiKey) {
  return { keyId, name, scopes, isPublishable, origins, sellerId, requestsPerMinute, createdAt, revokedAt, lastUsedAt }
}

function lineOf(key: ApiKey) {
  return {
    id: key.keyId,
    name: key.name,
    may: key.isPublishable ? `ingest, from ${key.origins.join(' ')}` : key.scopes.join(' '),
    seller: key.sellerId ?? '',
    'a minute': key.requestsPerMinute ?? 'default',
    made: key.createdAt.toISOString(),
    used: key.lastUsedAt?.toISOString() ?? '',
    revoked: key.revokedAt?.toISOString() ?? '',
  }
}

async function revoke(keyId: string): Promise<void> {
  await withDatabase(readConfig(process.env), { name: 'footfall key' }, async (db) => {
    await db.transaction().execute(async (tx) => {
      if (!(await revokeApiKey(tx, keyId))) throw new StartError(`There is no key ${keyId}, or it was revoked before.`)
      await auditKey(tx, 'key.revoke', keyId)
    })
    print(`Key ${keyId} is revoked.`)
  })
}

function nameOf(text: string): string {
  if (NAMES_OF_NO_KEY.includes(text)) throw new InvalidArgumentError('Audit entries use this name for callers without a key.')
  if (text.trim() !== '' && text.length <= KEY_NAME_CHARACTERS_MAX) return text
  throw new InvalidArgumentError(`It has 1 to ${KEY_NAME_CHARACTERS_MAX} characters.`)
}

function sellerOf(text: string): string {
  if (Id.safeParse(text).success) return text
  throw new InvalidArgumentError('It has 1 to 200 characters.')
}

function scopesOf(text: string, before: Scope[] = []): Scope[] {
  if (SCOPES.includes(text as Scope)) return [...before, text as Scope]
  throw new InvalidArgumentError(`The scopes are ${SCOPES.join(', ')}.`)
}

function originsOf(text: string, before: string[] = []): string[] {
  const origin = originOf(text)
  if (origin !== undefined) return [...before, origin]
  throw new InvalidArgumentError(originProblem(text))
}
