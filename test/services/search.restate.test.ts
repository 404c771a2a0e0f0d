import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import type { RejectedKey } from '../../src/contract/rejected.ts'
import type { Search } from '../../src/contract/search.ts'
import { analyticApi, popularityApi } from '../../src/contract/services.ts'
import { createIngress, type Ingress } from '../../src/ingress/clients.ts'
import { createRecording } from '../../src/gateway/recording/ways.ts'
import { verify } from '../../src/store/proof/verification.ts'
import type { TestDatabase } from '../harness/servers/database.ts'
import { QUEUE_LIMITS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { makeKey, SHOP } from '../harness/items/keys.ts'
import { answerOf, failingOnce, type FailPoint } from '../harness/servers/fail-points.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { SILENT_OBSERVER } from '../harness/servers/silent-observer.ts'
import { until } from '../../src/main/embedded/until.ts'
import { gatewayTest } from '../harness/fixtures.ts'

const failing = failingOnce()
const test = gatewayTest.extend('services', { scope: 'file' }, { hooks: [failing.hook] })

interface Answer {
  status: number
  json: { data?: unknown; meta?: unknown; error?: { code: string; message: string; details?: unknown } }
}

async function ask(
  gateway: TestGateway,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  url = gateway.url,
): Promise<Answer> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
  const answer = await fetch(url + path, body === undefined ? { headers } : init)
  return { status: answer.status, json: (await answer.json()) as Answer['json'] }
}

const identity = () => ({ event_id: randomUUID(), occurred_at: new Date().toISOString() })
const ACCEPTED = { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] }
const DUPLICATE = { accepted: 0, duplicates: 1, duplicate_indexes: [0], rejected: [] }

async function countsOf(stack: Stack, product_id: string): Promise<[shown: number, clicked: number]> {
  await stack.settled()
  const { search_count, search_click_count } = await stack.ingress.client(popularityApi).Get({ product_id })
  return [search_count, search_click_count]
}

const analytic = (stack: Stack) => stack.ingress.client(analyticApi)

test('a search that is sent twice by REST and once by the ingress counts its products once', async ({ db, stack, gateway }) => {
  const search = { ...identity(), session_id: 's', query: 'Desk  lamp', product_ids: ['rest-a', 'rest-b', 'rest-a'] }
  expect(await ask(gateway, '/api/v1/search', search)).toEqual({ status: 200, json: { data: ACCEPTED } })
  expect(await ask(gateway, '/api/v1/search', search)).toEqual({ status: 200, json: { data: DUPLICATE } })
  expect(await analytic(stack).RecordSearch({ ...search, query: 'another' })).toEqual(DUPLICATE)
  expect(await analytic(stack).RecordSearches({ searches: [search, { ...search, ...identity() }, { nonsense: 1 }] })).toEqual({
    accepted: 1,
    duplicates: 1,
    duplicate_indexes: [0],
    rejected: [{ index: 2, code: 'invalid', field: 'query', message: 'is missing' }],
  })
  expect(await countsOf(stack, 'rest-a')).toEqual([2, 0])
  const { rows } = await sql`select product_ids from search where normalised_query = 'desk lamp'`.execute(db)
  expect(rows).toEqual([{ product_ids: ['rest-a', 'rest-b'] }, { product_ids: ['rest-a', 'rest-b'] }])
  expect((await verify(db)).drift).toEqual([])
})

/** A gateway whose calls wait until they are let go. */
async function startHeldGateway(database: TestDatabase, stack: Stack) {
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>()
  const ingress = createIngress({ url: stack.ingressUrl })
  let inFlight = 0
  let calls = 0
  const callWithJson: Ingress['callWithJson'] = async (api, handler, json, options) => {
    calls += 1
    inFlight += (JSON.parse(Buffer.from(json).toString()) as { searches: unknown[] }).searches.length
    await held
    return ingress.callWithJson(api, handler, json, options)
  }
  const holding = { ...ingress, callWithJson }
  // With one flush of a kind, because calls that are held as long as here would let further ones overtake them.
  const limits = { ...QUEUE_LIMITS, flushesMax: 1 }
  const recording = createRecording({ ingress: holding, db: database.db, observer: SILENT_OBSERVER, ...limits })
  const gateway = await startGateway(database.url, stack, { ingress: holding, recording })
  const { groupCommit } = recording.ways.search
  return { gateway, letGo, calls: () => calls, has: () => inFlight + groupCommit.length().events }
}

