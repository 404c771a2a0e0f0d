import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { UpsertProductsRequest, UpsertProductsResponse } from '../../src/contract/product.ts'
import { catalogApi } from '../../src/contract/services.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { makeKeys, SHOP } from '../harness/items/keys.ts'
import { product } from '../harness/items/products.ts'
import { atFailPoints } from '../harness/servers/fail-points.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { gatewayTest } from '../harness/fixtures.ts'

const PRODUCTS = '/api/v1/catalog/products'
const WAYS = ['REST', 'ingress'] as const
type Way = (typeof WAYS)[number]

/** How often the endpoint still dies after it has committed. */
let deaths = 0
const dying = atFailPoints((point) => {
  if (point === 'update the catalogue' && deaths-- > 0) throw new Error('died')
})
const test = gatewayTest.extend('services', { scope: 'file' }, { hooks: [dying] })

interface Sent {
  status: number
  json: { data?: UpsertProductsResponse; error?: { code: string; message: string; details?: unknown } }
}

async function post(
  stack: Stack,
  gateway: TestGateway,
  way: Way,
  body: string,
  headers: Record<string, string> = {},
): Promise<Sent> {
  const url = way === 'REST' ? gateway.url + PRODUCTS : `${stack.ingressUrl}/Catalog/UpsertProducts`
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
  const json = (await answer.json()) as Sent['json']
  return { status: answer.status, json: way === 'REST' || answer.status !== 200 ? json : { data: json as never } }
}

const send = (stack: Stack, gateway: TestGateway, products: unknown[], headers?: Record<string, string>) =>
  post(stack, gateway, 'REST', JSON.stringify({ products }), headers)
const get = async (gateway: TestGateway, path: string) => {
  const answer = await fetch(gateway.url + path)
  return { status: answer.status, json: (await answer.json()) as { data?: unknown; error?: { code: string } } }
}

test('REST and Restate answer a product as it was sent, even if it is deleted', async ({ stack, gateway }) => {
  const lamp = product({
    product_id: 'a/lamp 🛒',
    seller_id: 's',
    category: 'c',
    brand: 'b',
    price: 4_990,
    currency: 'EUR',
    quantity: 3,
  })
  expect((await send(stack, gateway, [lamp])).json).toEqual({
    data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] },
  })
  const path = `${PRODUCTS}/${encodeURIComponent(lamp.product_id)}`
  expect(await get(gateway, path)).toEqual({ status: 200, json: { data: lamp } })
  const deleted = product({ product_id: lamp.product_id, status: 'deleted', updated_at: '2026-03-02T12:00:00.000Z' })
  await send(stack, gateway, [deleted])
  expect(await get(gateway, path)).toEqual({ status: 200, json: { data: deleted } })
  const catalog = stack.ingress.client(catalogApi)
  expect(await catalog.GetProduct({ product_id: lamp.product_id })).toEqual(deleted)
  await expect(catalog.GetProduct({ product_id: 'never' })).rejects.toMatchObject({ status: 404 })
  expect(await get(gateway, `${PRODUCTS}/never`)).toMatchObject({ status: 404, json: { error: { code: 'not_found' } } })
  expect((await get(gateway, `${PRODUCTS}/top`)).status).toBe(400)
  expect((await get(gateway, `${PRODUCTS}/p?nonsense=1`)).status).toBe(400)
})

const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString()
const without = (field: string) => Object.fromEntries(Object.entries(product()).filter(([name]) => name !== field))

