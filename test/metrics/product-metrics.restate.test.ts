import { sql } from 'kysely'
import { expect } from 'vitest'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { catalogApi } from '../../src/contract/services.ts'
import { postgresHistory } from '../../src/store/metrics/postgres-history.ts'
import { until } from '../../src/main/embedded/until.ts'
import { ask, makeKeys } from '../harness/items/keys.ts'
import { clearCatalog, foldAndRecord } from '../harness/items/product-metrics.ts'
import { product, upsert } from '../harness/items/products.ts'
import { SETTINGS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'

const PATH = '/api/v1/catalog/metrics'
const SELLER = 'a/seller 🛒'

interface Got {
  status: number
  json: { data?: unknown; meta?: { recorded_at: string }; error?: { code: string; message: string } }
}

async function get(gateway: TestGateway, path: string): Promise<Got> {
  const answer = await fetch(`${gateway.url}${PATH}${path}`)
  return { status: answer.status, json: (await answer.json()) as Got['json'] }
}

const lamp = (changes: Parameters<typeof product>[0] = {}) =>
  product({ product_id: 'lamp', seller_id: SELLER, category: 'a/b', price: 250, currency: 'EUR', quantity: 4, ...changes })
const seller = (path = '') => `/sellers/${encodeURIComponent(SELLER)}${path}`

test.beforeEach(({ db }) => clearCatalog(db))

test('REST and Restate answer what a seller, a category and low stock come to', async ({ db, stack, gateway }) => {
  await upsert(db, [lamp(), lamp({ product_id: 'desk', status: 'deleted' })])
  const numbers = { total_products: 2, active_products: 1, deleted_products: 1, amounts: [{ currency: 'EUR', amount: 1_000 }] }
  const asSeller = { seller_id: SELLER, ...numbers, last_updated: expect.any(String) }
  const asCategory = {
    ...{ category: 'a/b', total_products: 1, amounts: numbers.amounts },
    average_prices: [{ currency: 'EUR', amount: 250 }],
    last_updated: expect.any(String),
  }
  const asLowStock = {
    ...{ low_stock_count: 1, low_stock_below: 10, last_updated: expect.any(String) },
    products: [{ product_id: 'lamp', seller_id: SELLER, name: 'Thing', quantity: 4, category: 'a/b' }],
    crossings: [
      {
        product_id: 'lamp',
        seller_id: SELLER,
        name: 'Thing',
        is_low: true,
        quantity_before: null,
        quantity: 4,
        crossed_at: expect.any(String),
      },
    ],
  }
  expect(await get(gateway, seller())).toEqual({ status: 200, json: { data: asSeller } })
  expect(await get(gateway, `/categories/${encodeURIComponent('a/b')}`)).toEqual({ status: 200, json: { data: asCategory } })
  expect(await get(gateway, '/low-stock')).toEqual({ status: 200, json: { data: asLowStock } })
  const none = { ...asSeller, seller_id: 'none', total_products: 0, active_products: 0, deleted_products: 0, amounts: [] }
  const both = `seller_ids=none&seller_ids=${encodeURIComponent(SELLER)}&seller_ids=none`
  expect(await get(gateway, `/sellers?${both}`)).toEqual({
    status: 200,
    json: { data: [{ ...none, last_updated: null }, asSeller] },
  })
  expect(await get(gateway, '/categories?categories=a%2Fb')).toEqual({ status: 200, json: { data: [asCategory] } })
  expect((await get(gateway, '/categories')).status).toBe(400)
  const catalog = stack.ingress.client(catalogApi)
  expect(await catalog.Metrics({ seller_id: SELLER })).toEqual({ seller: asSeller })
  expect(await catalog.Metrics({ category: 'a/b' })).toEqual({ category: asCategory })
  expect(await catalog.Metrics({ low_stock: true })).toEqual({ low_stock: asLowStock })
  await expect(catalog.Metrics({ category: 'a/b', seller_id: SELLER })).rejects.toThrow('is needed, and one only')
})

test('an instant of the past has its state, and a history has the states of its range', async ({ db, stack, gateway }) => {
  const fold = () => foldAndRecord(db, postgresHistory(db))
  await upsert(db, [lamp()])
  await fold()
  const minutes = sql`interval '2 minutes'`
  await sql`update product_metric_history set at = at - ${minutes}`.execute(db)
  await sql`update product_metric_change set recorded_at = recorded_at - ${minutes}`.execute(db)
  await upsert(db, [lamp({ quantity: 40, updated_at: '2026-03-02T12:00:00Z' })])
  await fold()
  const { json } = await get(gateway, seller('/history'))
  expect(json.data).toMatchObject([{ amounts: [{ amount: 10_000 }] }, { amounts: [{ amount: 1_000 }] }])
  const [newer, older] = json.data as { recorded_at: string }[]
  const at = new Date(Date.parse(newer!.recorded_at) - 1).toISOString()
  expect(await get(gateway, seller(`?at=${at}`))).toMatchObject({
    status: 200,
    json: { data: { seller_id: SELLER, amounts: [{ amount: 1_000 }] }, meta: { recorded_at: older!.recorded_at } },
  })
  expect(await get(gateway, `/low-stock?at=${at}`)).toMatchObject({ json: { data: { low_stock_count: 1 } } })
  expect((await get(gateway, `/low-stock/history?limit=1`)).json.data).toMatchObject([{ low_stock_count: 0 }])
  const range = `?from=${older!.recorded_at}&to=${newer!.recorded_at}`
  expect((await get(gateway, `/categories/a%2Fb/history${range}`)).json.data).toHaveLength(1)
  const catalog = stack.ingress.client(catalogApi)
  expect(await catalog.Metrics({ seller_id: SELLER, at })).toMatchObject({ seller: { amounts: [{ amount: 1_000 }] } })
  for (const early of ['2000-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '1970-01-01T00:00:00.000000001+14:00']) {
    expect(await get(gateway, seller(`?at=${encodeURIComponent(early)}`))).toMatchObject({
      status: 404,
      json: { error: { code: 'not_found' } },
    })
  }
  expect(await get(gateway, seller('?at=9999-12-31T23:59:59Z'))).toMatchObject({ status: 200 })
  expect(await get(gateway, seller('/history?from=9999-12-31T23:59:59-12:00'))).toMatchObject({ json: { data: [] } })
})

test('while the history does not answer, an instant of the past is 503, and the metrics of the present go on', async ({
  database,
  stack,
}) => {
  const unavailable = async () => {
    throw new DecidedError('unavailable', 'the table t of DynamoDB cannot be used (TimeoutError)')
  }
  const metricHistory = () => ({ keep: unavailable, at: unavailable, series: unavailable })
  const without = await startGateway(database.url, stack, { metricHistory })
  const at = new Date().toISOString()
  for (const path of [seller(`?at=${at}`), '/low-stock/history']) {
    expect(await get(without, path)).toMatchObject({ status: 503, json: { error: { code: 'unavailable' } } })
  }
  expect(await get(without, seller(''))).toMatchObject({ status: 200 })
  await without.stop()
})

test('however many reads wait for a history that hangs, the metrics of the present are read', async ({ database, stack }) => {
  const hanging = Promise.withResolvers<undefined>()
  let asked = 0
  const wait = () => {
    asked++
    return hanging.promise
  }
  const metricHistory = () => ({ keep: wait, at: wait, series: async () => (await wait()) ?? [] })
  const slow = await startGateway(database.url, stack, { metricHistory })
  const waiting = Array.from({ length: 2 * SETTINGS.shortReadsMax }, () => get(slow, `/low-stock?at=${new Date().toISOString()}`))
  const isFull = async () => asked >= SETTINGS.callerShortReadsMax
  expect(await until(isFull, 10_000)).toBe(true)
  expect(await get(slow, seller(''))).toMatchObject({ status: 200 })
  hanging.resolve(undefined)
  for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(404)
  await slow.stop()
})

test('wrong questions are refused with the field', async ({ gateway }) => {
  for (const path of [
    '?at=yesterday',
    '?AT=2026-03-01T12:00:00Z',
    '/history?limit=0',
    '/history?limit=1001',
    '/history?from=1',
  ]) {
    expect(await get(gateway, seller(path))).toMatchObject({ status: 400, json: { error: { code: 'invalid_request' } } })
  }
  expect((await get(gateway, `/sellers/${'x'.repeat(201)}`)).status).toBe(400)
  expect((await get(gateway, '/sellers/%00')).status).toBe(400)
  expect((await get(gateway, '/sellers')).status).toBe(400)
})

/** The last test: after the first key is created, every request needs one. */
test('reading needs the scope read, and a key of a seller reads that one alone', async ({ db, database, stack }) => {
  const keys = await makeKeys(db)
  const guarded = await startGateway(database.url, stack)
  const statusOf = async (path: string, key?: string) =>
    (await ask(guarded.url, { path: PATH + path, ...(key && { key }) })).status
  for (const path of ['/sellers/seller-1', '/sellers/seller-1/history', '/categories/c', '/low-stock', '/low-stock/history']) {
    expect(await statusOf(path, keys.read)).toBe(200)
    expect(await statusOf(path, keys.ingest)).toBe(403)
    expect(await statusOf(path)).toBe(401)
    expect(await statusOf(path, keys.seller)).toBe(path.startsWith('/sellers') ? 200 : 403)
  }
  expect(await statusOf('/sellers/seller-2', keys.seller)).toBe(403)
  await guarded.stop()
})