test('searches that arrive during a call share the next call, and each has its own answer', async ({
  database,
  stack,
  gateway,
}) => {
  const twice = { ...identity(), query: 'crowd', product_ids: ['crowd'] }
  await ask(gateway, '/api/v1/search', twice)
  const held = await startHeldGateway(database, stack)
  const { gateway: crowded } = held
  const late = { ...identity(), occurred_at: '2099-01-01T00:00:00Z' }
  const searches = Array.from({ length: 120 }, (_, n) => {
    if (n % 40 === 0) return twice
    return { query: 'crowd', product_ids: ['crowd', `crowd-${n}`], ...(n % 40 === 1 && late) }
  })
  const answered = Promise.all(searches.map((one) => ask(gateway, '/api/v1/search', one, {}, crowded.url)))
  expect(await until(async () => held.has() === searches.length, 10_000)).toBe(true)
  held.letGo()
  const answers = await answered
  for (const [n, { json }] of answers.entries()) {
    const rejected = [expect.objectContaining({ index: 0, code: 'in_future', field: 'occurred_at' })]
    const other = n % 40 === 0 ? DUPLICATE : { ...ACCEPTED, accepted: 0, rejected }
    expect(json.data).toEqual(n % 40 < 2 ? other : ACCEPTED)
  }
  // Three calls: the first one, a half-full one of the caller that ran with it, and the rest.
  expect(held.calls()).toBeLessThanOrEqual(3)
  await crowded.stop()
  expect(await countsOf(stack, 'crowd')).toEqual([115, 0])
})

test('a click is an interaction of the product with the normalised query, by every route', async ({ db, stack, gateway }) => {
  const click = { ...identity(), account_id: 'a', query: ' RED  lamp', product_id: 'clicked' }
  expect(await ask(gateway, '/api/v1/search/click', click)).toEqual({ status: 200, json: { data: ACCEPTED } })
  expect(await analytic(stack).RecordSearchClick(click)).toEqual(DUPLICATE)
  expect(await analytic(stack).RecordSearchClick({ ...click, ...identity() })).toEqual(ACCEPTED)
  const { rows } = await sql`select distinct event_type, account_id, metadata from interaction where ref_id = 'clicked'`.execute(
    db,
  )
  expect(rows).toEqual([{ event_type: 'click_from_search', account_id: 'a', metadata: { query: 'red lamp' } }])
  expect(await countsOf(stack, 'clicked')).toEqual([0, 2])
})

