import crypto from 'node:crypto'
import { request as requestHttp } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest'
import { until } from '../src/main/embedded/process.ts'
import { createApiKey, type NewApiKey, revokeApiKey } from '../src/store/api-key.ts'
import { connect } from '../src/store/database.ts'
import { KEYS_MS_MAX } from '../src/gateway/key-ring.ts'
import { createDatabase, type TestDatabase } from './harness/database.ts'
import { SETTINGS, startGateway, type TestGateway } from './harness/gateway.ts'
import { type Stack, startStack } from './harness/stack.ts'
import { startWire } from './harness/wire.ts'

const INGEST = '/api/v1/analytic/interaction'
const READ = '/api/v1/analytic/popularity/top'
const MANAGE = '/api/v1/analytic/verify'
const SHOP = 'https://shop.example'
const ELSEWHERE = 'https://elsewhere.example'

let database: TestDatabase
let stack: Stack
let gateway: TestGateway
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
  stack = await startStack(database.db)
  await makeKeys()
  gateway = await startGateway(database.url, stack)
})
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})
afterAll(async () => {
  await gateway.stop()
  await stack.stop()
  await database.drop()
})

const keys = { ingest: '', read: '', manage: '', shop: '', seller: '', revoked: '' }

async function makeKeys(): Promise<void> {
  keys.ingest = (await makeKey({ scopes: ['ingest'] })).text
  keys.read = (await makeKey({ scopes: ['read'] })).text
  keys.manage = (await makeKey({ scopes: ['manage'] })).text
  keys.shop = (await makeKey({ isPublishable: true, origins: [SHOP] })).text
  keys.seller = (await makeKey({ scopes: ['ingest', 'read', 'manage'], sellerId: 'seller-1' })).text
  const revoked = await makeKey()
  await revokeApiKey(database.db, revoked.keyId)
  keys.revoked = revoked.text
}

function makeKey(changes: Partial<NewApiKey> = {}, db = database.db): Promise<{ keyId: string; text: string }> {
  const key = { name: 'test', scopes: ['ingest'] as const, isPublishable: false, origins: [], sellerId: null }
  return createApiKey(db, { ...key, requestsPerMinute: null, ...changes })
}

interface Answer {
  status: number
  headers: Headers
  json: { data?: { accepted: number }; error?: { code: string; message: string } }
}

interface Asked {
  path?: string
  key?: string
  headers?: Record<string, string>
  body?: string | undefined
  method?: string
  url?: string
}

const events = (product = 'lamp') =>
  JSON.stringify({ interactions: [{ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: product }] })

