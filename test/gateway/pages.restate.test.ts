import { request as requestHttp } from 'node:http'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../src/store/database/connection.ts'
import { SETTINGS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { type Answer, ask, events, INGEST, makeKey, makeKeys, MANAGE, READ, SHOP, type TestKeys } from '../harness/items/keys.ts'
import { until } from '../../src/main/embedded/until.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'

const SEARCH = '/api/v1/search'
const ELSEWHERE = 'https://elsewhere.example'

let keys: TestKeys
test.beforeAll(async ({ db }) => {
  keys = await makeKeys(db)
})

const inPage = (origin = SHOP) => ({ origin, 'content-type': 'text/plain;charset=UTF-8' })
const asShop = (key = keys.shop) => `${INGEST}?key=${key}`

test.for([
  ['of its origin', SHOP, 200],
  ['of another origin', ELSEWHERE, 403],
  ['of another scheme', 'http://shop.example', 403],
  ['of another port', `${SHOP}:8443`, 403],
  ['of a name that begins alike', `${SHOP}.evil.example`, 403],
  ['without an origin (null)', 'null', 403],
] as const)('a publishable key on a page %s (%s) is answered %i', async ([_name, origin, status], { gateway }) => {
  const answer = await ask(gateway.url, { path: asShop(), headers: inPage(origin) })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('access-control-allow-origin')).toBe(status === 200 ? SHOP : null)
  expect(answer.headers.get('vary')).toContain('Origin')
  expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
})

test('a publishable key works in the query and in a header, as text and as JSON', async ({ gateway }) => {
  expect((await ask(gateway.url, { path: asShop() })).status).toBe(200)
  expect((await ask(gateway.url, { key: keys.shop, headers: inPage() })).status).toBe(200)
  expect((await ask(gateway.url, { key: keys.shop, headers: { origin: SHOP } })).status).toBe(200)
  expect((await ask(gateway.url, { path: `${INGEST}?key=${keys.shop}&key=${keys.shop}` })).status).toBe(401)
})

test('with a publishable key a body has at most 64 KiB and a known length', async ({ gateway }) => {
  const bytes = (size: number) => events().padEnd(size, ' ')
  expect((await ask(gateway.url, { path: asShop(), headers: inPage(), body: bytes(65_536) })).status).toBe(200)
  expect(await ask(gateway.url, { path: asShop(), headers: inPage(), body: bytes(65_537) })).toMatchObject({
    status: 413,
    json: { error: { code: 'too_large' } },
  })
  expect((await ask(gateway.url, { key: keys.ingest, body: bytes(65_537) })).status).toBe(200)
  expect(await askChunked(gateway, asShop(), 'text/plain')).toMatchObject({
    status: 400,
    json: { error: { message: expect.stringContaining('content-length') } },
  })
})

const LONG_AGO = '2001-07-01T00:00:00Z'

test('a publishable key cannot record events of more than 30 days ago, by any route or way', async ({ db, gateway }) => {
  const base = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'old' }
  const old = { ...base, occurred_at: LONG_AGO }
  const message = 'is more than 30 days ago, the most with a publishable key'
  const tooOld = (index: number) => ({ index, code: 'too_old', field: 'occurred_at', message })
  const send = async (path: string, body: object, headers = {}) =>
    (
      await ask(gateway.url, {
        path: `${path}?key=${keys.shop}`,
        headers: { ...inPage(), ...headers },
        body: JSON.stringify(body),
      })
    ).json.data
  const kept = await rejectedCount(db)
  const all = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [tooOld(0)] }
  for (const headers of [{}, { 'idempotency-key': 'old' }, { prefer: 'respond-async' }]) {
    expect(await send(INGEST, { interactions: [old] }, headers)).toEqual(all)
    const mixed = { interactions: [old, base, { ...base, nonsense: 1 }, old] }
    expect(await send(INGEST, mixed, headers)).toMatchObject({
      accepted: 1,
      rejected: [tooOld(0), { index: 2, code: 'invalid' }, tooOld(3)],
    })
  }
  expect(await send(SEARCH, { session_id: 's', query: 'q', product_ids: [], occurred_at: LONG_AGO })).toEqual(all)
  expect(await send(`${SEARCH}/click`, { session_id: 's', query: 'q', product_id: 'p', occurred_at: LONG_AGO })).toEqual(all)
  // Only the three items that the endpoint rejected are kept.
  expect(await rejectedCount(db)).toBe(kept + 3)
  const { rows } = await sql`select from pg_class where relname in ('interaction_2001_07', 'search_2001_07')`.execute(db)
  expect(rows).toEqual([])
  const secret = await ask(gateway.url, { key: keys.ingest, body: JSON.stringify({ interactions: [old] }) })
  expect(secret.json.data).toMatchObject({ accepted: 1 })
})

