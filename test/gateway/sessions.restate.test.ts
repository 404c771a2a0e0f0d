import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect, inject } from 'vitest'
import { createSellerTokens } from '../../src/gateway/access/seller-tokens.ts'
import { createKeyRing, KEYS_MS_MAX } from '../../src/gateway/access/key-ring.ts'
import { createSessionRing, SESSION_MS_MAX } from '../../src/gateway/access/session-ring.ts'
import { WRONG_TRIES_MAX } from '../../src/gateway/access/sign-in.ts'
import { until } from '../../src/main/embedded/until.ts'
import { revokeApiKey } from '../../src/store/access/api-key.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { asPage, signIn } from '../harness/clients/signed-in.ts'
import { claimsOf, makeSigningKey, sign, startTokenIssuer } from '../harness/clients/token-issuer.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import { ask, events, INGEST, makeKey, makeKeys, MANAGE, READ, type TestKeys } from '../harness/items/keys.ts'
import { createDatabase } from '../harness/servers/database.ts'
import { SETTINGS, startGateway } from '../harness/servers/gateway.ts'

const DASHBOARD = '/api/v1/analytic/seller-dashboard'
/** A gateway behind a proxy that is trusted, which takes tokens of sellers. */
const test = gatewayTest
  .extend('issuer', { scope: 'file' }, async ({}, { onCleanup }) => {
    const issuer = await startTokenIssuer()
    onCleanup(issuer.stop)
    const key = await makeSigningKey('first')
    issuer.publish(key)
    return { ...issuer, tokenOf: (claims = {}) => sign(key, { ...claimsOf(issuer, 'north-light'), ...claims }) }
  })
  .extend('proxied', { scope: 'file' }, async ({ database, stack, issuer, db }, { onCleanup }) => {
    const access = {
      keys: createKeyRing(db, () => undefined),
      sellerOfToken: createSellerTokens(issuer.settings, () => undefined),
      sessionOf: createSessionRing(db, () => undefined),
      noteUse: () => undefined,
    }
    const gateway = await startGateway(database.url, stack, { access, settings: { ...SETTINGS, trustedProxies: '127.0.0.1' } })
    onCleanup(gateway.stop)
    return gateway
  })

/** Each test has an address of its own, because wrong tries are counted by address. */
let address = 0
const from = () => ({ 'x-forwarded-for': `10.1.0.${++address}` })

let keys: TestKeys
test.beforeAll(async ({ db }) => {
  keys = await makeKeys(db)
})

const statusOf = async (url: string, cookie: string, path = READ, headers = {}) =>
  (await asPage(url, { path, headers: { cookie, ...headers } })).status

test('a session that is known stays good while the database does not say its state', async ({ gateway: { url }, db }) => {
  const cookie = await signIn(url, { key: keys.read })
  expect(await statusOf(url, cookie)).toBe(200)
  await db.transaction().execute(async (tx) => {
    await sql`lock table access.session in access exclusive mode`.execute(tx)
    // What is known of the session is too old by then, so it is looked up.
    await sleep(SESSION_MS_MAX)
    expect(await statusOf(url, cookie)).toBe(200)
  })
})

