import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { beforeEach, expect, test as base } from 'vitest'
import type { SignedChange } from '../../src/contract/access.ts'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { newKeyText, revokeApiKey } from '../../src/store/access/api-key.ts'
import {
  type AccessChange,
  changeAccess,
  type ChangeCaller,
  createSigner,
  type NewKeyRow,
} from '../../src/store/access/change.ts'
import { hashOfId, liveSessions } from '../../src/store/access/session.ts'
import type { Database, Queryable } from '../../src/store/database/connection.ts'
import { makeKey } from '../harness/items/keys.ts'
import { startComposeDatabase } from '../harness/servers/compose-database.ts'

/*
 * The users of docker-compose.yml: `gateway` signs, because it reads the secret, and `endpoint` makes the change, because it may call the
 * function. What the endpoint tries here by itself is what a program could do that took it over.
 */
const test = base.extend('users', { scope: 'file' }, async ({}, { onCleanup }) => {
  const users = await startComposeDatabase()
  onCleanup(users.stop)
  return users
})

let owner: Database
beforeEach<{ users: Awaited<ReturnType<typeof startComposeDatabase>> }>(({ users }) => {
  owner = users.owner
})

const keyRow = (changes: Partial<NewKeyRow> = {}): NewKeyRow => ({
  key_id: newKeyText({ isPublishable: false }).keyId,
  ...{ secret_sha256: randomBytes(32).toString('hex'), name: 'made', scopes: ['read'], is_publishable: false, origins: [] },
  ...{ seller_id: null, requests_per_minute: null, ...changes },
})
const createKey = (changes: Partial<NewKeyRow> = {}): AccessChange => ({ change: 'create_key', key: keyRow(changes) })

/** What the endpoint's user gets for a change: `made`, `made before`, or the code of the refusal. */
async function outcomeOf(endpoint: Queryable, signed: SignedChange): Promise<string> {
  return changeAccess(endpoint, signed).then(
    ({ is_new: isNew }) => (isNew ? 'made' : 'made before'),
    (error: unknown) => {
      if (error instanceof DecidedError) return error.code
      throw error
    },
  )
}

const keysOf = async () => (await sql`select key_id, name, scopes, revoked_at from api_key order by key_id`.execute(owner)).rows

test('the endpoint cannot sign: without the signature of the gateway nothing changes', async ({ users }) => {
  const manage = await makeKey(owner, { scopes: ['manage'] })
  const signed = await createSigner(users.gateway)(createKey(), { key_id: manage.keyId })
  const before = await keysOf()
  const forged = (change: AccessChange, caller: ChangeCaller) =>
    JSON.stringify({ at: new Date().toISOString(), caller, ...change })
  const own = forged(createKey({ scopes: ['manage'] }), { key_id: manage.keyId })
  const { rows: hashes } = await sql<{ sha256: Buffer }>`select secret_sha256 as sha256 from api_key`.execute(owner)
  const guesses = ['', 'footfall', '\0'.repeat(32), manage.keyId, ...hashes.map(({ sha256 }) => sha256)]
  const attempts: SignedChange[] = [
    ...guesses.map((secret) => ({ request: own, signature: createHmac('sha256', secret).update(own).digest('hex') })),
    // What was signed, with another scope, caller, time or name.
    { ...signed, request: signed.request.replace('"read"', '"read","manage"') },
    { ...signed, request: signed.request.replace(manage.keyId, '0'.repeat(12)) },
    { ...signed, request: `${signed.request} ` },
    { ...signed, request: signed.request.replace('{', '{"change":"revoke_key",') },
    { request: own, signature: signed.signature },
    { request: own, signature: signed.signature.toUpperCase() },
    { request: own, signature: '' },
    { request: 'no json', signature: '0'.repeat(64) },
  ]
  for (const attempt of attempts) expect([attempt, await outcomeOf(users.endpoint, attempt)]).toEqual([attempt, 'forbidden'])
  const { rows: nulls } = await sql<{ answer: object }>`
    select change_access(r, s) as answer from (values (null, null), (${own}, null), (null, ${signed.signature})) v(r, s)`.execute(
    users.endpoint,
  )
  for (const { answer } of nulls) expect(answer).toMatchObject({ refused: 'forbidden' })
  expect(await keysOf()).toEqual(before)
})