/** A batch with a key unless something else is asked for. */
async function ask({ path = INGEST, key, headers = {}, body, method, url = gateway.url }: Asked): Promise<Answer> {
  const isIngest = path.startsWith(INGEST) && method === undefined
  const answer = await fetch(url + path, {
    method: method ?? (isIngest ? 'POST' : 'GET'),
    headers: {
      ...(isIngest ? { 'content-type': 'application/json' } : {}),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...headers,
    },
    body: isIngest ? (body ?? events()) : null,
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, json: text === '' ? {} : (JSON.parse(text) as Answer['json']) }
}

const inPage = (origin = SHOP) => ({ origin, 'content-type': 'text/plain;charset=UTF-8' })
const asShop = (key = keys.shop) => `${INGEST}?key=${key}`

test.each([
  ['ingest', INGEST, 200],
  ['ingest', READ, 403],
  ['ingest', MANAGE, 403],
  ['read', INGEST, 403],
  ['read', READ, 200],
  ['read', MANAGE, 403],
  ['manage', INGEST, 403],
  ['manage', READ, 403],
  ['manage', MANAGE, 200],
  ['manage', '/api/v1/analytic/rejected', 200],
  ['read', '/api/v1/analytic/rejected', 403],
  ['shop', READ, 403],
  ['shop', MANAGE, 403],
  ['seller', INGEST, 403],
  ['seller', READ, 403],
  ['seller', READ.replace('top', 'lamp'), 403],
  ['seller', MANAGE, 403],
] as const)('a key that may %s is answered at %s with %i', async (name, path, status) => {
  const { status: answered, json, headers } = await ask({ path, key: keys[name] })
  expect(answered).toBe(status)
  if (status !== 403) return
  expect(json.error).toMatchObject({ code: 'forbidden', message: expect.stringMatching(/scope|seller/) })
  expect(headers.get('www-authenticate')).toBeNull()
})

const secretOf = (text: string) => text.split('_')[2]!

/** Each by what is wrong with it. */
const WRONG: [name: string, key: () => string | undefined][] = [
  ['none', () => undefined],
  ['an unknown id', () => `ff_${'0'.repeat(12)}_${secretOf(keys.read)}`],
  ['a wrong secret', () => keys.read.replace(/.$/, (last) => (last === '0' ? '1' : '0'))],
  ["another key's secret", () => `ff_${keys.read.split('_')[1]}_${secretOf(keys.ingest)}`],
  ['a revoked one', () => keys.revoked],
  ['no form', () => 'hello'],
  ['nothing', () => ''],
  ['one character too many', () => `${keys.read}0`],
  ['capitals', () => keys.read.toUpperCase()],
  ['quotes', () => "ff_' or 1=1 --_x"],
  ['10 KB', () => 'f'.repeat(10_000)],
]

test.each(WRONG)('with %s as key the answer is 401 in the shape of the contract', async (name, key) => {
  const shown = key()
  for (const path of [READ, INGEST, MANAGE]) {
    const { status, json, headers } = await ask({ path, ...(shown === undefined ? {} : { key: shown }) })
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toBe('Bearer')
    const message = name === 'none' ? 'show a key: Authorization: Bearer <key>' : 'the key is not known, or was revoked'
    expect(json).toEqual({ error: { code: 'unauthorized', message } })
  }
})

test.each(WRONG.slice(1))('%s as key costs one hash that is compared in constant time', async (_name, key) => {
  const compared = vi.spyOn(crypto, 'timingSafeEqual')
  const hashed = vi.spyOn(crypto, 'createHash')
  syncBuiltinESMExports()
  await ask({ path: READ, key: keys.read })
  await ask({ path: READ, key: key()! })
  expect([compared.mock.calls.length, hashed.mock.calls.length]).toEqual([2, 2])
})

test.each(['x-management-key', 'authorization'])('a key may be shown in %s', async (header) => {
  expect((await ask({ path: READ, headers: { [header]: keys.read } })).status).toBe(200)
})

test('what is open needs no key, what is unknown is not found, and everything else is shut', async () => {
  for (const path of ['/health', '/ready', '/openapi.json', '/']) expect((await fetch(gateway.url + path)).status).toBe(200)
  expect((await ask({ path: '/metrics' })).status).toBe(401)
  expect(await ask({ path: '/api/v1/nonsense' })).toMatchObject({ status: 404, json: { error: { code: 'not_found' } } })
  const { paths } = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as { paths: Record<string, object> }
  for (const [path, methods] of Object.entries(paths).filter(([path]) => path.startsWith('/api/'))) {
    for (const method of Object.keys(methods)) {
      const answer = await fetch(gateway.url + path.replaceAll(/[{}]/g, ''), { method: method.toUpperCase() })
      expect([path, answer.status]).toEqual([path, 401])
    }
  }
})

test('a new key works and a revoked one stops within seconds, without a restart', async () => {
  const { keyId, text } = await makeKey({ scopes: ['read'] })
  const statusIs = (status: number) => until(async () => (await ask({ path: READ, key: text })).status === status, 5_000)
  expect(await statusIs(200)).toBe(true)
  expect(await revokeApiKey(database.db, keyId)).toBe(true)
  expect(await statusIs(401)).toBe(true)
  expect(await revokeApiKey(database.db, keyId)).toBe(false)
})

test('from the first key on nobody gets in without one, also when all of them are revoked', async () => {
  const own = await createDatabase(inject('postgresUrl'))
  const opened = await startGateway(own.url, stack)
  const status = async (key?: string) =>
    (await ask({ path: READ, url: opened.url, ...(key === undefined ? {} : { key }) })).status
  expect(await status()).toBe(200)
  const { keyId, text } = await makeKey({ scopes: ['read'] }, own.db)
  expect(await until(async () => (await status()) === 401, 5_000)).toBe(true)
  expect(await status(text)).toBe(200)
  await revokeApiKey(own.db, keyId)
  expect(await until(async () => (await status(text)) === 401, 5_000)).toBe(true)
  expect(await status()).toBe(401)
  await opened.stop()
  await own.drop()
})

test('a gateway that others can reach lets nobody in before there is a key', async () => {
  const own = await createDatabase(inject('postgresUrl'))
  const opened = await startGateway(own.url, stack, { settings: { ...SETTINGS, isPublic: true } })
  expect((await ask({ path: READ, url: opened.url })).status).toBe(401)
  await opened.stop()
  await own.drop()
})

test('while PostgreSQL is away known keys are known and probes are answered', async () => {
  const wire = await startWire(database.url)
  const db = connect({ url: wire.url, name: 'test gateway', readOnly: true })
  const patient = await startGateway(database.url, stack, { db })
  const status = async (key: string) => (await ask({ key, url: patient.url })).status
  expect(await status(keys.ingest)).toBe(200)
  await wire.cut()
  const { text } = await makeKey()
  for (let n = 0; n < 3; n++) {
    expect([await status(keys.ingest), await status(keys.read), await status(keys.revoked)]).toEqual([200, 403, 401])
  }
  expect(await status(text)).toBe(401)
  await wire.mend()
  expect(await until(async () => (await status(text)) === 200, 10_000)).toBe(true)
  await patient.stop()
  await wire.cut()
  await db.destroy()
})

test('while PostgreSQL takes everything and answers nothing known keys are known', async () => {
  const wire = await startWire(database.url)
  const db = connect({ url: wire.url, name: 'test gateway', readOnly: true })
  const patient = await startGateway(database.url, stack, { db })
  const status = async (key: string) => (await ask({ key, url: patient.url })).status
  expect(await status(keys.ingest)).toBe(200)
  wire.hold()
  // Longer than the keys are known without asking.
  const heldMs = Date.now()
  expect(await until(async () => (await status(keys.ingest)) === 200 && Date.now() - heldMs > 3 * KEYS_MS_MAX, 30_000)).toBe(true)
  expect([await status(keys.read), await status(keys.revoked)]).toEqual([403, 401])
  await wire.cut()
  await patient.stop()
  await db.destroy()
})

test('a gateway that could never ask for the keys lets nobody in, and says that it is alive', async () => {
  const wire = await startWire(database.url)
  await wire.cut()
  const db = connect({ url: wire.url, name: 'test gateway', readOnly: true })
  const cutOff = await startGateway(database.url, stack, { db })
  expect(await ask({ key: keys.ingest, url: cutOff.url })).toMatchObject({
    status: 503,
    json: { error: { code: 'unavailable' } },
  })
  expect((await ask({ path: READ, url: cutOff.url })).status).toBe(503)
  expect((await fetch(`${cutOff.url}/health`)).status).toBe(200)
  await cutOff.stop()
  await db.destroy()
})

test.each([
  ['of its origin', SHOP, 200],
  ['of another origin', ELSEWHERE, 403],
  ['of another scheme', 'http://shop.example', 403],
  ['of another port', `${SHOP}:8443`, 403],
  ['of a name that begins alike', `${SHOP}.evil.example`, 403],
  ['without an origin (null)', 'null', 403],
])('a publishable key is answered to a page %s (%s) with %i', async (_name, origin, status) => {
  const answer = await ask({ path: asShop(), headers: inPage(origin) })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('access-control-allow-origin')).toBe(status === 200 ? SHOP : null)
  expect(answer.headers.get('vary')).toContain('Origin')
  expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
})