test('a key signs a browser in, which may do what the key may', async ({ gateway: { url } }) => {
  const { status, location, cookie } = await asPage(url, { path: '/session', form: { key: keys.read } })
  expect([status, location]).toEqual([303, '/'])
  expect(cookie).toMatch(/^footfall=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
  const shown = cookie!.split(';')[0]!
  expect(await statusOf(url, shown)).toBe(200)
  expect(await statusOf(url, shown, MANAGE)).toBe(403)
  expect(await statusOf(url, shown, '/health')).toBe(200)
  // Every sign-in has an id of its own.
  expect(await signIn(url, { key: keys.read })).not.toBe(shown)
})

test('the database has no id of a session, and the log has neither an id nor a key', async ({ gateway, db }) => {
  const id = (await signIn(gateway.url, { key: keys.manage })).split('=')[1]!
  const { rows } = await sql<{ row: string }>`
    select s::text as row from access.session s union all select a::text from audit_entry a union all select k::text from api_key k`.execute(
    db,
  )
  expect(JSON.stringify(rows)).not.toContain(id)
  expect(JSON.stringify(gateway.log)).not.toContain(id)
  expect(JSON.stringify(gateway.log)).not.toContain(keys.manage.split('_')[2]!)
})

/** Each request that a session is not good for, by what is wrong with it. */
const NOT_OWN: [what: string, headers: Record<string, string | string[] | undefined>][] = [
  ['of another site', { 'sec-fetch-site': 'cross-site' }],
  ['of another port or a sibling', { 'sec-fetch-site': 'same-site' }],
  ['with two marks', { 'sec-fetch-site': ['same-origin', 'cross-site'] }],
  ['with an odd mark', { 'sec-fetch-site': 'Same-Origin' }],
  ['of another origin', { origin: 'https://evil.example' }],
  ['of the origin null', { origin: 'null' }],
]

test.for(NOT_OWN)('a read %s does not have the session', async ([_what, headers], { gateway: { url } }) => {
  const cookie = await signIn(url, { key: keys.read })
  expect(await statusOf(url, cookie, READ, headers)).toBe(401)
})

test('a person who types the address has the session, and a script without a mark does not', async ({ gateway: { url } }) => {
  const cookie = await signIn(url, { key: keys.read })
  expect(await statusOf(url, cookie, READ, { 'sec-fetch-site': 'none' })).toBe(200)
  expect(await statusOf(url, cookie, READ, { 'sec-fetch-site': undefined })).toBe(200)
  expect(await statusOf(url, cookie, READ, { 'sec-fetch-site': undefined, 'sec-fetch-mode': 'cors' })).toBe(401)
})

test.for([
  ...NOT_OWN,
  ['without a mark', { 'sec-fetch-site': undefined }],
  ['of an address that was typed', { 'sec-fetch-site': 'none' }],
  ['without an origin', { origin: undefined }],
  ['of two origins', { origin: ['http://127.0.0.1:1', 'https://evil.example'] }],
] as typeof NOT_OWN)('a write %s is refused', async ([_what, headers], { gateway: { url }, db }) => {
  const cookie = await signIn(url, { key: keys.ingest })
  const json = { cookie, 'content-type': 'application/json' }
  const write = (more: object) => asPage(url, { path: INGEST, method: 'POST', headers: { ...json, ...more } })
  expect((await write(headers)).status).toBe(403)
  // 400, because the request lists no items.
  expect((await write({})).status).toBe(400)
  const ends = await asPage(url, { path: '/session/end', form: {}, headers: { cookie, ...headers } })
  expect(ends.status).toBe(403)
  expect(await liveOf(db, cookie)).toBe(1)
})

const liveOf = async (db: Database, cookie: string) => {
  const { rows } = await sql`
    select from access.session where ended_at is null and id_sha256 = sha256(convert_to(${cookie.split('=')[1]!}, 'UTF8'))`.execute(
    db,
  )
  return rows.length
}

test('a host that a header claims is not the origin of a page', async ({ gateway: { url } }) => {
  const cookie = await signIn(url, { key: keys.ingest })
  const claims = {
    origin: 'http://evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'http',
    forwarded: 'host=evil.example',
  }
  const { status } = await asPage(url, { path: INGEST, form: {}, headers: { cookie, ...claims } })
  expect(status).toBe(403)
})

test.for([
  ['none', ''],
  ['of another name', 'session=ID'],
  ['of the name that needs TLS', '__Host-footfall=ID'],
  ['twice', 'footfall=ID; footfall=ID'],
  ['of another id first', `footfall=${'A'.repeat(43)}; footfall=ID`],
  ['too long', 'footfall=IDA'],
  ['cut off', 'footfall='],
  ['in quotes', 'footfall="ID"'],
  ['of letters in another case', 'FOOTFALL=ID'],
  ['of an id that was never given', `footfall=${'A'.repeat(43)}`],
] as const)('a cookie %s is no session', async ([_what, cookie], { gateway: { url } }) => {
  const id = (await signIn(url, { key: keys.read })).split('=')[1]!
  expect(await statusOf(url, cookie.replaceAll('ID', id))).toBe(401)
})

test('a key in a header decides, whatever the cookie is', async ({ gateway: { url } }) => {
  const cookie = await signIn(url, { key: keys.manage })
  expect(await statusOf(url, cookie, MANAGE, { authorization: `Bearer ${keys.read}` })).toBe(403)
  expect(await statusOf(url, cookie, MANAGE, { authorization: 'Bearer nonsense' })).toBe(401)
})

test('a session ends within a second of the revocation of its key', async ({ gateway: { url }, db }) => {
  for (const revoke of [
    (keyId: string) => revokeApiKey(db, keyId),
    // As a release before does, which knows nothing of sessions.
    (keyId: string) => sql`update api_key set revoked_at = now() where key_id = ${keyId}`.execute(db),
  ]) {
    const { keyId, text } = await makeKey(db, { scopes: ['read'] })
    const cookie = await until(async () => (await ask(url, { path: READ, key: text })).status === 200, 5_000).then(() =>
      signIn(url, { key: text }),
    )
    expect(await statusOf(url, cookie)).toBe(200)
    await revoke(keyId)
    const revokedMs = performance.now()
    expect(await until(async () => (await statusOf(url, cookie)) === 401, 5_000)).toBe(true)
    expect(performance.now() - revokedMs).toBeLessThan(2 * KEYS_MS_MAX)
  }
})

test.for([
  ['12 hours without a request', `seen_at = now() - interval '12 hours'`],
  ['7 days', `created_at = now() - interval '7 days', expires_at = now()`],
  ['being ended elsewhere', 'ended_at = now()'],
] as const)('a session ends after %s', async ([_what, change], { gateway: { url }, db }) => {
  const cookie = await signIn(url, { key: keys.read })
  expect(await statusOf(url, cookie)).toBe(200)
  await sql`update access.session set ${sql.raw(change)} where id_sha256 = sha256(convert_to(${cookie.split('=')[1]!}, 'UTF8'))`.execute(
    db,
  )
  expect(await until(async () => (await statusOf(url, cookie)) === 401, 5_000)).toBe(true)
})

test('a session lasts 7 days at most', async ({ gateway: { url }, db }) => {
  await signIn(url, { key: keys.read })
  const { rows } = await sql`select from access.session where expires_at <> created_at + interval '7 days'`.execute(db)
  expect(rows).toEqual([])
})

test('signing out ends the session, and takes the cookie away', async ({ gateway: { url }, db }) => {
  const cookie = await signIn(url, { key: keys.read })
  const answer = await asPage(url, { path: '/session/end', form: {}, headers: { cookie } })
  expect(answer).toMatchObject({
    status: 303,
    location: '/sign-in',
    cookie: 'footfall=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict',
  })
  expect(await liveOf(db, cookie)).toBe(0)
  expect(await until(async () => (await statusOf(url, cookie)) === 401, 5_000)).toBe(true)
  // Again, and without a session.
  for (const shown of [cookie, '']) {
    expect((await asPage(url, { path: '/session/end', form: {}, headers: { cookie: shown } })).status).toBe(303)
  }
})

test('an id that a browser brings is neither taken over nor kept', async ({ gateway: { url }, db }) => {
  const planted = `footfall=${'B'.repeat(43)}`
  const fixed = await asPage(url, { path: '/session', form: { key: keys.read }, headers: { cookie: planted } })
  expect(fixed.cookie!.split(';')[0]).not.toBe(planted)
  expect(await statusOf(url, planted)).toBe(401)
  // The session that a browser had before ends when it signs in again.
  const first = await signIn(url, { key: keys.read })
  await asPage(url, { path: '/session', form: { key: keys.manage }, headers: { cookie: first } })
  expect(await liveOf(db, first)).toBe(0)
})

/** What does not sign in, with what the page says about it, and what a program gets. */
const NOT_SIGNED_IN: [what: string, key: () => string, error: string, status: number][] = [
  ['an unknown key', () => `ff_${'0'.repeat(12)}_${'0'.repeat(64)}`, 'wrong', 401],
  ['a revoked key', () => keys.revoked, 'wrong', 401],
  ['no key', () => '', 'wrong', 401],
  ['a publishable key', () => keys.shop, 'publishable', 403],
]

test.for(NOT_SIGNED_IN)('with %s the answer is no session', async ([_what, key, error, status], { gateway: { url } }) => {
  const answer = await asPage(url, { path: '/session', form: { key: key(), next: '/product/lamp?a=b' } })
  expect(answer).toMatchObject({
    status: 303,
    cookie: undefined,
    location: `/sign-in?error=${error}&next=%2Fproduct%2Flamp%3Fa%3Db`,
  })
  expect((await asPage(url, { path: '/session', form: { key: key() }, headers: { accept: 'application/json' } })).status).toBe(
    status,
  )
})

test.for([
  [{ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  [{ 'sec-fetch-site': 'same-site' }],
  [{ origin: 'https://evil.example' }],
] as const)('another page cannot sign a browser in: %j', async ([headers], { gateway: { url } }) => {
  const { status, cookie } = await asPage(url, { path: '/session', form: { key: keys.read }, headers })
  expect([status, cookie]).toEqual([403, undefined])
})

test('a program may sign in, and a form in another form is refused', async ({ gateway: { url } }) => {
  const program = { origin: undefined, 'sec-fetch-site': undefined, 'sec-fetch-mode': undefined, accept: '*/*' }
  expect((await asPage(url, { path: '/session', form: { key: keys.read }, headers: program })).status).toBe(303)
  for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', undefined]) {
    const { status } = await asPage(url, { path: '/session', form: { key: keys.read }, headers: { 'content-type': type } })
    expect([type, status]).toEqual([type, 400])
  }
  const asForm = await asPage(url, {
    path: INGEST,
    form: { interactions: '[]' },
    headers: { authorization: `Bearer ${keys.ingest}` },
  })
  expect(asForm.status).toBe(400)
})

test('a token is refused in an address, and a key in the address of a page', async ({ gateway: { url }, issuer }) => {
  const token = await issuer.tokenOf()
  for (const path of [`${DASHBOARD}?token=${token}`, `/?token=${token}`, `/ready?%74oken=x`, `${READ}?token=`]) {
    expect((await asPage(url, { path, headers: { authorization: `Bearer ${keys.read}` } })).status).toBe(403)
  }
  expect((await asPage(url, { path: `/session?key=${keys.read}`, form: {} })).status).not.toBe(303)
})

test('after ten wrong tries of an address in a minute even the right key waits', async ({ proxied: { url } }) => {
  const headers = from()
  const tries = await Promise.all(
    Array.from({ length: WRONG_TRIES_MAX + 1 }, () => asPage(url, { path: '/session', form: { key: 'ff_x' }, headers })),
  )
  expect(tries.map(({ location }) => String(location)).toSorted()).toEqual([
    '/sign-in?error=limited',
    ...Array<string>(WRONG_TRIES_MAX).fill('/sign-in?error=wrong'),
  ])
  const right = { path: '/session', form: { key: keys.read } }
  expect((await asPage(url, { ...right, headers })).location).toBe('/sign-in?error=limited')
  expect((await asPage(url, { ...right, headers: { ...headers, accept: '*/*' } })).status).toBe(429)
  expect((await asPage(url, { ...right, headers: from() })).location).toBe('/')
})

test('behind a proxy with TLS the cookie is bound to the host and to TLS', async ({ proxied: { url } }) => {
  const tls = { ...from(), 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example', origin: 'https://shop.example' }
  const { cookie } = await asPage(url, { path: '/session', form: { key: keys.ingest }, headers: tls })
  expect(cookie).toMatch(/^__Host-footfall=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/)
  const shown = cookie!.split(';')[0]!
  const write = async (headers: object): Promise<number> =>
    (await asPage(url, { path: INGEST, form: {}, headers: { cookie: shown, ...tls, ...headers } })).status
  // 400, because a form is not JSON.
  expect(await write({})).toBe(400)
  expect(await write({ origin: url })).toBe(403)
  expect(await write({ cookie: shown.replace('__Host-', '') })).toBe(401)
})

test('without TLS a browser elsewhere is told that it cannot sign in', async ({ proxied: { url } }) => {
  const plain = { ...from(), 'x-forwarded-proto': 'http', 'x-forwarded-host': 'shop.example', origin: 'http://shop.example' }
  const answer = await asPage(url, {
    path: '/session',
    form: { key: keys.read },
    headers: { ...plain, 'sec-fetch-site': undefined },
  })
  expect(answer).toMatchObject({ status: 303, location: '/sign-in?error=insecure', cookie: undefined })
})

test("a seller's token signs in for that seller, until it expires", async ({ proxied: { url }, issuer, db }) => {
  const exp = Math.floor(Date.now() / 1_000) + 3_600
  const token = await issuer.tokenOf({ exp })
  const cookie = await signIn(url, { token })
  expect(await statusOf(url, cookie, `${DASHBOARD}?seller_id=north-light`)).toBe(200)
  expect(await statusOf(url, cookie, `${DASHBOARD}?seller_id=another`)).toBe(403)
  expect(await statusOf(url, cookie)).toBe(403)
  const { rows } = await sql<{ exp: number }>`
    select extract(epoch from expires_at)::int as exp from access.session where seller_id = 'north-light'`.execute(db)
  expect(rows).toEqual([{ exp }])
  const { rows: entries } =
    await sql`select actor from audit_entry where action = 'session.start' and actor like 'seller %'`.execute(db)
  expect(entries).toEqual([{ actor: 'seller north-light' }])
  const expired = await asPage(url, {
    path: '/session',
    form: { token: await issuer.tokenOf({ exp: exp - 7_200 }) },
    headers: from(),
  })
  expect(expired.location).toBe('/sign-in?error=wrong')
})

test('where tokens are not used any more their sessions are not either', async ({ gateway: { url }, db }) => {
  await sql`insert into access.session (session_id, id_sha256, seller_id, expires_at)
    values (gen_random_uuid(), sha256(${'C'.repeat(43)}), 'south', now() + interval '1 day')`.execute(db)
  expect(await statusOf(url, `footfall=${'C'.repeat(43)}`, `${DASHBOARD}?seller_id=south`)).toBe(401)
})

test('each start and each end of a session is an audit entry of its key', async ({ gateway: { url }, db }) => {
  const { keyId, text } = await makeKey(db, { name: 'desk', scopes: ['read'] })
  expect(await until(async () => (await ask(url, { path: READ, key: text })).status === 200, 5_000)).toBe(true)
  const cookie = await signIn(url, { key: text })
  await asPage(url, { path: '/session/end', form: {}, headers: { cookie } })
  const { rows } = await sql`
    select action, resource_type, metadata from audit_entry where actor = 'desk' order by audit_id`.execute(db)
  expect(rows).toEqual(
    ['session.start', 'session.end'].map((action) => ({ action, resource_type: 'session', metadata: { by_key: keyId } })),
  )
})

test('as long as there is no key, signing in leads on without a session', async ({ stack }) => {
  const empty = await createDatabase(inject('postgresUrl'))
  const opened = await startGateway(empty.url, stack)
  const answer = await asPage(opened.url, { path: '/session', form: { key: 'x', next: '/products' } })
  expect(answer).toMatchObject({ status: 303, location: '/products', cookie: undefined })
  expect(
    (await fetch(opened.url + INGEST, { method: 'POST', body: events(), headers: { 'content-type': 'application/json' } }))
      .status,
  ).not.toBe(401)
  await opened.stop()
  await empty.drop()
})
