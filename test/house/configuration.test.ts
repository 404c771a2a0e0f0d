import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addressesIn } from '../../src/ingress/addresses.ts'
import { restateUiUrlOf } from '../../src/main/config/addresses.ts'
import { databaseAddresses } from '../../src/store/database/addresses.ts'
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

const PROBLEM = (name: string, sentence: string) => new StartError(`Change these environment variables: ${name} ${sentence}.`)

test.each([
  ['a', 'must be a URL such as http://127.0.0.1:8080'],
  ['ftp://a', 'must be a URL such as http://127.0.0.1:8080'],
  ['http://a,', 'has a comma without an address after it: remove the comma'],
  ['http://a,,http://b', 'has a comma without an address after it: remove the comma'],
  ['http://a:1,b:1', 'must be a URL such as http://127.0.0.1:8080'],
  ['http://a,b', 'must begin with http:// or https:// after each comma'],
  ['http://a,http://b:x', 'has 2 addresses, and number 2 must be a URL such as http://127.0.0.1:8080'],
  ['http://a:8080,http://b,http://A:8080/', 'has 3 addresses, and number 3 must differ from those before it'],
  ['http://me:secret@a', 'must have no user and no password, because Restate has no logins'],
  ['http://a,http://me@b', 'has 2 addresses, and number 2 must have no user and no password, because Restate has no logins'],
  ['http://a/?x=1', 'must end before ? and #'],
])('RESTATE_INGRESS_URL %j %s', (value, sentence) => {
  expect(() => readConfig({ RESTATE_INGRESS_URL: value })).toThrow(PROBLEM('RESTATE_INGRESS_URL', sentence))
})

test.each([
  ['postgres://a/x,', 'has a comma without an address after it: remove the comma'],
  ['postgres://a/x,b/x', 'must begin with postgres:// after each comma'],
  ['postgres://a/x,postgres://b/y', 'must name the same database in each address'],
  ['postgres://me:1@a/x,postgres://me:2@a/x', 'has 2 addresses, and number 2 must differ from those before it'],
  ['postgres://a:1,b:x/x', 'has 2 addresses, and number 2 must be a URL such as postgres://user:password@host:5432/footfall'],
])('DATABASE_URL %j %s', (value, sentence) => {
  expect(() => readConfig({ DATABASE_URL: value })).toThrow(PROBLEM('DATABASE_URL', sentence))
})

test('several addresses may have names, IPv6 addresses, paths, both schemes, and blanks around the commas', () => {
  const text = 'http://n1:8080 , https://[::1]:8080/restate/,http://10.0.0.3:8080'
  const { RESTATE_INGRESS_URL } = readConfig({ RESTATE_INGRESS_URL: text })
  expect(addressesIn(RESTATE_INGRESS_URL!)).toEqual(['http://n1:8080', 'https://[::1]:8080/restate', 'http://10.0.0.3:8080'])
})

test.each([
  ['postgres://u:p@a:1/x', ['postgres://u:p@a:1/x']],
  ['postgres://u:p,w@a:1/x', ['postgres://u:p,w@a:1/x']],
  ['postgres://u:p,w@a:1/x?y=1 , postgresql://b/x', ['postgres://u:p,w@a:1/x?y=1', 'postgresql://b/x']],
  [
    'postgres://u:p,w@a:1,[::2]:2,c/x?y=1',
    ['postgres://u:p,w@a:1/x?y=1', 'postgres://u:p,w@[::2]:2/x?y=1', 'postgres://u:p,w@c/x?y=1'],
  ],
])('DATABASE_URL %j is %j', (text, addresses) => {
  expect(databaseAddresses(readConfig({ DATABASE_URL: text }).DATABASE_URL!)).toEqual(addresses)
})

test('the password of the file is that of each address', async () => {
  const { DATABASE_URL } = withPassword(await fileOf('new,1'), 'postgres://me@a:1,b:2/x')
  expect(databaseAddresses(DATABASE_URL!)).toEqual(['postgres://me:new%2C1@a:1/x', 'postgres://me:new%2C1@b:2/x'])
})

test('the link to the UI of Restate is that of the first address', () => {
  const config = readConfig({
    RESTATE_INGRESS_URL: 'http://a:8080,http://b:8080',
    RESTATE_ADMIN_URL: 'http://a:9070/,http://b:9070',
  })
  expect(restateUiUrlOf(config)).toBe('http://a:9070/ui')
})
