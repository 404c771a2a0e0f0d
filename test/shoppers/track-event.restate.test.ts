import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { createIngress } from '../../src/ingress/clients.ts'
import { until } from '../../src/main/embedded/until.ts'
import { createApiKey } from '../../src/store/access/api-key.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'
import { upsert } from '../harness/items/products.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { settled, startStack } from '../harness/servers/stack.ts'

/** Services and the gateway reach PostgreSQL through a proxy. */
const test = proxiedTest
  .extend('stack', { scope: 'file' }, async ({ proxied }, { onCleanup }) => {
    const stack = await startStack(proxied)
    onCleanup(stack.stop)
    return stack
  })
  .extend('gateway', { scope: 'file' }, async ({ proxy, stack }, { onCleanup }) => {
    const gateway = await startGateway(proxy.url, stack)
    onCleanup(gateway.stop)
    return gateway
  })

interface Answer {
  status: number
  json: {
    data?: { event_id: string; occurred_at: string; warnings?: { field: string }[] }
    error?: { code: string; message: string; details?: { events?: object[] } | { field: string }[] }
  }
}

async function post(gateway: TestGateway, event: object, { query = '', headers = {} } = {}): Promise<Answer> {
  const answer = await fetch(`${gateway.url}/api/v1/event${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(event),
  })
  return { status: answer.status, json: (await answer.json()) as Answer['json'] }
}

interface Context {
  data: { recent_products: { product_id: string; category: string | null; brand: string | null }[]; last_active: string | null }
  meta: { is_partial: boolean }
}

async function contextOf(gateway: TestGateway, shopperId: string): Promise<Context> {
  const answer = await fetch(`${gateway.url}/api/v1/shoppers/${encodeURIComponent(shopperId)}/context`)
  expect(answer.status).toBe(200)
  return (await answer.json()) as Context
}

const productsIn = ({ data }: Context) => data.recent_products.map(({ product_id }) => product_id)

async function recorded(db: Database, refId: string) {
  const { rows } = await sql<{ eventId: string; eventType: string; accountId: string | null; sessionId: string | null }>`
    select event_id as "eventId", event_type as "eventType", account_id as "accountId", session_id as "sessionId"
    from interaction where ref_id = ${refId} order by occurred_at`.execute(db)
  return rows
}

test('an event shows in the context when it is answered, is recorded once however often it is sent, and keeps its answer', async ({
  db,
  gateway,
}) => {
  const event = { session_id: 'once', event_type: 'view', ref_type: 'Product', ref_id: 'once', event_id: randomUUID() }
  const identified = { ...event, occurred_at: new Date().toISOString() }
  const answers = await Promise.all(Array.from({ length: 3 }, () => post(gateway, identified)))
  for (const { status, json } of answers) {
    expect(status).toBe(202)
    expect(json).toEqual({ data: { event_id: event.event_id, occurred_at: identified.occurred_at } })
  }
  expect(productsIn(await contextOf(gateway, 'session:once'))).toEqual(['once'])
  await settledWith(db, 'once', 1)
  expect(await post(gateway, identified)).toEqual(answers[0])
  expect(productsIn(await contextOf(gateway, 'session:once'))).toEqual(['once'])
  expect(await recorded(db, 'once')).toEqual([{ eventId: event.event_id, eventType: 'view', accountId: null, sessionId: 'once' }])
})

/** Resolves when so many events of a product are recorded and everything is counted. */
async function settledWith(db: Database, refId: string, events: number) {
  expect(await until(async () => (await recorded(db, refId)).length >= events, 30_000)).toBe(true)
  await settled(db)
}

test("the shape of frontends, and their rate and click, are the shop's interactions", async ({ db, gateway }) => {
  const sent = [
    { user_id: 'fay', asin: 'front', event_type: 'view' },
    { user_id: 'fay', asin: 'front', event_type: 'rate', metadata: { rating: 5 } },
    { user_id: 'fay', asin: 'front', event_type: 'click', metadata: { source: 'category' } },
  ]
  for (const event of sent) expect((await post(gateway, event)).status).toBe(202)
  await settledWith(db, 'front', 3)
  const types = (await recorded(db, 'front')).map(({ eventType, accountId }) => `${accountId} ${eventType}`)
  expect(types.toSorted()).toEqual(['fay click_from_category', 'fay rating_high', 'fay view'])
  expect(productsIn(await contextOf(gateway, 'account:fay'))).toEqual(['front'])
})

test('an event with an account and a session of somebody else is of the account', async ({ gateway }) => {
  await post(gateway, { account_id: 'gus', session_id: 'shared', asin: 'own', event_type: 'view' })
  expect(productsIn(await contextOf(gateway, 'account:gus'))).toEqual(['own'])
  expect(productsIn(await contextOf(gateway, 'session:shared'))).toEqual([])
})

test('ids with colons and slashes are different shoppers', async ({ gateway }) => {
  for (const id of ['a', 'a:b', 'a/b', 'account:a', 'session:a:recent_events']) {
    await post(gateway, { session_id: id, asin: `of ${id}`, event_type: 'view' })
  }
  for (const id of ['a', 'a:b', 'a/b', 'account:a', 'session:a:recent_events']) {
    expect(productsIn(await contextOf(gateway, `session:${id}`))).toEqual([`of ${id}`])
  }
  expect(await contextOf(gateway, 'session:unknown')).toEqual({
    data: { recent_products: [], categories: [], last_active: null },
    meta: { is_partial: false },
  })
})

test('events have category and brand of the catalog, at once and when they are fed', async ({ db, gateway }) => {
  await upsert(db, [
    {
      product_id: 'known',
      name: 'Known',
      category: 'lights',
      brand: 'Glow',
      status: 'active',
      updated_at: '2026-01-01T00:00:00Z',
    },
  ])
  await post(gateway, { session_id: 'kinds', asin: 'known', event_type: 'view' })
  const described = [expect.objectContaining({ product_id: 'known', category: 'lights', brand: 'Glow' })]
  expect((await contextOf(gateway, 'session:kinds')).data.recent_products).toEqual(described)
  await settledWith(db, 'known', 1)
  expect((await contextOf(gateway, 'session:kinds')).data.recent_products).toEqual(described)
})

test('a wrong event is refused with its field, and neither shown nor kept', async ({ db, gateway }) => {
  const event = { session_id: 'wrong', asin: 'wrong', event_type: 'rate', metadata: { rating: 6 } }
  expect(await post(gateway, event)).toMatchObject({
    status: 400,
    json: { error: { code: 'invalid_request', details: [{ field: 'metadata.rating' }] } },
  })
  const keyed = await post(gateway, { ...event, event_type: 'view' }, { headers: { 'idempotency-key': 'k' } })
  expect(keyed).toMatchObject({ status: 400, json: { error: { details: [{ field: 'idempotency-key' }] } } })
  expect(productsIn(await contextOf(gateway, 'session:wrong'))).toEqual([])
  expect((await sql`select from rejected_interaction`.execute(db)).rows).toEqual([])
})

test('while PostgreSQL is away events are taken and shown, and they are counted when it is back', async ({
  db,
  proxy,
  gateway,
}) => {
  await post(gateway, { session_id: 'away', asin: 'before', event_type: 'view' })
  await settledWith(db, 'before', 1)
  await proxy.cut()
  for (const asin of ['first', 'second', 'third']) {
    expect((await post(gateway, { session_id: 'away', asin, event_type: 'view' })).status).toBe(202)
  }
  const context = await contextOf(gateway, 'session:away')
  expect(productsIn(context)).toEqual(['third', 'second', 'first', 'before'])
  expect(context.meta).toEqual({ is_partial: true })
  await proxy.mend()
  await settledWith(db, 'third', 1)
  await settledWith(db, 'first', 1)
  const after = await contextOf(gateway, 'session:away')
  expect(productsIn(after)).toEqual(['third', 'second', 'first', 'before'])
  expect(after.meta).toEqual({ is_partial: false })
  expect((await verify(db)).drift).toEqual([])
})

test('a gateway that starts anew has the context from PostgreSQL', async ({ proxy, db, stack, gateway }) => {
  await post(gateway, { session_id: 'anew', asin: 'anew', event_type: 'view' })
  await settledWith(db, 'anew', 1)
  const other = await startGateway(proxy.url, stack)
  expect(productsIn(await contextOf(other, 'session:anew'))).toEqual(['anew'])
  await other.stop()
})

test('without Restate the outcome is unknown, with the id to resend, and nothing shows', async ({ proxy, gateway }) => {
  const ingress = createIngress({ url: 'http://127.0.0.1:1', deadlineMs: 300 })
  const alone = await startGateway(proxy.url, { ingressUrl: 'http://127.0.0.1:1' }, { ingress })
  const { status, json } = await post(alone, { session_id: 'lost', asin: 'lost', event_type: 'view' })
  expect(status).toBe(503)
  expect(json.error!.details).toEqual({ events: [{ index: 0, event_id: expect.any(String), occurred_at: expect.any(String) }] })
  expect(productsIn(await contextOf(alone, 'session:lost'))).toEqual([])
  // What is unknown is resent, here to a gateway that reaches Restate.
  const [{ event_id, occurred_at }] = (json.error!.details as { events: [{ event_id: string; occurred_at: string }] }).events
  const resent = await post(gateway, { session_id: 'lost', asin: 'lost', event_type: 'view', event_id, occurred_at })
  expect(resent).toEqual({ status: 202, json: { data: { event_id, occurred_at } } })
  await alone.stop()
})

test('beyond what may wait an event is refused, and neither recorded nor shown', async ({ db, proxy, stack }) => {
  const full = await startGateway(proxy.url, stack, { limits: { queueEventsMax: 0 } })
  const answer = await post(full, { session_id: 'full', asin: 'full', event_type: 'view' })
  expect(answer).toMatchObject({ status: 503, json: { error: { code: 'unavailable' } } })
  expect(answer.json.error!.message).toMatch(/nothing/)
  expect(productsIn(await contextOf(full, 'session:full'))).toEqual([])
  await full.stop()
  await settled(db)
  expect(await recorded(db, 'full')).toEqual([])
})

test("a page's beacon is taken with a publishable key, and an old event is not", async ({ db, proxy, stack }) => {
  const { text } = await createApiKey(db, {
    name: 'page',
    scopes: ['ingest'],
    isPublishable: true,
    origins: ['https://shop.example'],
    sellerId: null,
    requestsPerMinute: null,
  })
  const gateway = await startGateway(proxy.url, stack)
  const headers = { 'content-type': 'text/plain', origin: 'https://shop.example' }
  const query = `?key=${text}`
  const beacon = await post(gateway, { session_id: 'page', asin: 'page', event_type: 'view' }, { query, headers })
  expect(beacon.status).toBe(202)
  const old = {
    session_id: 'page',
    asin: 'page',
    event_type: 'view',
    event_id: randomUUID(),
    occurred_at: '2020-01-01T00:00:00Z',
  }
  expect(await post(gateway, old, { query, headers })).toMatchObject({
    status: 400,
    json: { error: { details: [{ field: 'occurred_at' }] } },
  })
  const foreign = await post(
    gateway,
    { session_id: 'page', asin: 'page', event_type: 'view' },
    { query, headers: { ...headers, origin: 'https://other.example' } },
  )
  expect(foreign.status).toBe(403)
  await gateway.stop()
})