test('a publishable key works in the query and in a header, as text and as JSON, and without a page', async () => {
  expect((await ask({ path: asShop() })).status).toBe(200)
  expect((await ask({ key: keys.shop, headers: inPage() })).status).toBe(200)
  expect((await ask({ key: keys.shop, headers: { origin: SHOP } })).status).toBe(200)
  expect((await ask({ path: `${INGEST}?key=${keys.shop}&key=${keys.shop}` })).status).toBe(401)
})

test('with a publishable key a body of 64 KiB is taken, a larger one is not, nor one of unknown length', async () => {
  const bytes = (size: number) => events().padEnd(size, ' ')
  expect((await ask({ path: asShop(), headers: inPage(), body: bytes(65_536) })).status).toBe(200)
  expect(await ask({ path: asShop(), headers: inPage(), body: bytes(65_537) })).toMatchObject({
    status: 413,
    json: { error: { code: 'too_large' } },
  })
  expect((await ask({ key: keys.ingest, body: bytes(65_537) })).status).toBe(200)
  expect(await askChunked(asShop(), 'text/plain')).toMatchObject({
    status: 400,
    json: { error: { message: expect.stringContaining('content-length') } },
  })
})

/** Without content-length. */
function askChunked(path: string, type: string): Promise<{ status: number | undefined; json: unknown }> {
  return new Promise((resolve, reject) => {
    const request = requestHttp(gateway.url + path, { method: 'POST', headers: { 'content-type': type } }, (answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
      answer.on('end', () => resolve({ status: answer.statusCode, json: JSON.parse(text) }))
    })
    request.on('error', reject)
    request.write(events())
    request.end()
  })
}

test('a secret key is refused in an address, and with a body that says it is text', async () => {
  expect(await ask({ path: asShop(keys.ingest) })).toMatchObject({ status: 403, json: { error: { code: 'forbidden' } } })
  expect(await ask({ path: `${READ}?key=${keys.read}` })).toMatchObject({ status: 403 })
  expect(await ask({ key: keys.ingest, headers: { 'content-type': 'text/plain' } })).toMatchObject({
    status: 400,
    json: { error: { code: 'invalid_request', message: expect.stringContaining('content-type') } },
  })
})

