import { sql } from 'kysely'
import { expect } from 'vitest'
import { catalogApi } from '../../src/contract/services.ts'
import type { RerankResponse } from '../../src/contract/rerank.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { settled, startStack } from '../harness/servers/stack.ts'

/** The gateway reaches PostgreSQL through a proxy. */
const test = proxiedTest
  .extend('stack', { scope: 'file' }, async ({ db }, { onCleanup }) => {
    const stack = await startStack(db)
    onCleanup(stack.stop)
    return stack
  })
  .extend('gateway', { scope: 'file' }, async ({ proxy, stack }, { onCleanup }) => {
    const gateway = await startGateway(proxy.url, stack)
    onCleanup(gateway.stop)
    return gateway
  })

test.beforeEach(async ({ db }) => {
  await clear(db)
  await upsert(
    db,
    ['lamp', 'spot', 'desk', 'rug'].map((product_id) =>
      product({ product_id, category: product_id === 'lamp' || product_id === 'spot' ? 'lighting' : product_id }),
    ),
  )
  await popular(db, ['lamp', 'spot', 'desk'])
})

/** Gives each product five interactions of other shoppers. */
async function popular(db: Database, productIds: readonly string[]): Promise<void> {
  const events = productIds.flatMap((refId) => Array.from({ length: 5 }, () => interaction({ refId, accountId: 'others' })))
  await recordAndCount(db, events)
}

interface Answer {
  status: number
  json: RerankResponse & { error?: { code: string; details?: { field: string }[] } }
}