test('what the gateway signed is made once, and stays undone after it was undone', async ({ users }) => {
  const sign = createSigner(users.gateway)
  const manage = { key_id: (await makeKey(owner, { name: 'boss', scopes: ['read', 'manage'] })).keyId }
  const key = keyRow({ name: 'one' })
  const made = await sign({ change: 'create_key', key }, manage)
  const again = () => outcomeOf(users.endpoint, made)
  expect([await again(), await again()]).toEqual(['made', 'made before'])
  const revoked = await sign({ change: 'revoke_key', key_id: key.key_id }, manage)
  expect([await outcomeOf(users.endpoint, revoked), await again(), await outcomeOf(users.endpoint, revoked)]).toEqual([
    'made',
    'made before',
    'made before',
  ])
  const { rows } = await sql`
    select k.revoked_at is not null as is_revoked, array(select action || ' by ' || actor from audit_entry where resource_id = k.key_id order by audit_id) as entries
    from api_key k where key_id = ${key.key_id}`.execute(owner)
  expect(rows).toEqual([{ is_revoked: true, entries: ['key.create by boss', 'key.revoke by boss'] }])
  // The id with another secret.
  const other = await sign({ change: 'create_key', key: { ...key, secret_sha256: '00'.repeat(32) } }, manage)
  expect(await outcomeOf(users.endpoint, other)).toBe('conflict')
})

test('a session that ended is not revived by its own start', async ({ users }) => {
  const sign = createSigner(users.gateway)
  const { keyId } = await makeKey(owner, { scopes: ['read'] })
  const hash = hashOfId(randomUUID())
  const session = { session_id: randomUUID(), id_sha256: hash }
  const start = await sign({ change: 'start_session', ...session }, { key_id: keyId })
  const isLive = async () => (await liveSessions(users.gateway, [hash])).size === 1
  expect([await outcomeOf(users.endpoint, start), await isLive()]).toEqual(['made', true])
  const end = await sign({ change: 'end_session', session_id: session.session_id }, { key_id: keyId })
  expect([await outcomeOf(users.endpoint, end), await isLive()]).toEqual(['made', false])
  expect([await outcomeOf(users.endpoint, start), await isLive()]).toEqual(['made before', false])
  // A session of another key cannot take its id or its cookie.
  for (const stolen of [
    { ...session, id_sha256: hashOfId('x') },
    { ...session, session_id: randomUUID() },
  ]) {
    expect(await outcomeOf(users.endpoint, await sign({ change: 'start_session', ...stolen }, { key_id: keyId }))).toBe(
      'conflict',
    )
  }
})

test('a change that was held back for more than ten minutes is not made', async ({ users }) => {
  const { rows } = await sql<{ secret: Buffer }>`select secret from access.signing_key`.execute(users.gateway)
  const { keyId } = await makeKey(owner, { scopes: ['read', 'manage'] })
  for (const [minutes, outcome] of [
    [11, 'forbidden'],
    [-11, 'forbidden'],
    [9, 'made'],
  ] as const) {
    const at = new Date(Date.now() - minutes * 60_000).toISOString()
    const request = JSON.stringify({ at, caller: { key_id: keyId }, ...createKey() })
    const signature = createHmac('sha256', rows[0]!.secret).update(request).digest('hex')
    expect([minutes, await outcomeOf(users.endpoint, { request, signature })]).toEqual([minutes, outcome])
  }
})

test('what a key is when the change is made decides, and not what it was when the change was signed', async ({ users }) => {
  const sign = createSigner(users.gateway)
  const { keyId } = await makeKey(owner, { scopes: ['read', 'manage'] })
  const signed = await sign(createKey(), { key_id: keyId })
  await owner.transaction().execute((tx) => revokeApiKey(tx, keyId))
  expect(await outcomeOf(users.endpoint, signed)).toBe('forbidden')
})

