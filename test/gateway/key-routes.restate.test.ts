import { sql } from 'kysely'
import { expect } from 'vitest'
import { accessApi } from '../../src/contract/services.ts'
import type { Key, Session } from '../../src/contract/key.ts'
import { createUseNotes } from '../../src/gateway/access/use-notes.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { until } from '../../src/main/embedded/until.ts'
import { createSigner } from '../../src/store/access/change.ts'
import { encodeCursor } from '../../src/store/database/cursor.ts'
import { asPage, signIn } from '../harness/clients/signed-in.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { INGEST, makeKey, makeKeys, READ, type TestKeys } from '../harness/items/keys.ts'
import { startGateway } from '../harness/servers/gateway.ts'

const KEYS = '/api/v1/keys'
const SESSIONS = '/api/v1/sessions'

let keys: TestKeys
let everything: string
test.beforeAll(async ({ db }) => {
  keys = await makeKeys(db)
  everything = (await makeKey(db, { name: 'owner', scopes: ['ingest', 'read', 'manage'] })).text
})

interface Answer<Data> {
  status: number
  data: Data
  next: string | null | undefined
  code: string | undefined
  message: string | undefined
  text: string
}

async function api<Data = Key & { key: string }>(
  url: string,
  key: string | undefined,
  path: string,
  method = 'GET',
  body?: object,
): Promise<Answer<Data>> {
  const answer = await fetch(url + path, {
    method,
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  })
  const text = await answer.text()
  const json = JSON.parse(text) as {
    data: Data
    meta?: { next_cursor: string | null }
    error?: { code: string; message: string }
  }
  return {
    status: answer.status,
    data: json.data,
    next: json.meta?.next_cursor,
    code: json.error?.code,
    message: json.error?.message,
    text,
  }
}

const works = (url: string, key: string, path = READ) =>
  until(async () => (await fetch(url + path, { headers: { authorization: `Bearer ${key}` } })).status === 200, 5_000)

test('a key with the scope manage makes keys, lists them and revokes them', async ({ gateway: { url }, db }) => {
  const made = await api(url, everything, KEYS, 'POST', { name: 'dashboards', scopes: ['read'], requests_per_minute: 500 })
  expect(made.status).toBe(201)
  const { key, ...shown } = made.data
  expect(key).toMatch(new RegExp(`^ff_${shown.id}_[0-9a-f]{64}$`))
  expect(shown).toMatchObject({
    name: 'dashboards',
    scopes: ['read'],
    seller_id: null,
    is_publishable: false,
    requests_per_minute: 500,
    revoked_at: null,
  })
  expect(await works(url, key)).toBe(true)

  const listed = await api<Key[]>(url, everything, KEYS)
  expect(listed.data[0]).toEqual(shown)
  expect(listed.text).not.toContain(key.split('_')[2]!)

  const revoked = await api(url, everything, `${KEYS}/${shown.id}`, 'DELETE')
  expect(revoked.data).toEqual({ ...shown, revoked_at: expect.any(String) })
  expect(await api(url, everything, `${KEYS}/${shown.id}`, 'DELETE')).toEqual(revoked)
  expect(await until(async () => (await api(url, key, READ)).status === 401, 5_000)).toBe(true)

  const { rows } =
    await sql`select actor, action, metadata ->> 'name' as name from audit_entry where resource_id = ${shown.id} order by audit_id`.execute(
      db,
    )
  expect(rows).toEqual([
    { actor: 'owner', action: 'key.create', name: 'dashboards' },
    { actor: 'owner', action: 'key.revoke', name: null },
  ])
})

test('the list is read in pages', async ({ gateway: { url } }) => {
  const all = (await api<Key[]>(url, everything, `${KEYS}?limit=100`)).data.map(({ id }) => id)
  const paged: string[] = []
  for (let cursor: string | null | undefined = ''; cursor !== null;) {
    const page: Answer<Key[]> = await api(url, everything, `${KEYS}?limit=2${cursor && `&cursor=${cursor}`}`)
    paged.push(...page.data.map(({ id }) => id))
    cursor = page.next
  }
  expect(paged).toEqual(all)
  const cursors = ['x', 'AAAA', encodeCursor('keys', ['2026-02-31 00:00:00+00', '0123456789ab'])]
  for (const cursor of cursors) expect((await api(url, everything, `${KEYS}?cursor=${cursor}`)).code).toBe('invalid_request')
})