test('queries are listed with their impressions and clicks, page by page', async ({ db, stack, gateway }) => {
  await stack.settled()
  await sql`
    truncate search, interaction, interaction_batch, rejected_interaction, ingest_delta, ingest_hour, product_hour, product_popularity,
      shopper_product, shopper_recent`.execute(db)
  const searched = (query: string, product_ids: string[]) => ask(gateway, '/api/v1/search', { query, product_ids })
  for (const query of ['sofa', 'SOFA', 'Sofa ']) await searched(query, ['s1'])
  for (const ids of [[], [], ['t1']]) await searched('table', ids)
  await searched('unicorn', [])
  await ask(gateway, '/api/v1/search/click', { session_id: 's', query: 'Sofa', product_id: 's1' })
  const isNew = { change: { searches: null, clicks: null } }
  const shown = (product_id: string, searches: number, clicks: number) => ({ product_id, searches, clicks })
  const sofa = {
    query: 'sofa',
    searches: 3,
    found_nothing: 0,
    clicks: 1,
    click_through: 1 / 3,
    products: [shown('s1', 3, 1)],
    ...isNew,
  }
  const table = {
    query: 'table',
    searches: 3,
    found_nothing: 2,
    clicks: 0,
    click_through: 0,
    products: [shown('t1', 1, 0)],
    ...isNew,
  }
  const unicorn = { query: 'unicorn', searches: 1, found_nothing: 1, clicks: 0, click_through: 0, products: [], ...isNew }
  const list = '/api/v1/search/queries'
  const first = await ask(gateway, `${list}?limit=2`)
  const { from, to, next_cursor } = first.json.meta as { from: string; to: string; next_cursor: string }
  expect(first.json.data).toEqual([sofa, table])
  expect(Date.parse(to) - Date.parse(from)).toBe(7 * 86_400_000)
  expect(await ask(gateway, `${list}?limit=2&cursor=${next_cursor}`)).toEqual({
    status: 200,
    json: { data: [unicorn], meta: { from, to, next_cursor: null } },
  })
  const expanded = { ...sofa, products: [{ ...shown('s1', 3, 1), product: null }] }
  expect((await ask(gateway, `${list}?limit=1&expand=product`)).json.data).toEqual([expanded])
  expect((await ask(gateway, `${list}?filter=found_nothing`)).json.data).toEqual([table, unicorn])
  expect((await ask(gateway, `${list}?filter=no_click&days=1`)).json.data).toEqual([table])
  for (const [query, field] of [
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['days=0', 'days'],
    ['days=91', 'days'],
    ['filter=none', 'filter'],
    [`days=8&cursor=${next_cursor}`, 'cursor'],
    ['nonsense=1', 'nonsense'],
  ]) {
    expect(await ask(gateway, `${list}?${query}`)).toMatchObject({ status: 400, json: { error: { details: [{ field }] } } })
  }
})

test('an Idempotency-Key records a search without an id once; another body is a conflict', async ({ db, stack, gateway }) => {
  const key = { 'idempotency-key': randomUUID() }
  const search = { query: 'keyed', product_ids: ['keyed'] }
  expect((await ask(gateway, '/api/v1/search', search, key)).json.data).toEqual(ACCEPTED)
  expect((await ask(gateway, '/api/v1/search', search, key)).json.data).toEqual(ACCEPTED)
  expect((await ask(gateway, '/api/v1/search', { ...search, query: 'other' }, key)).status).toBe(409)
  const answer = await ask(gateway, '/api/v1/search', search, { prefer: 'respond-async' })
  expect(answer).toMatchObject({ status: 202, json: { data: { invocation_id: expect.stringMatching(/^inv_/) } } })
  const recorded = async () => (await sql`select from search where query = 'keyed'`.execute(db)).rows.length
  expect(await until(async () => (await recorded()) === 2, 10_000)).toBe(true)
  expect(await countsOf(stack, 'keyed')).toEqual([2, 0])
})

test('an invalid search or click is rejected with its field, by REST and through the ingress', async ({ stack, gateway }) => {
  const search = { query: 'x', product_ids: [] }
  const click = { session_id: 's', query: 'x', product_id: 'p' }
  for (const [path, handler, body, field] of [
    ['/api/v1/search', 'RecordSearch', { ...search, query: ' ' }, 'query'],
    ['/api/v1/search', 'RecordSearch', { ...search, product_ids: ['.'] }, 'product_ids.0'],
    ['/api/v1/search', 'RecordSearch', { ...search, nonsense: 1 }, 'nonsense'],
    ['/api/v1/search', 'RecordSearch', [search], null],
    ['/api/v1/search/click', 'RecordSearchClick', { ...click, session_id: undefined }, 'account_id'],
    ['/api/v1/search/click', 'RecordSearchClick', { ...click, product_id: 'top' }, 'product_id'],
  ] as const) {
    expect(await ask(gateway, path, body)).toMatchObject({ status: 400, json: { error: { details: [{ field }] } } })
    const headers = { 'content-type': 'application/json' }
    const direct = await fetch(`${stack.ingressUrl}/Analytic/${handler}`, { method: 'POST', headers, body: JSON.stringify(body) })
    expect(direct.status).toBe(400)
  }
})