async function rejectedCount(db: Database): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from rejected_interaction`.execute(db)
  return rows[0]!.n
}

/** Sends a body without content-length. */
function askChunked(gateway: TestGateway, path: string, type: string): Promise<{ status: number | undefined; json: unknown }> {
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

test('a secret key is refused in an address and with a text/plain body', async ({ gateway }) => {
  expect(await ask(gateway.url, { path: asShop(keys.ingest) })).toMatchObject({
    status: 403,
    json: { error: { code: 'forbidden' } },
  })
  expect(await ask(gateway.url, { path: `${READ}?key=${keys.read}` })).toMatchObject({ status: 403 })
  expect(await ask(gateway.url, { key: keys.ingest, headers: { 'content-type': 'text/plain' } })).toMatchObject({
    status: 400,
    json: { error: { code: 'invalid_request', message: expect.stringContaining('content-type') } },
  })
})

test.for([
  [SHOP, 204, SHOP],
  [ELSEWHERE, 403, null],
  ['null', 403, null],
] as const)('a preflight of %s is answered %i', async ([origin, status, allowed], { gateway }) => {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type',
  }
  const answer = await ask(gateway.url, { method: 'OPTIONS', headers })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('access-control-allow-origin')).toBe(allowed)
  if (allowed === null) return
  expect(answer.headers.get('access-control-allow-methods')).toContain('POST')
  expect(answer.headers.get('access-control-allow-headers')).toContain('authorization')
  expect(answer.headers.get('access-control-max-age')).toBe('600')
})

test('a page may read the answers of its errors', async ({ gateway }) => {
  const refused = await ask(gateway.url, { path: asShop(keys.revoked), headers: inPage() })
  const broken = await ask(gateway.url, { path: asShop(), headers: inPage(), body: '{' })
  const unknown = await ask(gateway.url, { path: '/nonsense', headers: { origin: SHOP } })
  expect([refused.status, broken.status, unknown.status]).toEqual([401, 400, 404])
  for (const { headers } of [refused, broken, unknown]) {
    expect(headers.get('access-control-allow-origin')).toBe(SHOP)
    expect(headers.get('access-control-expose-headers')).toContain('retry-after')
  }
})

test('every answer forbids browsers to run, frame or sniff it', async ({ gateway }) => {
  for (const asked of [
    { path: READ, key: keys.read },
    { path: READ },
    { path: '/nonsense' },
    { path: asShop(), headers: inPage() },
  ]) {
    const { headers } = await ask(gateway.url, asked)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-frame-options')).not.toBeNull()
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-powered-by')).toBeNull()
  }
})

test('the page of operations may use its own style only', async ({ gateway }) => {
  const { headers } = await fetch(`${gateway.url}/api`)
  expect(headers.get('content-security-policy')).toBe("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
})

test('every secret key has its own limit, and the answer says when to try again', async ({ db, gateway }) => {
  const limited = await makeKey(db, { scopes: ['read'], requestsPerMinute: 2 })
  const other = await makeKey(db, { scopes: ['read'], requestsPerMinute: 2 })
  expect(await until(async () => (await ask(gateway.url, { path: MANAGE, key: other.text })).status === 403, 5_000)).toBe(true)
  const statuses = []
  let last: Answer | undefined
  for (let n = 0; n < 3; n++) {
    last = await ask(gateway.url, { path: READ, key: limited.text, headers: { 'x-forwarded-for': `203.0.113.${n}` } })
    statuses.push(last.status)
  }
  expect(statuses).toEqual([200, 200, 429])
  expect(last!.json).toEqual({ error: { code: 'rate_limited', message: expect.stringContaining('2 requests a minute') } })
  const seconds = Number(last!.headers.get('retry-after'))
  expect(seconds).toBeGreaterThan(0)
  expect(seconds).toBeLessThanOrEqual(60)
  expect((await ask(gateway.url, { path: READ, key: other.text })).status).toBe(200)
})

test.for([
  ['127.0.0.1', 'counts each address behind the proxy', [200, 429, 200, 429, 429]],
  ['10.0.0.0/8', 'trusts no other address, and counts the caller', [200, 429, 429, 429, 429]],
  [undefined, 'trusts no address, and counts the caller', [200, 429, 429, 429, 429]],
] as const)('with TRUSTED_PROXIES %s a publishable key %s', async ([trustedProxies, _what, expected], { database, stack }) => {
  const settings = { ...SETTINGS, trustedProxies, rateLimits: { secretPerMinute: 1, publishablePerMinute: 1 } }
  const limited = await startGateway(database.url, stack, { settings })
  const statuses = []
  // The second IPv6 address is of the first one's network: a caller has very many addresses there.
  const from = ['203.0.113.1', '203.0.113.1', '2001:db8:1:2:3::1', '2001:db8:1:2:ffff::9', '198.51.100.7, 203.0.113.1']
  for (const address of from) {
    const headers = { ...inPage(), 'x-forwarded-for': address }
    statuses.push((await ask(limited.url, { path: asShop(), headers })).status)
  }
  expect(statuses).toEqual(expected)
  await limited.stop()
})