/** The fault, the item, and the field that the answer names. */
const BAD_ITEMS: [name: string, item: unknown, field: string | null, code?: string][] = [
  ['null', null, null],
  ['a list', [], null],
  ['an unknown field', { ...product(), nonsense: 1 }, 'nonsense'],
  ['no id', without('product_id'), 'product_id'],
  ['no name', without('name'), 'name'],
  ['no status', without('status'), 'status'],
  ['no time', without('updated_at'), 'updated_at'],
  ['an id of 201 characters', product({ product_id: 'x'.repeat(201) }), 'product_id'],
  ['an id that is a list', product({ product_id: 'top' }), 'product_id'],
  ['NUL in the name', product({ name: 'a\0' }), 'name'],
  ['half a surrogate pair in the name', product({ name: '\ud800' }), 'name'],
  ['a name of 1,001 characters', product({ name: 'x'.repeat(1_001) }), 'name'],
  ['an empty brand', product({ brand: '' }), 'brand'],
  ['a category that is a list', { ...product(), category: ['c'] }, 'category'],
  ['a name that is null', { ...product(), name: null }, 'name'],
  ['a price without a currency', product({ price: 1 }), 'currency'],
  ['a currency without a price', product({ currency: 'EUR' }), 'price'],
  ['a price with decimals', product({ price: 19.9, currency: 'EUR' }), 'price'],
  ['a price below 0', product({ price: -1, currency: 'EUR' }), 'price'],
  ['a price beyond 2^53', product({ price: 2 ** 53, currency: 'EUR' }), 'price'],
  ['a price that is a text', { ...product(), price: '1', currency: 'EUR' }, 'price'],
  ['a currency in small letters', product({ price: 1, currency: 'eur' }), 'currency'],
  ['a currency that there is not', product({ price: 1, currency: 'QQQ' }), 'currency'],
  ['a quantity with decimals', product({ quantity: -0.5 }), 'quantity'],
  ['a quantity beyond -2^53', product({ quantity: -(2 ** 53) }), 'quantity'],
  ['an unknown status', { ...product(), status: 'gone' }, 'status'],
  ['a day for a time', product({ updated_at: '2026-03-01' }), 'updated_at'],
  ['six minutes from now', product({ updated_at: inMinutes(6) }), 'updated_at', 'in_future'],
  ['1969', product({ updated_at: '1969-12-31T23:59:59.999Z' }), 'updated_at', 'too_old'],
  ['the year 0', product({ updated_at: '0000-01-01T00:00:00+14:00' }), 'updated_at', 'too_old'],
  ['10,000 levels in an unknown field', { ...product(), nonsense: 'NESTED' }, 'nonsense'],
]

test.for(WAYS)(
  'through %s: bad products are rejected by index and field, the others are accepted',
  async (way, { db, stack, gateway }) => {
    const products = BAD_ITEMS.flatMap(([, item], index) => [
      product({ product_id: `${way} ${index}`, updated_at: inMinutes(4) }),
      item,
    ])
    const body = JSON.stringify({ products }).replace('"NESTED"', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`)
    const { status, json } = await post(stack, gateway, way, body)
    expect(status).toBe(200)
    const { rejected, ...counts } = json.data!
    expect(counts).toEqual({ accepted: BAD_ITEMS.length, duplicates: 0, duplicate_indexes: [] })
    expect(rejected.map(({ index, field, code }) => [BAD_ITEMS[(index - 1) / 2]![0], field, code])).toEqual(
      BAD_ITEMS.map(([name, , field, code = 'invalid']) => [name, field, code]),
    )
    for (const { message } of rejected) expect(message.length).toBeGreaterThan(3)
    const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from catalog.product where product_id like ${`${way} %`}`.execute(db)
    expect(rows[0]!.n).toBe(BAD_ITEMS.length)
  },
)

test.for([
  ['broken JSON', '{"products": [', 400],
  ['no list', '{"products": 1}', 400],
  ['no products', '{"products": []}', 400],
  ['10,001 products', JSON.stringify({ products: Array.from({ length: 10_001 }, () => 0) }), 400],
  ['an unknown field', '{"products": [1], "nonsense": 1}', 400],
  ['17 MB', JSON.stringify({ products: ['x'.repeat(17_000_000)] }), 413],
] as const)(
  'a body with %s is refused as a whole, through REST and through the ingress',
  async ([_name, body, status], { stack, gateway }) => {
    const [rest, ingress] = [await post(stack, gateway, 'REST', body), await post(stack, gateway, 'ingress', body)]
    expect([rest.status, ingress.status]).toEqual([status, status])
    expect(rest.json.error!.code).toBe(status === 413 ? 'too_large' : 'invalid_request')
  },
)

test('a version that loses against another one of the same time is stale, through REST and through the ingress', async ({
  stack,
  gateway,
}) => {
  const [kept, lost] = [product({ product_id: 'twins', name: 'b' }), product({ product_id: 'twins', name: 'a' })]
  expect((await send(stack, gateway, [lost, kept])).json.data).toEqual({
    ...{ accepted: 1, duplicates: 0, duplicate_indexes: [], stale: [0], rejected: [] },
  })
  for (const place of ['REST', 'ingress'] as const) {
    const { json } = await post(stack, gateway, place, JSON.stringify({ products: [kept, lost] }))
    expect(json.data ?? json).toMatchObject({ accepted: 0, duplicates: 1, duplicate_indexes: [0], stale: [1] })
  }
})

test('an attempt that dies after its commit is repeated and gives the first answer', async ({ stack, gateway }) => {
  deaths = 2
  const products = [product({ product_id: 'dying' }), product({ product_id: 'dying' }), product({ product_id: 'dead', price: 1 })]
  const { json } = await send(stack, gateway, products)
  expect(deaths).toBeLessThan(1)
  expect(json.data).toMatchObject({ accepted: 1, duplicates: 1, duplicate_indexes: [1], rejected: [{ index: 2 }] })
  expect((await send(stack, gateway, products)).json.data).toMatchObject({ accepted: 0, duplicates: 2 })
})

test('an Idempotency-Key with the same body gets the first answer, with another body a new call', async ({ stack, gateway }) => {
  const headers = { 'idempotency-key': randomUUID() }
  const first = await send(stack, gateway, [product({ product_id: 'key' })], headers)
  expect(first.json.data).toMatchObject({ accepted: 1 })
  expect(await send(stack, gateway, [product({ product_id: 'key' })], headers)).toEqual(first)
  expect((await send(stack, gateway, [product({ product_id: 'key' })])).json.data).toMatchObject({ accepted: 0, duplicates: 1 })
  expect((await send(stack, gateway, [product({ product_id: 'other' })], headers)).json.data).toMatchObject({ accepted: 1 })
})

test('the next list omits a hidden product; its events have its category; all numbers are right', async ({
  db,
  stack,
  gateway,
}) => {
  const top = async () =>
    ((await get(gateway, '/api/v1/analytic/popularity/top')).json.data as { product_id: string }[]).map((one) => one.product_id)
  await send(
    stack,
    gateway,
    ['sofa', 'stool'].map((product_id) => product({ product_id, category: 'seats', brand: 'Oak' })),
  )
  const interactions = ['sofa', 'sofa', 'stool'].map((ref_id) => ({
    session_id: 's',
    event_type: 'purchase',
    ref_type: 'Product',
    ref_id,
  }))
  await fetch(`${gateway.url}/api/v1/analytic/interaction`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ interactions }),
  })
  await stack.settled()
  expect(await top()).toEqual(['sofa', 'stool'])
  await send(stack, gateway, [product({ product_id: 'sofa', status: 'hidden', updated_at: '2026-03-02T12:00:00Z' })])
  expect(await top()).toEqual(['stool'])
  expect((await get(gateway, '/api/v1/analytic/popularity/sofa')).json.data).toMatchObject({ purchase_count: 2 })
  const { rows } = await sql`select distinct category, brand from interaction where ref_id in ('sofa', 'stool')`.execute(db)
  expect(rows).toEqual([{ category: 'seats', brand: 'Oak' }])
  expect((await verify(db)).drift).toEqual([])
})

