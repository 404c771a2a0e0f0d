import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { keyCommand } from '../src/main/commands/key.ts'
import { StartError } from '../src/main/embedded/process.ts'
import { connect } from '../src/store/database.ts'
import { createDatabase, type TestDatabase } from './harness/database.ts'

const run = promisify(execFile)
const FOOTFALL = join(import.meta.dirname, '..', 'src', 'main', 'footfall.js')

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
})
afterAll(() => database.drop())

const key = (args: string[], url = database.url) =>
  run(process.execPath, [FOOTFALL, 'key', ...args], { env: { ...process.env, DATABASE_URL: url } }).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout, errors: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, text: error.stdout, errors: error.stderr }),
  )

async function stored(): Promise<string> {
  const { rows } = await sql<{ row: string }>`select to_jsonb(api_key)::text as row from api_key order by created_at`.execute(
    database.db,
  )
  return rows.map(({ row }) => row).join('\n')
}

test('a key is made, listed and revoked, and its secret is shown once and stored nowhere', async () => {
  expect(await key(['list'])).toMatchObject({ code: 0, text: expect.stringContaining('There is no key') })
  const made = await key([
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
  const page = await key([
    'create',
    'shop',
    '--publishable',
    '--origin',
    'https://shop.example/',
    '--origin',
    'http://localhost:5173',
  ])
  const [, pageId, pageSecret] = /^ {2}ffp_([0-9a-f]{12})_([0-9a-f]{64})$/m.exec(page.text)!
  await key(['create', 'seller portal', '--scope', 'read', '--seller', 'seller-1'])

  const listed = await key(['list', '--json'])
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
  const table = await key(['list'])
  for (const name of ['checkout service', 'ingest, from https://shop.example', 'seller-1']) expect(table.text).toContain(name)

  expect(await key(['revoke', id!])).toEqual({ code: 0, text: `Key ${id} is revoked.\n`, errors: '' })
  expect(await key(['revoke', id!])).toEqual({ code: 1, text: '', errors: `There is no key ${id}, or it was revoked before.\n` })
  const everything = [listed.text, table.text, (await key(['list', '--json'])).text, await stored()].join('\n')
  for (const hidden of [secret!, pageSecret!, 'ecretSha']) expect(everything).not.toContain(hidden)
})

test.each([
  ['no name', ['create'], "missing required argument 'name'"],
  ['an empty name', ['create', ' ', '--scope', 'read'], '1 to 100 characters'],
  ['a long name', ['create', 'x'.repeat(101), '--scope', 'read'], '1 to 100 characters'],
  ['no scope', ['create', 'x'], '--scope ingest, --scope read, --scope manage'],
  ['an unknown scope', ['create', 'x', '--scope', 'admin'], 'one of ingest, read, manage'],
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
])('%s is answered with one sentence that names it, and makes no key', async (_name, args: string[], named) => {
  const before = await stored()
  const said = await complaintOf(args)
  expect(said).toContain(named)
  expect(said.trim().split('\n')).toHaveLength(1)
  expect(await stored()).toBe(before)
})

/** What the command says before it ends with 1; without a process, which takes a second. */
async function complaintOf(args: string[]): Promise<string> {
  vi.stubEnv('DATABASE_URL', database.url)
  let said = ''
  const command = keyCommand()
  for (const one of [command, ...command.commands]) {
    one.exitOverride().configureOutput({ writeErr: (text) => (said += text) })
  }
  const error = await command.parseAsync(args, { from: 'user' }).catch((thrown: Error) => thrown)
  vi.unstubAllEnvs()
  if (error instanceof StartError) return error.message
  expect(error).toMatchObject({ exitCode: 1 })
  return said
}

test('a database that was never prepared is named with what prepares it', async () => {
  const server = connect({ url: inject('postgresUrl'), name: 'test', connectionsMax: 1 })
  await sql`create database never_prepared template template0`.execute(server)
  const url = new URL(inject('postgresUrl'))
  url.pathname = '/never_prepared'
  const answers = await Promise.all([
    key(['create', 'x', '--scope', 'read'], url.href),
    key(['list'], url.href),
    key(['revoke', 'x'], url.href),
  ])
  await sql`drop database never_prepared with (force)`.execute(server)
  await server.destroy()
  for (const { code, errors } of answers) {
    expect(code).toBe(1)
    expect(errors).toMatch(/^.*npx footfall migrate.*\n$/)
  }
})