async function post(gateway: TestGateway, path: string, body: string): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${gateway.url}/api/v1/${path}`, { method: 'POST', headers, body })
  return { status: answer.status, json: (await answer.json()) as Answer['json'] }
}
const rerank = (gateway: TestGateway, request: object) => post(gateway, 'rerank', JSON.stringify(request))

async function view(gateway: TestGateway, session_id: string, ref_id: string): Promise<void> {
  const event = { event_type: 'view', ref_type: 'Product', session_id, ref_id }
  expect((await post(gateway, 'event', JSON.stringify(event))).status).toBe(202)
}

/** Resolves when an event of a session is recorded, because the gateway answers when Restate has it. */
async function recorded(db: Database, sessionId: string): Promise<void> {
  const events = sql`select from interaction where session_id = ${sessionId}`
  expect(await until(async () => (await events.execute(db)).rows.length > 0, 30_000)).toBe(true)
}

const listOf = ({ data }: RerankResponse) =>
  data.map(({ product_id, score, applied_rules }) => [product_id, score, ...applied_rules.map(({ rule }) => rule)])

/** 10 items, so that no category is more than a quarter of them. */
const ITEMS = ['lamp', 'spot', 'desk', 'rug', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6'].map((product_id, at) => ({
  product_id,
  score: 10 - at,
}))
const UNKNOWN = [4, 5, 6, 7, 8, 9].map((at) => [`x${at - 3}`, 10 - at, 'unknown_product'])

test('an event changes the next answer, and the handler gives the same when the event is fed', async ({ db, gateway, stack }) => {
  const before = await rerank(gateway, { session_id: 's0', items: ITEMS })
  expect(before.status).toBe(200)
  expect(listOf(before.json)).toEqual([['lamp', 10], ['spot', 9], ['desk', 8], ['rug', 7 * 0.9, 'popularity_floor'], ...UNKNOWN])
  await view(gateway, 's0', 'lamp')
  const after = await rerank(gateway, { session_id: 's0', items: ITEMS, explain: true })
  expect(listOf(after.json)).toEqual([
    ['spot', 9 * 1.08, 'intent_boost'],
    ['desk', 8],
    ['rug', 7 * 0.9, 'popularity_floor'],
    ['lamp', 10 * (1.08 * 0.2), 'intent_boost', 'recent_penalty'],
    ...UNKNOWN,
  ])
  expect(after.json.meta).toEqual({ preset: 'standard', is_partial: false })
  expect(after.json.data[0]).toEqual({
    product_id: 'spot',
    score: 9 * 1.08,
    rank: 1,
    original_score: 9,
    applied_rules: [{ rule: 'intent_boost', factor: 1.08, detail: 'events of the visit with category lighting: 1' }],
  })
  await recorded(db, 's0')
  await settled(db)
  const call = { session_id: 's0', items: ITEMS, explain: true }
  expect(await stack.ingress.client(catalogApi).Rerank({ limit: 500, ...call })).toEqual(after.json)
})

test('a request chooses the preset and how many items it gets', async ({ gateway }) => {
  await view(gateway, 's1', 'lamp')
  const { json } = await rerank(gateway, { session_id: 's1', items: ITEMS, preset: 'mild', limit: 2 })
  expect(listOf(json)).toEqual([
    ['spot', 9 * 1.05, 'intent_boost'],
    ['desk', 8],
  ])
  expect(json.meta.preset).toBe('mild')
})

test('a session may come with its account, and with no other', async ({ gateway, stack }) => {
  await view(gateway, 's2', 'lamp')
  const both = { account_id: 'ada', session_id: 's2', items: ITEMS }
  const fieldOf = ({ status, json }: Answer) => [status, json.error?.details?.[0]?.field]
  expect(fieldOf(await rerank(gateway, both))).toEqual([400, 'session_id'])
  await expect(stack.ingress.client(catalogApi).Rerank({ limit: 500, explain: false, ...both })).rejects.toMatchObject({
    status: 400,
  })
  await post(gateway, 'shoppers/session:s2/merge', JSON.stringify({ account_id: 'ada' }))
  const merged = await rerank(gateway, both)
  expect(listOf(merged.json)[0]).toEqual(['spot', 9 * 1.08, 'intent_boost'])
  expect((await rerank(gateway, { account_id: 'ada', items: ITEMS })).json).toEqual(merged.json)
  expect((await rerank(gateway, { session_id: 's2', items: ITEMS })).json).toEqual(merged.json)
  expect(fieldOf(await rerank(gateway, { ...both, account_id: 'bea' }))).toEqual([400, 'session_id'])
})

test('an empty list, one of 500 items, and 500 of the longest ids are answered whole', async ({ gateway }) => {
  expect((await rerank(gateway, { session_id: 's', items: [] })).json).toMatchObject({ data: [] })
  const many = Array.from({ length: 500 }, (_, at) => ({ product_id: at < 250 ? `p${at}` : 'lamp', score: at }))
  expect((await rerank(gateway, { session_id: 's', items: many })).json.data).toHaveLength(500)
  const long = Array.from({ length: 500 }, (_, at) => ({ product_id: `${'🛒'.repeat(197)}${at + 100}`, score: at }))
  const escaped = JSON.stringify({ session_id: 's', items: long }).replaceAll('🛒', String.raw`\ud83d\uded2`)
  const { status, json } = await post(gateway, 'rerank', escaped)
  expect([status, json.data.length]).toEqual([200, 500])
})

const one = (score: string) => `{"session_id":"s","items":[{"product_id":"lamp","score":${score}}]}`
test.for([
  ['501 items', JSON.stringify({ session_id: 's', items: Array.from({ length: 501 }, () => ITEMS[0]) }), 'items'],
  ['no items', '{"session_id":"s"}', 'items'],
  ['no list', '{"session_id":"s","items":{}}', 'items'],
  ['NaN', one('"NaN"'), 'items.0.score'],
  ['an infinite score', one('1e999'), 'items.0.score'],
  ['a score that is a text', one('"1"'), 'items.0.score'],
  ['a score of null', one('null'), 'items.0.score'],
  ['no score', '{"session_id":"s","items":[{"product_id":"lamp"}]}', 'items.0.score'],
  ['a rating', '{"session_id":"s","items":[{"product_id":"lamp","rating":4}]}', 'items.0.score'],
  ['no product', '{"session_id":"s","items":[{"score":1}]}', 'items.0.product_id'],
  ['an empty product', '{"session_id":"s","items":[{"product_id":"","score":1}]}', 'items.0.product_id'],
  ['a product with NUL', JSON.stringify({ session_id: 's', items: [{ product_id: 'a\0', score: 1 }] }), 'items.0.product_id'],
  ['a field that is not known', '{"session_id":"s","items":[{"product_id":"lamp","score":1,"rank":1}]}', 'items.0.rank'],
  ['no shopper', '{"items":[]}', 'account_id'],
  ['an empty shopper', '{"account_id":"","items":[]}', 'account_id'],
  ['a limit of 0', '{"session_id":"s","items":[],"limit":0}', 'limit'],
  ['a limit of 501', '{"session_id":"s","items":[],"limit":501}', 'limit'],
  ['an unknown preset', '{"session_id":"s","items":[],"preset":"wild"}', 'preset'],
] as const)('%s is refused with the field', async ([_what, body, field], { gateway, stack }) => {
  const { status, json } = await post(gateway, 'rerank', body)
  expect([status, json.error?.code, json.error?.details?.[0]?.field]).toEqual([400, 'invalid_request', field])
  const headers = { 'content-type': 'application/json' }
  expect((await fetch(`${stack.ingressUrl}/Catalog/Rerank`, { method: 'POST', headers, body })).status).toBe(400)
})

test('the largest and the smallest scores stay finite', async ({ gateway }) => {
  await view(gateway, 's3', 'lamp')
  const items = [
    { product_id: 'spot', score: 1.7e308 },
    { product_id: 'lamp', score: -1.7e308 },
    { product_id: 'desk', score: -5e-324 },
    { product_id: 'desk', score: 0 },
  ]
  const { json } = await rerank(gateway, { session_id: 's3', items })
  expect(json.data.map(({ product_id, score }) => [product_id, Number.isFinite(score)])).toEqual([
    ['spot', true],
    ['desk', true],
    ['desk', true],
    ['lamp', true],
  ])
})

test('while PostgreSQL is away the list is ordered by the events that this gateway has', async ({ proxy, gateway }) => {
  await view(gateway, 's4', 'lamp')
  expect((await rerank(gateway, { session_id: 's4', items: ITEMS })).json.meta.is_partial).toBe(false)
  await proxy.cut()
  try {
    const { status, json } = await rerank(gateway, { session_id: 's4', items: ITEMS })
    expect([status, json.meta.is_partial, json.data.length]).toEqual([200, true, 10])
    expect(listOf(json)[0]).toEqual(['spot', 9 * 1.08, 'intent_boost'])
    expect(listOf(json).find(([id]) => id === 'x1')).toEqual(['x1', 6])
    const both = await rerank(gateway, { account_id: 'ada', session_id: 's4', items: ITEMS })
    expect([both.status, both.json.meta.is_partial]).toEqual([200, true])
  } finally {
    await proxy.mend()
  }
  const isWhole = async () => !(await rerank(gateway, { session_id: 's4', items: ITEMS })).json.meta.is_partial
  expect(await until(isWhole, 20_000)).toBe(true)
})
