import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { sql } from 'kysely'
import { expect, inject, onTestFinished } from 'vitest'
import { actor } from '../../src/cli/terminal/actor.ts'
import { keyCommand } from '../../src/cli/commands/key.ts'
import { insertApiKey, isSecret, listApiKeys, partsOfKey } from '../../src/store/access/api-key.ts'
import { runCommand } from '../harness/programs/command.ts'
import { createEmptyDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { makeKey } from '../harness/items/keys.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const run = promisify(execFile)
const FOOTFALL = join(import.meta.dirname, '..', '..', 'src', 'main', 'footfall.js')

const key = (database: TestDatabase, args: string[], url = database.url) =>
  run(process.execPath, [FOOTFALL, 'key', ...args], { env: { ...process.env, DATABASE_URL: url } }).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout, errors: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, text: error.stdout, errors: error.stderr }),
  )

async function stored(db: Database): Promise<string> {
  const { rows } = await sql<{ row: string }>`select to_jsonb(api_key)::text as row from api_key order by created_at`.execute(db)
  return rows.map(({ row }) => row).join('\n')
}

test('a key is made, listed and revoked, and its secret is shown once and stored nowhere', async ({ db, database }) => {
  expect(await key(database, ['list'])).toMatchObject({ code: 0, text: expect.stringContaining('There is no key') })
  const made = await key(database, [
    'create',
    'checkout service',
    '--scope',
    'ingest',
    '--scope',
    'read',
    '--scope',
    'read',
    '--rate',
    '90',
  ])
  const [, id, secret] = /^ {2}ff_([0-9a-f]{12})_([0-9a-f]{64})$/m.exec(made.text)!
  const page = await key(database, [
    'create',
    'shop',
    '--publishable',
    '--origin',
    'https://shop.example/',
    '--origin',
    'http://localhost:5173',
  ])
  const [, pageId, pageSecret] = /^ {2}ffp_([0-9a-f]{12})_([0-9a-f]{64})$/m.exec(page.text)!
  await key(database, ['create', 'seller portal', '--scope', 'read', '--seller', 'seller-1'])

  const listed = await key(database, ['list', '--json'])
  expect(JSON.parse(listed.text)).toMatchObject([
    {
      keyId: id,
      name: 'checkout service',
      scopes: ['ingest', 'read'],
      isPublishable: false,
      requestsPerMinute: 90,
      revokedAt: null,
    },
    { keyId: pageId, scopes: ['ingest'], isPublishable: true, origins: ['https://shop.example', 'http://localhost:5173'] },
    { name: 'seller portal', sellerId: 'seller-1' },
  ])
  const table = await key(database, ['list'])
  for (const name of ['checkout service', 'ingest, from https://shop.example', 'seller-1']) expect(table.text).toContain(name)

  expect(await key(database, ['revoke', id!])).toEqual({ code: 0, text: `Key ${id} is revoked.\n`, errors: '' })
  expect(await key(database, ['revoke', id!])).toEqual({
    code: 1,
    text: '',
    errors: `There is no key ${id}, or it was revoked before.\n`,
  })
  const everything = [listed.text, table.text, (await key(database, ['list', '--json'])).text, await stored(db)].join('\n')
  for (const hidden of [secret!, pageSecret!, 'ecretSha']) expect(everything).not.toContain(hidden)
})