test('while Restate is down the answer is 503 and says what to do', async ({ database, stack }) => {
  const ingress = createIngress({ url: 'http://127.0.0.1:1', deadlineMs: 300 })
  const cutOff = await startGateway(database.url, stack, { ingress })
  const answer = await fetch(cutOff.url + PRODUCTS, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ products: [product()] }),
  })
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2'])
  expect(await answer.json()).toEqual({
    error: { code: 'unavailable', message: 'outcome unknown, send the same products again' },
  })
  await cutOff.stop()
})

test('the typed client updates the catalogue', async ({ stack }) => {
  const once = clients.rpc.opts<UpsertProductsRequest, UpsertProductsResponse>({ idempotencyKey: randomUUID() })
  const answer = await stack.ingress.client(catalogApi).UpsertProducts({ products: [product({ product_id: 'typed' })] }, once)
  expect(answer).toEqual({ accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] })
})

/** The last test: after the first key is created, every request needs one. */
test('manage changes the catalogue, read reads it, and a publishable key changes nothing', async ({ db, database, stack }) => {
  const keys = await makeKeys(db)
  const guarded = await startGateway(database.url, stack)
  const statusOf = async (key: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...(init.headers as object) }
    return (await fetch(guarded.url + (init.method === 'POST' ? PRODUCTS : `${PRODUCTS}/typed`), { ...init, headers })).status
  }
  const body = JSON.stringify({ products: [product({ product_id: 'keys' })] })
  const write = (key: string, headers = {}) => statusOf(key, { method: 'POST', body, headers })
  expect([await write(keys.manage), await write(keys.ingest), await write(keys.read)]).toEqual([200, 403, 403])
  expect([await write(keys.shop, { origin: SHOP }), await write(keys.seller), await write('')]).toEqual([403, 403, 401])
  expect([await statusOf(keys.read), await statusOf(keys.manage), await statusOf(keys.shop)]).toEqual([200, 403, 403])
  await guarded.stop()
})
