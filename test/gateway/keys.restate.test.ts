import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { sql } from 'kysely'
import { afterEach, expect, inject, vi } from 'vitest'
import { createKeyRing, KEYS_MS_MAX } from '../../src/gateway/access/key-ring.ts'
import { revokeApiKey } from '../../src/store/access/api-key.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { createDatabase } from '../harness/servers/database.ts'
import { SETTINGS, startGateway } from '../harness/servers/gateway.ts'
import { ask, INGEST, makeKey, makeKeys, MANAGE, READ, type TestKeys } from '../harness/items/keys.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'
import { until } from '../../src/main/embedded/until.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { ONLY_KEYS } from '../harness/items/known-key.ts'

let keys: TestKeys
test.beforeAll(async ({ db }) => {
  keys = await makeKeys(db)
})
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

test.for([
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
] as const)('a key that may %s is answered at %s with %i', async ([name, path, status], { gateway }) => {
  const { status: answered, json, headers } = await ask(gateway.url, { path, key: keys[name] })
  expect(answered).toBe(status)
  if (status !== 403) return
  expect(json.error).toMatchObject({ code: 'forbidden', message: expect.stringMatching(/scope|seller/) })
  expect(headers.get('www-authenticate')).toBeNull()
})

const RUN = '/api/v1/similarity-runs/019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11'
test.for([
  ['GET', '/api/v1/recommendations?account_id=ada', 'read'],
  ['POST', '/api/v1/recommendations', 'read'],
  ['GET', '/api/v1/recommendations/metrics', 'read'],
  ['GET', '/api/v1/products/lamp/similar', 'read'],
  ['POST', '/api/v1/rerank', 'read'],
  ['GET', '/api/v1/similarity-runs', 'read'],
  ['GET', RUN, 'read'],
  ['GET', '/api/v1/similarity-versions', 'read'],
  ['POST', '/api/v1/similarity-runs', 'manage'],
  ['DELETE', RUN, 'manage'],
  ['POST', '/api/v1/similarity-versions/7/promote', 'manage'],
] as const)('%s %s is only for keys that may %s', async ([method, path, scope], { gateway }) => {
  for (const name of ['ingest', 'read', 'manage', 'shop', 'seller'] as const) {
    const headers = { authorization: `Bearer ${keys[name]}`, ...(method === 'POST' && { 'content-type': 'application/json' }) }
    const body = method === 'POST' ? '{"nonsense":1}' : null
    const { status } = await fetch(gateway.url + path, { method, headers, body })
    expect([name, status === 403, status === 401]).toEqual([name, name !== scope, false])
  }
})

const secretOf = (text: string) => text.split('_')[2]!

/** Each key by its mistake. */
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

test.for(WRONG)("with %s as key the answer is 401 in the contract's shape", async ([name, key], { gateway }) => {
  const shown = key()
  for (const path of [READ, INGEST, MANAGE]) {
    const { status, json, headers } = await ask(gateway.url, { path, ...(shown === undefined ? {} : { key: shown }) })
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toBe('Bearer')
    const message = name === 'none' ? 'show a key: Authorization: Bearer <key>' : 'the key is not known, or was revoked'
    expect(json).toEqual({ error: { code: 'unauthorized', message } })
  }
})

test.for(WRONG.slice(1))('%s as key costs one hash that is compared in constant time', async ([_name, key], { gateway }) => {
  const compared = vi.spyOn(crypto, 'timingSafeEqual')
  const hashed = vi.spyOn(crypto, 'createHash')
  syncBuiltinESMExports()
  await ask(gateway.url, { path: READ, key: keys.read })
  await ask(gateway.url, { path: READ, key: key()! })
  expect([compared.mock.calls.length, hashed.mock.calls.length]).toEqual([2, 2])
})

test.for(['x-management-key', 'authorization'])('a key may be shown in %s', async (header, { gateway }) => {
  expect((await ask(gateway.url, { path: READ, headers: { [header]: keys.read } })).status).toBe(200)
})

test('open routes need no key, unknown ones are not found, and all others need one', async ({ gateway }) => {
  for (const path of ['/health', '/ready', '/openapi.json', '/']) expect((await fetch(gateway.url + path)).status).toBe(200)
  expect((await ask(gateway.url, { path: '/metrics' })).status).toBe(401)
  expect(await ask(gateway.url, { path: '/api/v1/nonsense' })).toMatchObject({
    status: 404,
    json: { error: { code: 'not_found' } },
  })
  const { paths } = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as { paths: Record<string, object> }
  for (const [path, methods] of Object.entries(paths).filter(([path]) => path.startsWith('/api/'))) {
    for (const method of Object.keys(methods)) {
      const answer = await fetch(gateway.url + path.replaceAll(/[{}]/g, ''), { method: method.toUpperCase() })
      expect([path, answer.status]).toEqual([path, 401])
    }
  }
})

test('a new key works and a revoked one stops within seconds, without a restart', async ({ db, gateway }) => {
  const { keyId, text } = await makeKey(db, { scopes: ['read'] })
  const statusIs = (status: number) =>
    until(async () => (await ask(gateway.url, { path: READ, key: text })).status === status, 5_000)
  expect(await statusIs(200)).toBe(true)
  expect(await revokeApiKey(db, keyId)).toBe(true)
  expect(await statusIs(401)).toBe(true)
  expect(await revokeApiKey(db, keyId)).toBe(false)
})

