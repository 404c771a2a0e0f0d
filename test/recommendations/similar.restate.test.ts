import { sql } from 'kysely'
import { expect } from 'vitest'
import { SIMILAR_KINDS, SimilarRequest, SimilarResponse } from '../../src/contract/similar-product.ts'
import { catalogApi } from '../../src/contract/services.ts'
import { waitForVersion } from '../harness/clients/recommendations.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { upsert } from '../harness/items/products.ts'
import { shopProduct, storeShop, versionOfLog, viewed } from '../harness/items/shop-with-history.ts'
import { clear } from '../harness/servers/database.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
  await storeShop(db)
})

async function similar(gateway: TestGateway, product: string, query = '') {
  const answer = await fetch(`${gateway.url}/api/v1/products/${encodeURIComponent(product)}/similar${query}`)
  const json = (await answer.json()) as SimilarResponse & { error?: { code: string; details?: { field: string }[] } }
  return { status: answer.status, json }
}

test.for(SIMILAR_KINDS)('the gateway and the handler give the same list of %s', async (kind, { db, gateway, stack }) => {
  const purchase = { eventType: 'purchase' }
  for (const sessionId of ['one', 'two']) await viewed(db, { sessionId }, ['p06', 'p07', 'p16'], purchase)
  const version = await versionOfLog(db)
  await waitForVersion(gateway, version, stack)
  await upsert(db, [shopProduct(50, { product_id: 'new' })])
  for (const product of ['p06', 'p39', 'new']) {
    for (const [query, more] of [
      ['', {}],
      ['&limit=3', { limit: 3 }],
      ['&explain=true', { explain: true }],
    ] as const) {
      const { status, json } = await similar(gateway, product, `?kind=${kind}${query}`)
      expect(status).toBe(200)
      expect(SimilarResponse.parse(json)).toEqual(json)
      expect(json.meta).toMatchObject({ kind, similarity_version: version })
      expect(json.meta.strategy === 'category_and_brand').toBe(product === 'new')
      expect(json.data.length).toBeLessThanOrEqual(more.limit ?? 10)
      const request = SimilarRequest.parse({ product_id: product, kind, ...more })
      expect(await stack.ingress.client(catalogApi).Similar(request)).toEqual(json)
    }
  }
  expect((await similar(gateway, 'p06', `?kind=${kind}`)).json.data.length).toBeGreaterThan(0)
})

test('an unknown product is not found', async ({ gateway, stack }) => {
  const { status, json } = await similar(gateway, 'no such product')
  expect([status, json.error?.code]).toEqual([404, 'not_found'])
  const request = SimilarRequest.parse({ product_id: 'no such product' })
  await expect(stack.ingress.client(catalogApi).Similar(request)).rejects.toMatchObject({ status: 404 })
})

test.for([
  ['p06', '?limit=0', 'limit'],
  ['p06', '?limit=101', 'limit'],
  ['p06', '?limit=1.5', 'limit'],
  ['p06', '?limit=NaN', 'limit'],
  ['p06', '?kind=popular', 'kind'],
  ['p06', '?kind=', 'kind'],
  ['p06', '?explain=1', 'explain'],
  ['p06', '?account_id=ada', 'account_id'],
  ['p\0', '', 'product_id'],
  ['x'.repeat(201), '', 'product_id'],
] as const)('%s with %s is refused for its %s', async ([product, query, field], { gateway }) => {
  const { status, json } = await similar(gateway, product, query)
  expect([status, json.error?.code]).toEqual([400, 'invalid_request'])
  expect(json.error?.details?.[0]?.field).toContain(field)
})
