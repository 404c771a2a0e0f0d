import { expect } from 'vitest'
import { SearchProductsRequest, SearchProductsResponse } from '../../src/contract/product-search.ts'
import { catalogApi } from '../../src/contract/services.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'

const PATH = '/api/v1/catalog/products'

test.beforeAll(async ({ db }) => {
  await upsert(db, [
    product({
      product_id: 'lamp',
      name: 'Brass lamp',
      category: 'lighting',
      brand: 'Lumen',
      quantity: 3,
      price: 5,
      currency: 'EUR',
    }),
    product({ product_id: 'lamp-2', name: 'Lampshade', category: 'lighting', status: 'hidden' }),
    product({ product_id: 'rug', name: 'Rug', seller_id: 'north' }),
  ])
  await recordAndCount(db, [interaction({ refId: 'lamp-2', eventType: 'purchase' })])
})

test.for([
  ['?query=lam', { query: 'lam' }, ['lamp-2', 'lamp']],
  ['?query=lamp&limit=1', { query: 'lamp', limit: 1 }, ['lamp-2']],
  ['?query=BRASS%20la&category=lighting&brand=Lumen&status=active', { query: 'brass la', brand: 'Lumen' }, ['lamp']],
  ['?seller_id=north', { seller_id: 'north' }, ['rug']],
  ['?seen=false', { seen: false }, ['lamp', 'rug']],
  ['?seen=true', { seen: true }, ['lamp-2']],
  ['', {}, ['lamp-2', 'lamp', 'rug']],
] as const)('the gateway and the handler find the same: %s', async ([query, request, ids], { gateway, stack }) => {
  const answer = await fetch(`${gateway.url}${PATH}${query}`)
  expect(answer.status).toBe(200)
  const json = (await answer.json()) as SearchProductsResponse
  expect(SearchProductsResponse.parse(json)).toEqual(json)
  expect(json.data.map(({ product_id: id }) => id)).toEqual(ids)
  expect(json.meta).toMatchObject({ search: 'full_text', order: 'score' })
  expect(await stack.ingress.client(catalogApi).SearchProducts(SearchProductsRequest.parse(request))).toMatchObject({
    data: json.data,
  })
})

test('a row is the product, with what is known of its events', async ({ gateway }) => {
  const { data } = (await (await fetch(`${gateway.url}${PATH}?query=lam`)).json()) as SearchProductsResponse
  const updated_at = product().updated_at
  expect(data).toEqual([
    {
      ...{ product_id: 'lamp-2', name: 'Lampshade', category: 'lighting', status: 'hidden', updated_at },
      interactions: { events: 1, score: 0.8, last_interaction: expect.any(String) },
    },
    {
      ...{ product_id: 'lamp', name: 'Brass lamp', category: 'lighting', brand: 'Lumen', price: 5, currency: 'EUR', quantity: 3 },
      ...{ status: 'active', updated_at, interactions: null },
    },
  ])
})

test.for([
  ['query=', 'query'],
  [`query=${'x'.repeat(201)}`, 'query'],
  ['query=%00', 'query'],
  ['status=sold', 'status'],
  ['seen=maybe', 'seen'],
  ['limit=0', 'limit'],
  ['limit=101', 'limit'],
  ['cursor=abc', 'cursor'],
  ['category=', 'category'],
  ['nonsense=1', 'nonsense'],
])('?%s is refused by its field', async ([query, field], { gateway }) => {
  const answer = await fetch(`${gateway.url}${PATH}?${query}`)
  expect(answer.status).toBe(400)
  const { error } = (await answer.json()) as { error: { details: { field: string }[] } }
  expect(error.details.map((detail) => detail.field)).toContain(field)
})

test('a cursor of another search is refused', async ({ gateway }) => {
  const first = (await (await fetch(`${gateway.url}${PATH}?query=lam&limit=1`)).json()) as SearchProductsResponse
  const next = (query: string) => fetch(`${gateway.url}${PATH}?${query}&cursor=${first.meta.next_cursor}`)
  expect(
    ((await (await next('query=lam&limit=9')).json()) as SearchProductsResponse).data.map(({ product_id: id }) => id),
  ).toEqual(['lamp'])
  for (const other of ['query=lamp', 'query=lam&status=active', 'query=lam&seen=true', 'limit=1'])
    expect((await next(other)).status).toBe(400)
})