test.for([
  ['a reading key', { scopes: ['read'] as const }],
  ['a publishable key', { scopes: ['ingest'] as const, isPublishable: true, origins: ['https://a.example'] }],
  ["a seller's key, whatever its scopes are", { scopes: ['ingest', 'read', 'manage'] as const, sellerId: 'north' }],
] as const)('even signed, %s neither makes nor revokes keys, nor ends sessions of others', async ([_what, key], { users }) => {
  const sign = createSigner(users.gateway)
  const { keyId } = await makeKey(owner, key)
  const other = await makeKey(owner, { scopes: ['read'] })
  const session = { session_id: randomUUID(), id_sha256: hashOfId(randomUUID()) }
  expect(await outcomeOf(users.endpoint, await sign({ change: 'start_session', ...session }, { key_id: other.keyId }))).toBe(
    'made',
  )
  const before = await keysOf()
  const changes: [AccessChange, string][] = [
    [createKey(), 'forbidden'],
    [{ change: 'revoke_key', key_id: other.keyId }, 'forbidden'],
    [
      { change: 'end_session', session_id: session.session_id },
      key.scopes[0] === 'ingest' && 'isPublishable' in key ? 'forbidden' : 'not_found',
    ],
  ]
  for (const [change, outcome] of changes) {
    expect([change.change, await outcomeOf(users.endpoint, await sign(change, { key_id: keyId }))]).toEqual([
      change.change,
      outcome,
    ])
  }
  expect(await keysOf()).toEqual(before)
  expect((await liveSessions(users.gateway, [session.id_sha256])).size).toBe(1)
})

test.for([
  ['more scopes than its own', ['read', 'manage'], { scopes: ['ingest'] as const }, 'forbidden'],
  [
    'a page of its own without ingest',
    ['manage'],
    { scopes: ['ingest'] as const, is_publishable: true, origins: ['https://a.example'] },
    'forbidden',
  ],
  ['a seller who manages', ['read', 'manage'], { scopes: ['manage'] as const, seller_id: 'north' }, 'invalid_request'],
  ['the name of this machine', ['read', 'manage'], { name: 'local' }, 'invalid_request'],
] as [string, ('read' | 'manage')[], Partial<NewKeyRow>, string][])(
  'even signed, a key does not make %s',
  async ([_what, scopes, changes, outcome], { users }) => {
    const { keyId } = await makeKey(owner, { scopes })
    const signed = await createSigner(users.gateway)(createKey(changes), { key_id: keyId })
    expect(await outcomeOf(users.endpoint, signed)).toBe(outcome)
  },
)

test('this machine and sellers make no key once there is one', async ({ users }) => {
  await makeKey(owner)
  const sign = createSigner(users.gateway)
  expect(await outcomeOf(users.endpoint, await sign(createKey({ scopes: ['manage'] }), {}))).toBe('forbidden')
  expect(await outcomeOf(users.endpoint, await sign(createKey(), { seller_id: 'north' }))).toBe('forbidden')
  expect(await outcomeOf(users.endpoint, await sign(createKey(), { key_id: '0'.repeat(12) }))).toBe('forbidden')
})

test("no setting of the endpoint's session changes what the function does", async ({ users }) => {
  const { keyId } = await makeKey(owner, { scopes: ['read', 'manage'] })
  const sign = createSigner(users.gateway)
  await users.endpoint.connection().execute(async (session) => {
    for (const setting of [
      'search_path = pg_temp, public',
      "timezone = 'EST-10'",
      "datestyle = 'German'",
      "bytea_output = 'escape'",
      'extra_float_digits = -15',
    ]) {
      await sql.raw(`set ${setting}`).execute(session)
    }
    expect(await outcomeOf(session, await sign(createKey(), { key_id: keyId }))).toBe('made')
    expect(await outcomeOf(session, { request: '{}', signature: '0'.repeat(64) })).toBe('forbidden')
    await sql`reset all`.execute(session)
  })
})

test('the signature of the function is the HMAC-SHA256 that everybody computes', async () => {
  for (let n = 0; n < 200; n++) {
    const secret = randomBytes(32)
    const message = `${'süd ✓ '.repeat(n)}${randomBytes(n).toString('base64')}`
    const { rows } = await sql<{ hmac: Buffer }>`select access.hmac(${secret}, ${message}) as hmac`.execute(owner)
    expect(rows[0]!.hmac.equals(createHmac('sha256', secret).update(message).digest())).toBe(true)
  }
})

test('a key has a hundred sessions at most: the one that was seen longest ago ends', async ({ users }) => {
  const sign = createSigner(users.gateway)
  const { keyId } = await makeKey(owner, { scopes: ['read'] })
  const hashes: string[] = []
  for (let n = 0; n < 101; n++) {
    hashes.push(hashOfId(`${keyId} ${n}`))
    const session = { session_id: randomUUID(), id_sha256: hashes[n]! }
    await changeAccess(users.endpoint, await sign({ change: 'start_session', ...session }, { key_id: keyId }))
  }
  const live = await liveSessions(users.gateway, hashes)
  expect([live.size, live.has(hashes[0]!), live.has(hashes[100]!)]).toEqual([100, false, true])
})
