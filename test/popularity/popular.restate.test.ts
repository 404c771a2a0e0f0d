import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { PopularResponse } from '../../src/contract/popular-list.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { SETTINGS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { gatewayTest } from '../harness/fixtures.ts'

const CACHE_MS = 900_000
const PATH = '/api/v1/products/popular'

const test = gatewayTest.extend('caching', { scope: 'file' }, async ({ database, stack }, { onCleanup }) => {
  const caching = await startGateway(database.url, stack, { settings: { ...SETTINGS, popularCacheMs: CACHE_MS } })
  onCleanup(caching.stop)
  return caching
})

test.beforeAll(({ db }) =>
  recordAndCount(db, [interaction({ refId: 'lamp' }), interaction({ refId: 'lamp' }), interaction({ refId: 'desk' })]),
)

async function ask({ url }: TestGateway, query: string) {
  const answer = await fetch(`${url}${PATH}?${query}`)
  return { status: answer.status, headers: answer.headers, json: (await answer.json()) as PopularResponse }
}

test('the list names its mode and window, over REST and through the ingress', async ({ stack, gateway }) => {
  const { status, headers, json } = await ask(gateway, 'mode=most_viewed&time_window_days=7&limit=1')
  expect(status).toBe(200)
  expect(PopularResponse.parse(json)).toMatchObject({
    data: [{ product_id: 'lamp', view_count: 2, score: 0.6 }],
    meta: { mode: 'most_viewed', time_window_days: 7, as_of: null, next_cursor: expect.any(String) },
  })
  expect(headers.get('cache-control')).toBe('private, max-age=0')
  const next = await ask(gateway, `mode=most_viewed&time_window_days=7&limit=1&cursor=${json.meta.next_cursor}`)
  expect(next.json).toMatchObject({ data: [{ product_id: 'desk' }], meta: { next_cursor: null } })
  const viaIngress = await fetch(`${stack.ingressUrl}/Popularity/Popular`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ mode: 'most_viewed', time_window_days: 7, limit: 1 }),
  })
  expect(await viaIngress.json()).toMatchObject({ data: [{ product_id: 'lamp', view_count: 2 }], meta: { time_window_days: 7 } })
})

test('as_of is floored to the hour', async ({ gateway }) => {
  const { json } = await ask(gateway, 'mode=overall&as_of=2026-01-02T03:59:59.999%2B01:00')
  expect(json).toMatchObject({ data: [], meta: { as_of: '2026-01-02T02:00:00.000Z' } })
})

test.for([
  ['mode=hottest', 'mode', 'trending'],
  ['time_window_days=0', 'time_window_days', 'from 1 to 365'],
  ['time_window_days=366', 'time_window_days', 'from 1 to 365'],
  ['time_window_days=week', 'time_window_days', 'from 1 to 365'],
  ['limit=0', 'limit', 'from 1 to 100'],
  ['limit=101', 'limit', 'from 1 to 100'],
  ['min_interactions=0', 'min_interactions', 'from 1 to 1000000000'],
  [Array.from({ length: 51 }, (_, n) => `category_ids=c${n}`).join('&'), 'category_ids', '1 to 50'],
  ['category_ids=', 'category_ids.0', '1 to 200'],
  ['as_of=yesterday', 'as_of', 'between 2000-01-01T00:00:00Z and now'],
  ['as_of=1999-12-31T23:59:59Z', 'as_of', '2000-01-01'],
  ['as_of=2100-01-01T00:00:00Z', 'as_of', 'now'],
  ['cursor=abc', 'cursor', 'not a cursor'],
  ['nonsense=1', 'nonsense', 'nonsense'],
] as const)('?%s is refused with the field and its allowed values', async ([query, field, range], { gateway }) => {
  const { status, json } = await ask(gateway, query)
  expect(status).toBe(400)
  const { error } = json as unknown as { error: { message: string; details: { field: string; message: string }[] } }
  expect(error.details.map((detail) => detail.field)).toContain(field)
  expect(error.message).toContain(range)
})

test.for([
  ['200 ASCII characters fit', 'c', 200],
  ['200 emojis do not fit', '🛒', 431],
] as const)('fifty categories with ids of %s into the address', async ([_what, character, status], { gateway }) => {
  const ids = Array.from({ length: 50 }, (_, n) => character.repeat(199) + String.fromCodePoint(97 + n))
  const query = ids.map((id) => `category_ids=${encodeURIComponent(id)}`).join('&')
  expect((await ask(gateway, query)).status).toBe(status)
})

test('requests that differ in their limits share a read, and each gets its own page and cursor', async ({ caching }) => {
  const query = 'mode=overall&time_window_days=6'
  const pages = await Promise.all([1, 2, 9].map((limit) => ask(caching, `${query}&limit=${limit}`)))
  expect(new Set(pages.map(({ json }) => json.meta.generated_at)).size).toBe(1)
  expect(pages.map(({ json }) => json.data.map((product) => product.product_id))).toEqual([
    ['lamp'],
    ['lamp', 'desk'],
    ['lamp', 'desk'],
  ])
  expect(pages.map(({ json }) => typeof json.meta.next_cursor)).toEqual(['string', 'object', 'object'])
  const next = await ask(caching, `${query}&limit=1&cursor=${pages[0]!.json.meta.next_cursor}`)
  expect(next.json).toMatchObject({ data: [{ product_id: 'desk' }], meta: { next_cursor: null } })
})

test('an answer is cached for its maximum age, states it, and answers no other question', async ({ db, caching }) => {
  const refId = randomUUID()
  const query = 'mode=most_viewed&limit=100'
  const both = await Promise.all([ask(caching, query), ask(caching, query)])
  expect(both[0].json).toEqual(both[1].json)
  await recordAndCount(db, [interaction({ refId })])
  const later = await ask(caching, query)
  expect(later.json).toEqual(both[0].json)
  expect(later.headers.get('cache-control')).toBe(`private, max-age=${CACHE_MS / 1_000}`)
  expect(Number(later.headers.get('age'))).toBeGreaterThanOrEqual(0)
  const { json } = await ask(caching, 'mode=most_viewed&limit=20')
  expect(json.data.map((product) => product.product_id)).toContain(refId)
})