test.for([
  ['no name', ['create'], "missing required argument 'name'"],
  ['an empty name', ['create', ' ', '--scope', 'read'], '1 to 100 characters'],
  ['a long name', ['create', 'x'.repeat(101), '--scope', 'read'], '1 to 100 characters'],
  ['no scope', ['create', 'x'], '--scope ingest, --scope read, --scope manage'],
  ['an unknown scope', ['create', 'x', '--scope', 'admin'], 'The scopes are ingest, read, manage'],
  ['a publishable key without pages', ['create', 'x', '--publishable'], '--origin https://shop.example'],
  [
    'a publishable key that reads',
    ['create', 'x', '--publishable', '--scope', 'read', '--origin', 'https://a.b'],
    'can only send events',
  ],
  [
    'a publishable key of a seller',
    ['create', 'x', '--publishable', '--seller', 's', '--origin', 'https://a.b'],
    'can only send events',
  ],
  ['pages of a secret key', ['create', 'x', '--scope', 'read', '--origin', 'https://a.b'], 'add --publishable'],
  ...['*', 'shop.example', 'https://shop.example/cart', 'null', 'https://a.b,https://c.d', 'file:///x'].map(
    (origin): [string, string[], string] => [
      `${origin} as a page`,
      ['create', 'x', '--publishable', '--origin', origin],
      'scheme and host of a page',
    ],
  ),
  ['no seller', ['create', 'x', '--scope', 'read', '--seller', ''], '1 to 200 characters'],
  ['half a request', ['create', 'x', '--scope', 'read', '--rate', '0.5'], 'whole number from 1'],
  ['no requests', ['create', 'x', '--scope', 'read', '--rate', ''], 'whole number from 1'],
  ['an option that is none', ['create', 'x', '--nonsense'], "unknown option '--nonsense'"],
  ['a command that is none', ['delete', 'x'], "unknown command 'delete'"],
  ['a key that is not there', ['revoke', 'x'], 'There is no key x'],
] as const)(
  '%s is answered with one sentence that names it, and makes no key',
  async ([_name, args, named], { db, database }) => {
    const before = await stored(db)
    const said = await complaintOf(database, args, args[0] === 'revoke' ? 1 : 2)
    expect(said).toContain(named)
    expect(said.trim().split('\n')).toHaveLength(1)
    expect(await stored(db)).toBe(before)
  },
)

/** The output of a command that fails. */
async function complaintOf(database: TestDatabase, args: readonly string[], status = 1): Promise<string> {
  const { code, text } = await runCommand(keyCommand(), [...args], { DATABASE_URL: database.url })
  expect(code).toBe(status)
  return text.trimEnd()
}

/** The output of a command that exits with 0. */
async function printed(database: TestDatabase, command: Command, args: string[], url = database.url): Promise<string> {
  const { code, text } = await runCommand(command, args, { DATABASE_URL: url })
  expect(code).toBe(0)
  return text
}

const newId = () => randomBytes(6).toString('hex')
const newText = (id: string) => `ff_${id}_${randomBytes(32).toString('hex')}`

async function fileOf(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-key-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'key')
  await writeFile(file, text)
  return file
}

const createOf = (file: string) => ['create', 'deployed', '--scope', 'read', '--scope', 'manage', '--file', file]

test('a key that is made from a file is good, and repeating it changes nothing', async ({ db, database }) => {
  const id = newId()
  const text = newText(id)
  const file = await fileOf(`${text}\n`)
  expect(await key(database, createOf(file))).toEqual({ code: 0, text: `Key ${id} (read, manage).\n`, errors: '' })
  const before = await stored(db)
  expect(await key(database, createOf(file))).toEqual({ code: 0, text: `Key ${id} (read, manage) exists already.\n`, errors: '' })
  expect(await stored(db)).toBe(before)
  const { keyId, secret } = partsOfKey(text)!
  const made = (await listApiKeys(db)).find((one) => one.keyId === keyId)!
  expect(made).toMatchObject({ name: 'deployed', scopes: ['read', 'manage'], revokedAt: null })
  expect(isSecret(secret, made.secretSha256)).toBe(true)
})

test('of concurrent commands with the key of a file one makes it', async ({ db }) => {
  const parts = partsOfKey(newText(newId()))!
  const newKey = {
    name: 'x',
    scopes: ['read'] as const,
    isPublishable: false,
    origins: [],
    sellerId: null,
    requestsPerMinute: null,
  }
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => insertApiKey(db, newKey, parts)))
  expect(outcomes.filter(Boolean)).toHaveLength(1)
})

test.for<[string, (database: TestDatabase) => Promise<string>, RegExp]>([
  ['of a revoked key', revokedFile, /^Key [0-9a-f]{12} was revoked: make a new key for the file\.$/],
  [
    'with another secret of a key',
    otherSecretFile,
    /^Key [0-9a-f]{12} exists with another secret: make a new key for the file\.$/,
  ],
  ['with half a key', () => fileOf('ff_0123'), /^--file is .+, which has no key of the form ff_</],
  ['with a key in capitals', () => fileOf(newText(newId()).toUpperCase()), /^--file is .+, which has no key of the form ff_</],
  [
    'with a publishable key',
    () => fileOf(newText(newId()).replace('ff', 'ffp')),
    /^--file is .+, which has no key of the form ff_</,
  ],
  ['with two keys', () => fileOf(`${newText(newId())}\n${newText(newId())}`), /^--file is .+, which has no key of the form ff_</],
  ['with nothing', () => fileOf('\n'), /^--file is .+, which is empty\.$/],
  ['that is missing', async () => '/no/such/file', /^--file is \/no\/such\/file, which cannot be read \(ENOENT\)\.$/],
])(
  'a file %s is answered with one sentence without its text, and makes no key',
  async ([_what, make, sentence], { db, database }) => {
    const file = await make(database)
    const before = await stored(db)
    const said = await complaintOf(database, createOf(file))
    expect(said).toMatch(sentence)
    expect(said).not.toMatch(/[0-9a-f]{64}/i)
    expect(await stored(db)).toBe(before)
  },
)

