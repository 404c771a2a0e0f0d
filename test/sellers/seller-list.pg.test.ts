import { expect } from 'vitest'
import { SellersRequest, SellersResponse } from '../../src/contract/seller-list.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { sellerList } from '../../src/store/sellers/seller-list.ts'
import { pgTest } from '../harness/fixtures.ts'
import { makeKey } from '../harness/items/keys.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clearSales, type Line, saleLine, storeSales } from '../harness/items/sales.ts'
import { keptMs } from '../../src/gateway/caching/shared-answers.ts'
import { SETTINGS, startGateway } from '../harness/servers/gateway.ts'

const test = pgTest
  .extend('keys', { scope: 'file' }, async ({ db }) => ({
    shop: (await makeKey(db, { scopes: ['read'] })).text,
    other: (await makeKey(db, { scopes: ['read'] })).text,
    ingest: (await makeKey(db, { scopes: ['ingest'] })).text,
    seller: (await makeKey(db, { scopes: ['read'], sellerId: 'south' })).text,
  }))
  // After the keys: a gateway that starts knows every key.
  .extend('gateway', { scope: 'file' }, async ({ database, keys: _keys }, { onCleanup }) => {
    const gateway = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' })
    onCleanup(gateway.stop)
    return gateway
  })

test.beforeEach(({ db }) => clearSales(db))

const NOW_MS = Date.parse('2026-03-31T15:00:00Z')
const line = (day: string, changes: Partial<Line>) => saleLine({ occurredAtMs: Date.parse(`${day}T10:00:00Z`), ...changes })
const MARCH = { start: '2026-03-01', end: '2026-03-31' }

function list(db: Database, asked: Partial<SellersRequest> = MARCH, sellerId?: string): Promise<SellersResponse> {
  return sellerList(db, SellersRequest.parse(asked), { sellerId, nowMs: NOW_MS })
}

test('sellers have their revenue per currency, with the change since the period before', async ({ db }) => {
  await storeSales(db, [
    line('2026-03-01', { sellerId: 'north', amount: 300, quantity: 3, orders: 1 }),
    line('2026-03-31', { sellerId: 'north', amount: 200, quantity: 1, orders: 1 }),
    line('2026-03-10', { sellerId: 'north', currency: 'USD', amount: 70 }),
    line('2026-02-28', { sellerId: 'north', amount: 250, quantity: 2, orders: 2 }),
    // The first day of the period before, the day before it, and the day after the range.
    line('2026-01-29', { sellerId: 'south', amount: 40 }),
    line('2026-01-28', { sellerId: 'south', amount: 1_000 }),
    line('2026-04-01', { sellerId: 'south', amount: 1_000 }),
    line('2026-03-15', { sellerId: 'south', amount: 10, quantity: 2 }),
    line('2026-02-15', { sellerId: 'over', amount: 10 }),
  ])
  await upsert(db, [
    product({ product_id: 'a', seller_id: 'north', price: 5, currency: 'EUR' }),
    product({ product_id: 'b', seller_id: 'north', status: 'hidden' }),
    product({ product_id: 'c', seller_id: 'north', status: 'deleted' }),
  ])
  const answer = await list(db)
  expect(SellersResponse.parse(answer)).toEqual(answer)
  expect(answer).toEqual({
    data: [
      {
        seller_id: 'north',
        orders: 3,
        items_sold: 5,
        amounts: [
          { currency: 'EUR', amount: 500, change: 100 },
          { currency: 'USD', amount: 70, change: null },
        ],
        products: 2,
        change: { orders: 50, items_sold: 150 },
      },
      {
        seller_id: 'south',
        orders: 1,
        items_sold: 2,
        amounts: [{ currency: 'EUR', amount: 10, change: -75 }],
        products: 0,
        change: { orders: 0, items_sold: 100 },
      },
    ],
    meta: { ...MARCH, next_cursor: null },
  })
  expect((await list(db, {})).meta).toMatchObject({ start: '2026-03-02', end: '2026-03-31' })
  expect((await list(db, MARCH, 'south')).data.map(({ seller_id: id }) => id)).toEqual(['south'])
})

