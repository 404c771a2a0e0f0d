import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../src/main/config/config.ts'
import { tokenSettingsOf } from '../../src/main/config/seller-tokens.ts'
import { StartError } from '../../src/main/config/start-error.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-secrets-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function fileOf(text: string): Promise<string> {
  const file = join(folder, 'password')
  await writeFile(file, text)
  return file
}

const withPassword = (file: string, url?: string) =>
  readConfig({ DATABASE_PASSWORD_FILE: file, ...(url !== undefined && { DATABASE_URL: url }) })
const URL_WITHOUT = 'postgres://footfall_endpoint@db:5432/footfall?sslmode=disable'

test.each(['plain', 'a/b:c@d%', '%41', 'it\'s [#1]? \\ "ünï" 🛒', ' inner  spaces '])(
  'the password %j of the file replaces only the password of the address',
  async (password) => {
    const { DATABASE_URL } = withPassword(await fileOf(`${password}\n`), URL_WITHOUT)
    const { user, host, port, database, password: used } = new pg.Client({ connectionString: DATABASE_URL! })
    expect(used).toBe(password.trim())
    expect({ user, host, port, database }).toEqual({ user: 'footfall_endpoint', host: 'db', port: 5432, database: 'footfall' })
    expect(new URL(DATABASE_URL!).search).toBe('?sslmode=disable')
  },
)

test('the password of the file overrides the one of the address', async () => {
  const { DATABASE_URL } = withPassword(await fileOf('new'), 'postgres://me:old@db/x')
  expect(DATABASE_URL).toBe('postgres://me:new@db/x')
})

test('without a password file the address is unchanged', () => {
  expect(readConfig({ DATABASE_URL: 'postgres://me:a%2Fb@db/x' }).DATABASE_URL).toBe('postgres://me:a%2Fb@db/x')
})

test('a password file without an address, or with an address without a host, is refused', async () => {
  const file = await fileOf('secret')
  expect(() => withPassword(file)).toThrow(new StartError('DATABASE_PASSWORD_FILE is set: set DATABASE_URL too, or unset it.'))
  expect(() => withPassword(file, 'postgres:///footfall?host=/run/postgresql')).toThrow(
    new StartError('DATABASE_PASSWORD_FILE is set: name a host in DATABASE_URL, or unset it.'),
  )
})

test('a missing, empty or unreadable password file is refused with the name of the setting', async () => {
  const missing = join(folder, 'missing')
  const empty = await fileOf(' \n')
  const sentences: [string, string][] = [
    [missing, `DATABASE_PASSWORD_FILE is ${missing}, which cannot be read (ENOENT).`],
    [folder, `DATABASE_PASSWORD_FILE is ${folder}, which cannot be read (EISDIR).`],
    [empty, `DATABASE_PASSWORD_FILE is ${empty}, which is empty.`],
  ]
  for (const [file, sentence] of sentences) expect(() => withPassword(file, URL_WITHOUT)).toThrow(new StartError(sentence))
})

test('the settings of tokens are refused unless all or none are set', () => {
  const url = { SELLER_JWKS_URL: 'https://login.example/jwks' }
  const others = { SELLER_JWT_ISSUER: 'https://login.example/', SELLER_JWT_AUDIENCE: 'footfall' }
  const sentence = 'Set all of SELLER_JWKS_URL, SELLER_JWT_ISSUER and SELLER_JWT_AUDIENCE, or none.'
  for (const some of [url, others, { ...url, SELLER_JWT_ISSUER: 'x' }, { SELLER_JWT_AUDIENCE: 'x' }]) {
    expect(() => readConfig(some)).toThrow(new StartError(sentence))
  }
  expect(tokenSettingsOf(readConfig({ SELLER_JWT_CLAIM: 'shop' }))).toBeUndefined()
  expect(tokenSettingsOf(readConfig({ ...url, ...others }))).toEqual({
    jwksUrl: 'https://login.example/jwks',
    issuer: 'https://login.example/',
    audience: 'footfall',
    claim: 'seller_id',
  })
})