async function revokedFile(database: TestDatabase): Promise<string> {
  const id = newId()
  const file = await fileOf(newText(id))
  await printed(database, keyCommand(), createOf(file))
  await printed(database, keyCommand(), ['revoke', id])
  return file
}

async function otherSecretFile(database: TestDatabase): Promise<string> {
  const id = newId()
  await printed(database, keyCommand(), createOf(await fileOf(newText(id))))
  return fileOf(newText(id))
}

test('a publishable key cannot be made from a file', async ({ database }) => {
  const file = await fileOf(newText(newId()))
  const said = await complaintOf(database, ['create', 'x', '--publishable', '--origin', 'https://a.b', '--file', file], 2)
  expect(said).toBe('A publishable key is not secret: leave out --file.')
})

test('a command that fails with a file ends with 1', async ({ database }) => {
  const file = await fileOf('none')
  expect(await key(database, createOf(file))).toMatchObject({
    code: 1,
    text: '',
    errors: expect.stringMatching(/^--file is .+\n$/),
  })
})

interface Audited {
  actor: string
  action: string
  type: string
  id: string
  metadata: unknown
}

async function audited(db: Database): Promise<Audited[]> {
  const { rows } = await sql<Audited>`
    select actor, action, resource_type as type, resource_id as id, metadata from audit_entry order by audit_id`.execute(db)
  return rows
}

test('making and revoking a key are audited once, and failed attempts are not', async ({ db, database }) => {
  const before = (await audited(db)).length
  const id = newId()
  const file = await fileOf(newText(id))
  await printed(database, keyCommand(), createOf(file))
  await printed(database, keyCommand(), createOf(file))
  const made = await printed(database, keyCommand(), ['create', 'shop', '--publishable', '--origin', 'https://a.b'])
  const [, otherId] = /ffp_([0-9a-f]{12})_/.exec(made)!
  await printed(database, keyCommand(), ['revoke', id])
  await complaintOf(database, ['revoke', id])
  await complaintOf(database, createOf(file))
  const common = { actor: actor(), type: 'key' }
  expect((await audited(db)).slice(before)).toEqual([
    { ...common, action: 'key.create', id, metadata: { name: 'deployed', scopes: ['read', 'manage'] } },
    { ...common, action: 'key.create', id: otherId, metadata: { name: 'shop', scopes: ['ingest'] } },
    { ...common, action: 'key.revoke', id, metadata: {} },
  ])
  const { rows } = await sql`select from audit_entry where at between now() - interval '1 hour' and now()`.execute(db)
  expect(rows).toHaveLength(before + 3)
})

test('a key is neither made nor revoked without an audit entry', async ({ db, database }) => {
  const { keyId } = await makeKey(db)
  const before = await stored(db)
  await sql`alter table audit_entry rename to audit_entry_away`.execute(db)
  onTestFinished(async () => void (await sql`alter table audit_entry_away rename to audit_entry`.execute(db)))
  const calls = [['create', 'x', '--scope', 'read'], createOf(await fileOf(newText(newId()))), ['revoke', keyId]]
  for (const args of calls) expect(await complaintOf(database, args)).toContain('not prepared')
  expect(await stored(db)).toBe(before)
})

test('an unprepared database is reported with the command that prepares it', async ({ database }) => {
  const { url, drop } = await createEmptyDatabase(inject('postgresUrl'))
  const answers = await Promise.all([
    key(database, ['create', 'x', '--scope', 'read'], url),
    key(database, ['list'], url),
    key(database, ['revoke', 'x'], url),
  ])
  await drop()
  for (const { code, errors } of answers) {
    expect(code).toBe(1)
    expect(errors).toMatch(/^.*\.\/footfall migrate.*\n$/)
  }
})