test.for([
  ['a scope that it lacks', () => keys.manage, { name: 'x', scopes: ['manage', 'read'] }, 'a key gives no scope that it lacks'],
  [
    'a publishable key without its scope',
    () => keys.manage,
    { name: 'x', scopes: ['ingest'], is_publishable: true, origins: ['https://a.example'] },
    'a key gives no scope',
  ],
  ['by a reading key', () => keys.read, { name: 'x', scopes: ['read'] }, 'scope manage'],
  ['by a publishable key', () => keys.shop, { name: 'x', scopes: ['ingest'] }, 'scope manage'],
  ["by a seller's key", () => keys.seller, { name: 'x', scopes: ['read'] }, 'bound to a seller'],
] as [string, () => string, object, string][])(
  'no key gives more than it has: %s',
  async ([_what, key, body, message], { gateway: { url }, db }) => {
    const count = async () => (await sql<{ n: string }>`select count(*) as n from api_key`.execute(db)).rows
    const before = await count()
    const answer = await api(url, key(), KEYS, 'POST', body)
    expect([answer.status, answer.message]).toEqual([403, expect.stringContaining(message)])
    expect(await count()).toEqual(before)
  },
)

test('a rate of the key that makes another bounds that one too', async ({ gateway: { url }, db }) => {
  const { text } = await makeKey(db, { name: 'slow', scopes: ['read', 'manage'], requestsPerMinute: 300 })
  expect(await works(url, text)).toBe(true)
  for (const [asked, got] of [
    [undefined, 300],
    [200, 200],
    [1_000, 300],
  ]) {
    const { data } = await api(url, text, KEYS, 'POST', {
      name: 'x',
      scopes: ['read'],
      ...(asked && { requests_per_minute: asked }),
    })
    const { rows } = await sql`select requests_per_minute as rate from api_key where key_id = ${data.id}`.execute(db)
    expect([data.requests_per_minute, rows]).toEqual([got, [{ rate: got }]])
  }
})

test.for([
  [{ name: 'local', scopes: ['read'] }, 'name'],
  [{ name: ' ', scopes: ['read'] }, 'name'],
  [{ name: 'x', scopes: [] }, 'scopes'],
  [{ name: 'x', scopes: ['root'] }, 'scopes'],
  [{ name: 'x', scopes: ['read'], seller_id: 's', is_publishable: true, origins: ['https://a.example'] }, 'scopes'],
  [{ name: 'x', scopes: ['read', 'manage'], seller_id: 's' }, 'scopes'],
  [{ name: 'x', scopes: ['ingest'], is_publishable: true }, 'origins'],
  [{ name: 'x', scopes: ['ingest'], is_publishable: true, origins: ['https://*.co.uk'] }, 'origins'],
  [{ name: 'x', scopes: ['ingest'], origins: ['https://a.example'] }, 'origins'],
  [{ name: 'x', scopes: ['read'], secret: 'mine' }, 'secret'],
] as const)('a key cannot be %j', async ([body, field], { gateway: { url } }) => {
  const answer = await api(url, everything, KEYS, 'POST', body)
  expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(field)])
})

test('a key that was made for a seller, and one for a page, are like those of the command', async ({ gateway: { url } }) => {
  const seller = await api(url, everything, KEYS, 'POST', { name: 'north', scopes: ['read'], seller_id: 'north-light' })
  expect(await works(url, seller.data.key, '/api/v1/analytic/seller-dashboard?seller_id=north-light')).toBe(true)
  expect((await api(url, seller.data.key, KEYS)).status).toBe(403)
  const page = await api(url, everything, KEYS, 'POST', {
    name: 'page',
    scopes: ['ingest'],
    is_publishable: true,
    origins: ['https://a.example/'],
  })
  expect(page.data).toMatchObject({ key: expect.stringMatching(/^ffp_/), origins: ['https://a.example'] })
})

