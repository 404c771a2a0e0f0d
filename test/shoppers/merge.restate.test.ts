import { sql } from 'kysely'
import { expect } from 'vitest'
import { scheduleApi, shopperApi } from '../../src/contract/services.ts'
import { MERGING } from '../../services/handler/handler-options.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { makeKeys, SHOP } from '../harness/items/keys.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { query, startStack } from '../harness/servers/stack.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'

/** The services reach PostgreSQL through a proxy, and the gateway waits 1 s for Restate. */
const test = proxiedTest
  .extend('stack', { scope: 'file' }, async ({ proxied }, { onCleanup }) => {
    const stack = await startStack(proxied)
    onCleanup(stack.stop)
    return stack
  })
  .extend('gateway', { scope: 'file' }, async ({ database, stack }, { onCleanup }) => {
    const ingress = createIngress({ url: stack.ingressUrl, deadlineMs: 5_000 })
    const gateway = await startGateway(database.url, stack, { ingress })
    onCleanup(gateway.stop)
    return gateway
  })

test.beforeEach(({ db }) => sql`delete from shopper_redirect`.execute(db))

interface Answer {
  status: number
  json: { data?: Record<string, string>; error?: { code: string; message: string; details?: unknown } }
}

async function merge(
  gateway: TestGateway,
  shopper: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await fetch(`${gateway.url}/api/v1/shoppers/${encodeURIComponent(shopper)}/merge`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: answer.status, json: (await answer.json()) as Answer['json'] }
}

test('a merge is answered with its account, twice the same, and another account with a conflict that names the first', async ({
  gateway,
}) => {
  const first = await merge(gateway, 'session:s', { account_id: 'ada' })
  expect(first).toMatchObject({ status: 200, json: { data: { session_id: 's', account_id: 'ada' } } })
  expect(await merge(gateway, 'session:s', { account_id: 'ada' })).toEqual(first)
  expect(await merge(gateway, 'session:s', { account_id: 'bea' })).toMatchObject({
    status: 409,
    json: { error: { code: 'conflict', details: { id: 'ada' } } },
  })
})

test('of two accounts for one session at the same time one gets 200 and the other 409', async ({ gateway }) => {
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(['ada', 'bea'].map((account_id) => merge(gateway, `session:both ${round}`, { account_id })))
    const [won, lost] = answers.toSorted((a, b) => a.status - b.status)
    expect([won!.status, lost!.status]).toEqual([200, 409])
    expect(lost!.json.error!.details).toEqual({ id: won!.json.data!['account_id'] })
  }
})

test.for([
  ['an account in the address', 'account:ada', { account_id: 'bea' }, 'shopper_id'],
  ['no kind in the address', 'ada', { account_id: 'bea' }, 'shopper_id'],
  ['an unknown kind', 'Session:s', { account_id: 'bea' }, 'shopper_id'],
  ['a session without an id', 'session:', { account_id: 'bea' }, 'shopper_id'],
  ['a session of 201 characters', `session:${'s'.repeat(201)}`, { account_id: 'bea' }, 'shopper_id'],
  ['NUL in the session', 'session:a\0', { account_id: 'bea' }, 'shopper_id'],
  ['no account', 'session:s', {}, 'account_id'],
  ['null as account', 'session:s', { account_id: null }, 'account_id'],
  ['an empty account', 'session:s', { account_id: '' }, 'account_id'],
  ['NUL in the account', 'session:s', { account_id: 'a\0' }, 'account_id'],
  ['half a surrogate pair in the account', 'session:s', { account_id: '\ud800' }, 'account_id'],
  ['an account of 201 characters', 'session:s', { account_id: 'a'.repeat(201) }, 'account_id'],
  ['an unknown field', 'session:s', { account_id: 'bea', session_id: 's' }, 'session_id'],
] as const)('%s is refused with the field', async ([, shopper, body, field], { db, gateway }) => {
  const { status, json } = await merge(gateway, shopper, body)
  expect([status, json.error?.code]).toEqual([400, 'invalid_request'])
  expect(json.error!.details).toMatchObject([{ field }])
  expect(await redirects(db)).toEqual([])
})

test.for([
  ['a session with colons', 'session:order:4711', 'order:4711'],
  ['a session that looks like an account', 'session:account:ada', 'account:ada'],
  ['a slash and a per cent sign', 'session:a/b%2F', 'a/b%2F'],
  ['200 characters', `session:${'🛒'.repeat(100)}`, '🛒'.repeat(100)],
] as const)('%s is merged as it is', async ([, shopper, sessionId], { db, gateway }) => {
  expect((await merge(gateway, shopper, { account_id: 'session:x:y' })).status).toBe(200)
  expect(await redirects(db)).toEqual([{ session_id: sessionId, account_id: 'session:x:y' }])
})

test('an account that is a whole number is its digits', async ({ db, gateway }) => {
  expect((await merge(gateway, 'session:s', { account_id: 17 })).status).toBe(200)
  expect(await redirects(db)).toEqual([{ session_id: 's', account_id: '17' }])
})