test('a search or a click with a bad sent_at is recorded without it, by REST and through the ingress', async ({
  stack,
  gateway,
}) => {
  for (const sent_at of ['now', '1970-01-01T00:00:00Z', 5, { at: 1 }, '']) {
    const search = { query: 'clock', product_ids: [], sent_at }
    const click = { session_id: 's', query: 'clock', product_id: 'p', sent_at }
    const warned = { accepted: 1, rejected: [], warnings: [{ index: 0, field: 'sent_at' }] }
    for (const [path, handler, body] of [
      ['/api/v1/search', 'RecordSearch', search],
      ['/api/v1/search/click', 'RecordSearchClick', click],
    ] as const) {
      expect(await ask(gateway, path, body)).toMatchObject({ status: 200, json: { data: warned } })
      const headers = { 'content-type': 'application/json' }
      const direct = await fetch(`${stack.ingressUrl}/Analytic/${handler}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      })
      expect(await direct.json()).toMatchObject(warned)
    }
  }
})

test('an attempt that fails after its commit, and its retry, count a search once', async ({ db, stack }) => {
  const answer = async (points: FailPoint[]) => {
    for (const point of points) failing.left.add(point)
    const once = clients.rpc.opts<Search, CreateInteractionResponse>({ idempotencyKey: randomUUID() })
    return analytic(stack).RecordSearch({ query: 'failing', product_ids: ['failing'] }, once)
  }
  expect(await answer(['record the batch', answerOf('RecordSearch'), 'count the batch'])).toEqual(ACCEPTED)
  expect(await countsOf(stack, 'failing')).toEqual([1, 0])
  expect([...failing.left]).toEqual([])
  expect((await verify(db)).drift).toEqual([])
})

test('a rejected search is replayed as a search, once', async ({ db, stack, gateway }) => {
  const search = { event_id: '018bcfe5-6800-7000-8000-0000000000cd', occurred_at: '2023-11-14T22:13:29Z', query: 'Late' }
  const refused = await ask(gateway, '/api/v1/search', { ...search, product_ids: ['late'] })
  expect(refused.json.data).toMatchObject({ accepted: 0, rejected: [{ index: 0, code: 'invalid', field: 'occurred_at' }] })
  const { rows } = await sql<RejectedKey>`
    select batch_id, index from rejected_interaction order by batch_id desc limit 1`.execute(db)
  const set = { occurred_at: '2023-11-14T22:13:20Z', query: 'in time' }
  const replay = () => analytic(stack).ReplayRejected({ ...rows[0]!, set }, clients.rpc.opts({ idempotencyKey: randomUUID() }))
  expect(await replay()).toEqual({ outcome: 'accepted', event_id: search.event_id })
  await expect(replay()).rejects.toThrow(/was replayed already, at .*: accepted/)
  expect(await countsOf(stack, 'late')).toEqual([1, 0])
  expect((await sql`select query from search where query = 'in time'`.execute(db)).rows).toHaveLength(1)
})

/** The last test: after the first key is created, every request needs one. */
test('a publishable key sends searches and clicks, also as beacons, and reads nothing', async ({ db, database, stack }) => {
  const { text: key } = await makeKey(db, { isPublishable: true, origins: [SHOP] })
  const guarded = await startGateway(database.url, stack)
  const beacon = async (path: string, body: object) => {
    const init = { method: 'POST', headers: { origin: SHOP, 'content-type': 'text/plain' }, body: JSON.stringify(body) }
    return (await fetch(`${guarded.url}${path}?key=${key}`, init)).status
  }
  expect(await beacon('/api/v1/search', { query: 'x', product_ids: ['beacon'] })).toBe(200)
  expect(await beacon('/api/v1/search/click', { session_id: 's', query: 'x', product_id: 'beacon' })).toBe(200)
  const listed = await fetch(`${guarded.url}/api/v1/search/queries`, { headers: { authorization: `Bearer ${key}` } })
  expect(listed.status).toBe(403)
  await guarded.stop()
  expect(await countsOf(stack, 'beacon')).toEqual([1, 1])
})