test('pages have each seller once, ties by id', async ({ db }) => {
  const orders = { a: 2, b: 1, c: 2, d: 0, e: -1, 'Ü "x"': 1 }
  await storeSales(
    db,
    Object.entries(orders).map(([sellerId, count]) => line('2026-03-05', { sellerId, orders: count })),
  )
  const ids: string[] = []
  for (let cursor: string | undefined; ;) {
    const { data, meta } = await list(db, { ...MARCH, limit: 2, cursor })
    ids.push(...data.map(({ seller_id: id }) => id))
    if (meta.next_cursor === null) break
    cursor = meta.next_cursor
  }
  expect(ids).toEqual(['a', 'c', 'b', 'Ü "x"', 'd', 'e'])
  const { meta } = await list(db, { ...MARCH, limit: 2 })
  const other = { start: '2026-03-02', end: '2026-03-31', cursor: meta.next_cursor! }
  await expect(list(db, other)).rejects.toMatchObject({ field: 'cursor' })
})

test('a cursor goes on with its range after midnight', async ({ db }) => {
  await storeSales(
    db,
    ['a', 'b', 'c'].map((sellerId) => line('2026-03-05', { sellerId })),
  )
  const { meta } = await list(db, { limit: 2 })
  const tomorrow = { sellerId: undefined, nowMs: NOW_MS + 86_400_000 }
  const asked = SellersRequest.parse({ limit: 2, cursor: meta.next_cursor! })
  const { data, meta: next } = await sellerList(db, asked, tomorrow)
  expect([data.map(({ seller_id: id }) => id), next]).toEqual([['c'], { start: meta.start, end: meta.end, next_cursor: null }])
})

test('callers share an answer for a moment, and each seller has one of its own', async ({ db, database, keys }) => {
  const gateway = await startGateway(
    database.url,
    { ingressUrl: 'http://127.0.0.1:1' },
    { settings: { ...SETTINGS, popularCacheMs: 60_000 } },
  )
  const ask = async (key: string) => {
    const answer = await fetch(`${gateway.url}/api/v1/sellers`, { headers: { authorization: `Bearer ${key}` } })
    return ((await answer.json()) as SellersResponse).data.map(({ seller_id: id }) => id)
  }
  await storeSales(db, [saleLine({ sellerId: 'north', occurredAtMs: Date.now() - 3_600_000 })])
  expect(await ask(keys.shop)).toEqual(['north'])
  await storeSales(db, [saleLine({ sellerId: 'south', occurredAtMs: Date.now() - 3_600_000 })])
  expect([await ask(keys.shop), await ask(keys.other)]).toEqual([['north'], ['north']])
  expect(await ask(keys.seller)).toEqual(['south'])
  await gateway.stop()
})

test.for([
  [1, 1_000, 3, 1_000],
  [1_300, 1_000, 3, 3_900],
  [20_000, 1_000, 3, 10_000],
  [60, 1_000, 50, 3_000],
  [20_000, 0, 3, 0],
])('an answer that took %i ms is kept with a cache of %i ms for %i reads: %i ms', ([took, cacheMs, reads, kept]) => {
  expect(keptMs(took!, cacheMs!, reads)).toBe(kept)
})

test.for([
  [{ start: '2026-03-31', end: '2026-03-01' }, 'start'],
  [{ start: '2025-01-01', end: '2026-03-01' }, 'start'],
  [{ end: '1999-12-31' }, 'end'],
  [{ cursor: 'abc' }, 'cursor'],
] as const)('%o is refused by its field', async ([asked, field], { db }) => {
  await expect(list(db, asked)).rejects.toMatchObject({ field })
})

test("over HTTP a seller's key gets that seller alone", async ({ db, gateway, keys }) => {
  await storeSales(
    db,
    ['north', 'south'].map((sellerId) => line('2026-03-05', { sellerId })),
  )
  const ask = async (key: string) => {
    const query = 'start=2026-03-01&end=2026-03-31&limit=5'
    const answer = await fetch(`${gateway.url}/api/v1/sellers?${query}`, { headers: { authorization: `Bearer ${key}` } })
    return { status: answer.status, json: (await answer.json()) as SellersResponse }
  }
  expect((await ask(keys.shop)).json.data.map(({ seller_id: id }) => id)).toEqual(['north', 'south'])
  expect((await ask(keys.seller)).json.data.map(({ seller_id: id }) => id)).toEqual(['south'])
  expect((await ask(keys.ingest)).status).toBe(403)
})