test('after the first key was made every call needs one, even if all are revoked', async ({ stack }) => {
  const empty = await createDatabase(inject('postgresUrl'))
  const opened = await startGateway(empty.url, stack)
  const status = async (key?: string) => (await ask(opened.url, { path: READ, ...(key === undefined ? {} : { key }) })).status
  expect(await status()).toBe(200)
  const { keyId, text } = await makeKey(empty.db, { scopes: ['read'] })
  expect(await until(async () => (await status()) === 401, 5_000)).toBe(true)
  expect(await status(text)).toBe(200)
  await revokeApiKey(empty.db, keyId)
  expect(await until(async () => (await status(text)) === 401, 5_000)).toBe(true)
  expect(await status()).toBe(401)
  await opened.stop()
  await empty.drop()
})

test('a gateway that others can reach refuses every call until there is a key', async ({ stack }) => {
  const empty = await createDatabase(inject('postgresUrl'))
  const opened = await startGateway(empty.url, stack, { settings: { ...SETTINGS, isPublic: true } })
  expect((await ask(opened.url, { path: READ })).status).toBe(401)
  await opened.stop()
  await empty.drop()
})

const accessOf = (db: Database) => ({ ...ONLY_KEYS, keys: createKeyRing(db, () => undefined) })

test('during an outage of PostgreSQL known keys work, and new ones do not', async ({ db, database, stack }) => {
  const proxy = await startTcpProxy(database.url)
  const proxied = connect({ url: proxy.url, name: 'test gateway', readOnly: true })
  const patient = await startGateway(database.url, stack, { db: proxied, access: accessOf(proxied) })
  const status = async (key: string) => (await ask(patient.url, { key })).status
  expect(await status(keys.ingest)).toBe(200)
  await proxy.cut()
  const { text } = await makeKey(db)
  for (let n = 0; n < 3; n++) {
    expect([await status(keys.ingest), await status(keys.read), await status(keys.revoked)]).toEqual([200, 403, 401])
  }
  expect(await status(text)).toBe(401)
  await proxy.mend()
  expect(await until(async () => (await status(text)) === 200, 10_000)).toBe(true)
  await patient.stop()
  await proxy.cut()
  await proxied.destroy()
})

test('while PostgreSQL does not answer known keys work', async ({ database, stack }) => {
  const proxy = await startTcpProxy(database.url)
  const db = connect({ url: proxy.url, name: 'test gateway', readOnly: true })
  const patient = await startGateway(database.url, stack, { db, access: accessOf(db) })
  const status = async (key: string) => (await ask(patient.url, { key })).status
  expect(await status(keys.ingest)).toBe(200)
  proxy.hold()
  // Longer than the keys are used without reading them again.
  const heldMs = Date.now()
  expect(await until(async () => (await status(keys.ingest)) === 200 && Date.now() - heldMs > 3 * KEYS_MS_MAX, 30_000)).toBe(true)
  expect([await status(keys.read), await status(keys.revoked)]).toEqual([403, 401])
  await proxy.cut()
  await patient.stop()
  await db.destroy()
})

test('a gateway that has never read the keys refuses every call, and is healthy', async ({ database, stack }) => {
  const proxy = await startTcpProxy(database.url)
  await proxy.cut()
  const db = connect({ url: proxy.url, name: 'test gateway', readOnly: true })
  const cutOff = await startGateway(database.url, stack, { db, access: accessOf(db) })
  expect(await ask(cutOff.url, { key: keys.ingest })).toMatchObject({
    status: 503,
    json: { error: { code: 'unavailable' } },
  })
  expect((await ask(cutOff.url, { path: READ })).status).toBe(503)
  expect((await fetch(`${cutOff.url}/health`)).status).toBe(200)
  await cutOff.stop()
  await db.destroy()
})

test('neither the log nor the database has a secret or an address with a key', async ({ db, gateway }) => {
  await ask(gateway.url, { path: `${INGEST}?key=${keys.shop}` })
  await ask(gateway.url, { path: `${INGEST}?key=${keys.ingest}` })
  await ask(gateway.url, { path: `${INGEST}?%6bey=${keys.ingest}` })
  await ask(gateway.url, { path: `${INGEST}?key=${keys.shop.replace(/.$/, 'g')}` })
  await ask(gateway.url, { path: `/nonsense?key=${keys.read}` })
  await ask(gateway.url, { path: `/%zz?key=${keys.read}` })
  const written = JSON.stringify(gateway.log)
  const { rows } = await readAll(db)
  for (const key of Object.values(keys)) {
    expect(written).not.toContain(secretOf(key))
    expect(rows).not.toContain(secretOf(key))
  }
  expect(written).not.toContain('key=')
  expect(gateway.log.length).toBeGreaterThan(5)
})

async function readAll(db: Database): Promise<{ rows: string }> {
  const { rows } = await sql<{ row: string }>`select to_jsonb(k)::text || k.secret_sha256::text as row from api_key k`.execute(db)
  return { rows: JSON.stringify(rows) }
}