test('the handler refuses what the route refuses, and says which account has the session', async ({ stack }) => {
  const shopper = stack.ingress.client(shopperApi)
  const first = await shopper.Merge({ session_id: 'a:b', account_id: 'ada' })
  expect(await shopper.Merge({ session_id: 'a:b', account_id: 'ada' })).toEqual(first)
  await expect(shopper.Merge({ session_id: 'a:b', account_id: 'bea' })).rejects.toMatchObject({ status: 409 })
  await expect(shopper.Merge({ session_id: '', account_id: 'bea' })).rejects.toMatchObject({ status: 400 })
})

/** More merges than Restate has slots, if each kept one. */
const WAITING = 600
const PATIENCE_MS = 60_000

test(
  'without PostgreSQL merges are answered 202, hold up nothing else in Restate, and are made when it is back',
  { timeout: 240_000 },
  async ({ db, proxy, stack, gateway }) => {
    await stack.ingress.client(shopperApi).Merge({ session_id: 'before', account_id: 'ada' })
    await proxy.cut()
    const ingress = createIngress({ url: stack.ingressUrl, deadlineMs: 30_000 })
    const answered = await merge(gateway, 'session:away', { account_id: 'ada' })
    expect(answered).toMatchObject({ status: 202, json: { data: { invocation_id: expect.stringMatching(/^inv_/) } } })
    for (let n = 0; n < WAITING; n += 50) {
      const some = Array.from({ length: 50 }, (_, k) => ({ session_id: `waiting ${n + k}`, account_id: 'ada' }))
      await Promise.all(some.map((request) => ingress.send(shopperApi, 'Merge', request)))
    }
    const slots = "select count(*) as slots from sys_invocation where status in ('running', 'backing-off')"
    const areSuspended = await until(async () => Number((await query(stack, slots))[0]!['slots']) < 10, PATIENCE_MS)
    expect(areSuspended).toBe(true)
    expect(await stack.ingress.client(scheduleApi, 'sweep').Info({})).toMatchObject({ task: 'sweep' })
    expect(await redirects(db)).toHaveLength(1)
    await proxy.mend()
    expect(await until(async () => (await redirects(db)).length === WAITING + 2, PATIENCE_MS)).toBe(true)
    expect(await merge(gateway, 'session:away', { account_id: 'bea' })).toMatchObject({
      status: 409,
      json: { error: { details: { id: 'ada' } } },
    })
  },
)

test(
  'a merge that fails for another reason than an outage is answered, and its lane goes on',
  { timeout: 120_000 },
  async ({ database, db, stack }) => {
    const shopper = stack.ingress.client(shopperApi)
    const ingress = createIngress({ url: stack.ingressUrl, deadlineMs: 60_000 })
    const gateway = await startGateway(database.url, stack, { ingress })
    const request = { session_id: 'abcdef', account_id: 'ada' }
    await sql`alter table shopper_redirect rename column account_id to account`.execute(db)
    const message = expect.stringContaining('could not be merged')
    await expect(shopper.Merge(request)).rejects.toMatchObject({ status: 503, message })
    expect(await merge(gateway, 'session:abcdef', { account_id: 'ada' })).toMatchObject({
      status: 503,
      json: { error: { code: 'unavailable', message } },
    })
    await sql`alter table shopper_redirect rename column account to account_id`.execute(db)
    // By the lane of the same session.
    expect(await shopper.Merge(request)).toMatchObject({ account_id: 'ada' })
    await gateway.stop()
  },
)

test('an answer that names a session and its account is kept for seconds', () => {
  expect(MERGING.idempotencyRetention).toEqual({ seconds: 20 })
})

test('a secret key that may ingest can merge, and no other key', async ({ database, db, stack }) => {
  const keys = await makeKeys(db)
  const gateway = await startGateway(database.url, stack)
  const origin = { origin: SHOP }
  const as = (key: string, headers: Record<string, string> = {}) =>
    merge(gateway, 'session:s', { account_id: 'ada' }, { authorization: `Bearer ${key}`, ...headers })
  expect(await as(keys.shop, origin)).toMatchObject({
    status: 403,
    json: { error: { message: expect.stringContaining('publishable') } },
  })
  expect((await as(keys.shop)).status).toBe(403)
  expect((await as(keys.read)).status).toBe(403)
  expect((await as(keys.manage)).status).toBe(403)
  expect((await as(keys.seller)).status).toBe(403)
  expect((await as(keys.revoked)).status).toBe(401)
  expect((await merge(gateway, 'session:s', { account_id: 'ada' })).status).toBe(401)
  expect(await redirects(db)).toEqual([])
  expect((await as(keys.ingest)).status).toBe(200)
  await gateway.stop()
})

async function redirects(db: Database): Promise<{ session_id: string; account_id: string }[]> {
  const { rows } = await sql<{ session_id: string; account_id: string }>`
    select session_id, account_id from shopper_redirect order by 1`.execute(db)
  return rows
}
