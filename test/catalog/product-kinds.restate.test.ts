import { expect } from 'vitest'
import { BrandsResponse, CategoriesResponse, KindsRequest } from '../../src/contract/product-kind.ts'
import { SellersRequest } from '../../src/contract/seller-list.ts'
import { analyticApi, catalogApi } from '../../src/contract/services.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'

test('the gateway and the handlers give the same categories, brands and sellers', async ({ db, gateway, stack }) => {
  await upsert(db, [product({ product_id: 'lamp', category: 'lights', brand: 'Lumen' })])
  await recordAndCount(db, [interaction({ refId: 'lamp' })])
  const get = async (path: string) => (await fetch(`${gateway.url}/api/v1/${path}`)).json()
  const counts = { products: 1, events: 1, change: null }
  const categories = CategoriesResponse.parse(await get('catalog/categories?days=3'))
  expect(categories.data).toEqual([{ category: 'lights', ...counts }])
  const brands = BrandsResponse.parse(await get('catalog/brands?limit=1'))
  expect(brands.data).toEqual([{ brand: 'Lumen', ...counts }])
  const client = stack.ingress.client(catalogApi)
  expect((await client.Categories(KindsRequest.parse({ days: 3 }))).data).toEqual(categories.data)
  expect((await client.Brands(KindsRequest.parse({}))).data).toEqual(brands.data)
  const sellers = await get('sellers')
  expect(await stack.ingress.client(analyticApi).Sellers(SellersRequest.parse({}))).toEqual(sellers)
})

test.for(['days=0', 'days=91', 'limit=101', 'cursor=abc', 'nonsense=1'])(
  '?%s is refused by its field',
  async (query, { gateway }) => {
    for (const path of ['categories', 'brands']) {
      const answer = await fetch(`${gateway.url}/api/v1/catalog/${path}?${query}`)
      expect(answer.status).toBe(400)
      const { error } = (await answer.json()) as { error: { details: { field: string }[] } }
      expect(error.details.map(({ field }) => field)).toContain(query.split('=')[0])
    }
  },
)