test('a person who is signed in makes and revokes keys as their key does, but not from another page', async ({
  gateway: { url },
  db,
}) => {
  const cookie = await signIn(url, { key: everything })
  const send = (headers: object) =>
    asPage(url, { path: `${KEYS}/${'0'.repeat(12)}`, method: 'DELETE', headers: { cookie, ...headers } })
  expect((await send({ origin: 'https://evil.example' })).status).toBe(403)
  expect((await send({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  expect((await send({})).status).toBe(404)
  const { keyId } = await makeKey(db)
  expect((await asPage(url, { path: `${KEYS}/${keyId}`, method: 'DELETE', headers: { cookie } })).status).toBe(200)
  const { rows } = await sql`select actor from audit_entry where resource_id = ${keyId}`.execute(db)
  expect(rows).toEqual([{ actor: 'owner' }])
})

test('sessions are listed with their keys, and ended by a key that manages', async ({ gateway: { url }, db }) => {
  const { text, keyId } = await makeKey(db, { name: 'desk', scopes: ['read', 'manage'] })
  expect(await works(url, text)).toBe(true)
  const cookies = [await signIn(url, { key: text }), await signIn(url, { key: text })] as const
  const listed = await api<Session[]>(url, everything, SESSIONS)
  const own = listed.data.filter((session) => session.key_id === keyId)
  expect(own).toHaveLength(2)
  expect(own[0]).toMatchObject({ key_name: 'desk', seller_id: null, is_current: false })
  expect(Date.parse(own[0]!.expires_at) - Date.parse(own[0]!.seen_at)).toBe(12 * 3_600_000)
  const seen = JSON.parse((await asPage(url, { path: SESSIONS, headers: { cookie: cookies[1] } })).text) as { data: Session[] }
  expect(seen.data.filter(({ is_current: isCurrent }) => isCurrent).map(({ id }) => id)).toEqual([own[0]!.id])

  expect((await api(url, keys.read, `${SESSIONS}/${own[0]!.id}`, 'DELETE')).status).toBe(403)
  expect((await api(url, everything, `${SESSIONS}/019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11`, 'DELETE')).status).toBe(404)
  const ended = await api<{ id: string; ended_at: string }>(url, everything, `${SESSIONS}/${own[0]!.id}`, 'DELETE')
  expect(ended.data).toEqual({ id: own[0]!.id, ended_at: expect.any(String) })
  expect(await api(url, everything, `${SESSIONS}/${own[0]!.id}`, 'DELETE')).toEqual(ended)
  const status = async (cookie: string) => (await asPage(url, { path: READ, headers: { cookie } })).status
  expect(await until(async () => (await status(cookies[1])) === 401, 5_000)).toBe(true)
  expect(await status(cookies[0])).toBe(200)
  await api(url, everything, `${KEYS}/${keyId}`, 'DELETE')
  const after = await api<Session[]>(url, everything, SESSIONS)
  expect(after.data.filter((session) => session.key_id === keyId)).toEqual([])
})

test('the last use of a key and of a session is written at most once a minute', async ({ stack, db }) => {
  const { keyId } = await makeKey(db)
  const sign = createSigner(db)
  const ingress = createIngress({ url: stack.ingressUrl })
  const failed: unknown[] = []
  let nowMs = Date.now() - 120_000
  const notes = createUseNotes(
    async (change) => ingress.call(accessApi, 'Change', await sign(change, {})),
    (error) => failed.push(error),
    () => nowMs,
  )
  const caller = { keyId, name: 'x', scopes: [], isPublishable: false, origins: [], sellerId: null, requestsPerMinute: null }
  const used = async () => {
    notes.note(caller)
    await notes.flush()
    const { rows } = await sql<{ at: Date }>`select last_used_at as at from api_key where key_id = ${keyId}`.execute(db)
    return rows[0]!.at.getTime()
  }
  const first = nowMs
  expect(await used()).toBe(first)
  nowMs += 59_000
  expect(await used()).toBe(first)
  nowMs += 1_000
  expect(await used()).toBe(first + 60_000)
  // A clock that is ahead does not make it later than now.
  nowMs += 3_600_000
  expect(await used()).toBeLessThan(Date.now() + 1_000)
  expect(failed).toEqual([])
})

test('neither Restate nor the database has the secret of a key', async ({ gateway, database, stack, db }) => {
  const sent: string[] = []
  const ingress = createIngress({ url: stack.ingressUrl })
  const watched = await startGateway(database.url, stack, {
    ingress: {
      ...ingress,
      call: (api, handler, input, options) => {
        sent.push(JSON.stringify(input))
        return ingress.call(api, handler, input, options)
      },
    },
  })
  const made = await api(watched.url, everything, KEYS, 'POST', { name: 'quiet', scopes: ['read'] })
  expect(made.status).toBe(201)
  const secret = made.data.key.split('_')[2]!
  expect(sent).toHaveLength(1)
  expect(sent.join()).not.toContain(secret)
  const { rows } = await sql<{
    row: string
  }>`select k::text as row from api_key k union all select a::text from audit_entry a`.execute(db)
  expect(JSON.stringify(rows)).not.toContain(secret)
  expect(JSON.stringify(gateway.log) + JSON.stringify(watched.log)).not.toContain(secret)
  await watched.stop()
})

test('a call of the ingress without the signature of the gateway changes nothing', async ({ stack, db }) => {
  const request = JSON.stringify({
    at: new Date().toISOString(),
    caller: {},
    change: 'create_key',
    key: {
      key_id: '0123456789ab',
      secret_sha256: '00'.repeat(32),
      name: 'x',
      scopes: ['manage'],
      is_publishable: false,
      origins: [],
    },
  })
  const answer = await fetch(`${stack.ingressUrl}/Access/Change`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ request, signature: '0'.repeat(64) }),
  })
  expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('not signed by the gateway')])
  expect((await sql`select from api_key where key_id = '0123456789ab'`.execute(db)).rows).toEqual([])
})

test('where ingest is refused a session is refused too', async ({ gateway: { url } }) => {
  const cookie = await signIn(url, { key: keys.read })
  expect(
    (await asPage(url, { path: INGEST, method: 'POST', headers: { cookie, 'content-type': 'application/json' } })).status,
  ).toBe(403)
})