test('neither a secret nor an address with a key is in the log or in the database', async () => {
  await ask({ path: asShop() })
  await ask({ path: asShop(keys.ingest) })
  await ask({ path: `${INGEST}?%6bey=${keys.ingest}` })
  await ask({ path: `${INGEST}?key=${keys.shop.replace(/.$/, 'g')}` })
  await ask({ path: `/nonsense?key=${keys.read}` })
  await ask({ path: `/%zz?key=${keys.read}` })
  const written = JSON.stringify(gateway.log)
  const { rows } = await readAll()
  for (const key of Object.values(keys)) {
    expect(written).not.toContain(secretOf(key))
    expect(rows).not.toContain(secretOf(key))
  }
  expect(written).not.toContain('key=')
  expect(gateway.log.length).toBeGreaterThan(5)
})

async function readAll(): Promise<{ rows: string }> {
  const { sql } = await import('kysely')
  const { rows } = await sql<{ row: string }>`select to_jsonb(k)::text || k.secret_sha256::text as row from api_key k`.execute(
    database.db,
  )
  return { rows: JSON.stringify(rows) }
}

test.each([
  [SHOP, 204, SHOP],
  [ELSEWHERE, 403, null],
  ['null', 403, null],
])('a preflight of %s is answered %i', async (origin, status, allowed) => {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type',
  }
  const answer = await ask({ method: 'OPTIONS', headers })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('access-control-allow-origin')).toBe(allowed)
  if (allowed === null) return
  expect(answer.headers.get('access-control-allow-methods')).toContain('POST')
  expect(answer.headers.get('access-control-allow-headers')).toContain('authorization')
  expect(answer.headers.get('access-control-max-age')).toBe('600')
})

test('a page may read its errors too', async () => {
  const refused = await ask({ path: asShop(keys.revoked), headers: inPage() })
  const broken = await ask({ path: asShop(), headers: inPage(), body: '{' })
  const unknown = await ask({ path: '/nonsense', headers: { origin: SHOP } })
  expect([refused.status, broken.status, unknown.status]).toEqual([401, 400, 404])
  for (const { headers } of [refused, broken, unknown]) {
    expect(headers.get('access-control-allow-origin')).toBe(SHOP)
    expect(headers.get('access-control-expose-headers')).toContain('retry-after')
  }
})

test('every answer says that nothing in it is to be run, framed or guessed', async () => {
  for (const asked of [
    { path: READ, key: keys.read },
    { path: READ },
    { path: '/nonsense' },
    { path: asShop(), headers: inPage() },
  ]) {
    const { headers } = await ask(asked)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-frame-options')).not.toBeNull()
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-powered-by')).toBeNull()
  }
})

test('the page that says what is where may use its own style and nothing else', async () => {
  const { headers } = await fetch(`${gateway.url}/`)
  expect(headers.get('content-security-policy')).toBe("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
})

test('a secret key has a limit of its own, and the answer says when to try again', async () => {
  const limited = await makeKey({ scopes: ['read'], requestsPerMinute: 2 })
  const other = await makeKey({ scopes: ['read'], requestsPerMinute: 2 })
  expect(await until(async () => (await ask({ path: MANAGE, key: other.text })).status === 403, 5_000)).toBe(true)
  const statuses = []
  let last: Answer | undefined
  for (let n = 0; n < 3; n++) {
    last = await ask({ path: READ, key: limited.text, headers: { 'x-forwarded-for': `203.0.113.${n}` } })
    statuses.push(last.status)
  }
  expect(statuses).toEqual([200, 200, 429])
  expect(last!.json).toEqual({ error: { code: 'rate_limited', message: expect.stringContaining('2 requests a minute') } })
  const seconds = Number(last!.headers.get('retry-after'))
  expect(seconds).toBeGreaterThan(0)
  expect(seconds).toBeLessThanOrEqual(60)
  expect((await ask({ path: READ, key: other.text })).status).toBe(200)
})

test.each([
  ['127.0.0.1', 'counts each address behind the proxy', [200, 429, 200, 429, 429]],
  ['10.0.0.0/8', 'believes no other caller, and counts the one that calls', [200, 429, 429, 429, 429]],
  [undefined, 'believes nobody, and counts the one that calls', [200, 429, 429, 429, 429]],
])('with TRUSTED_PROXIES %s a publishable key %s', async (trustedProxies, _what, expected) => {
  const settings = { ...SETTINGS, trustedProxies, rateLimits: { secretPerMinute: 1, publishablePerMinute: 1 } }
  const limited = await startGateway(database.url, stack, { settings })
  const statuses = []
  // The last one is of the first's network: an IPv6 address is one of very many that a caller has.
  const from = ['203.0.113.1', '203.0.113.1', '2001:db8:1:2:3::1', '2001:db8:1:2:ffff::9', '198.51.100.7, 203.0.113.1']
  for (const address of from) {
    const headers = { ...inPage(), 'x-forwarded-for': address }
    statuses.push((await ask({ path: asShop(), headers, url: limited.url })).status)
  }
  expect(statuses).toEqual(expected)
  await limited.stop()
})
