import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Product } from '../../src/contract/product.ts'
import { waitForVersion } from '../harness/clients/recommendations.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { shopProduct, storeShop, versionOfLog, viewed } from '../harness/items/shop-with-history.ts'
import { clear } from '../harness/servers/database.ts'

const LAMP: Product = product({
  ...{ product_id: 'lamp', seller_id: 'north', name: 'Brass "lamp" 💡', category: 'lighting', brand: 'Lumen' },
  ...{ price: 4_990, currency: 'EUR', quantity: 3 },
})
/** What is beside a row of the lamp. */
const { product_id: _id, updated_at: _at, ...BESIDE } = LAMP

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
})

interface Row {
  product_id: string
  product?: unknown
}
interface Page {
  data: Row[]
  meta: { next_cursor: string | null }
}

async function get(url: string): Promise<Page> {
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  return (await answer.json()) as Page
}

async function handler(ingressUrl: string, name: string, request: object): Promise<Page> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${ingressUrl}/${name}`, { method: 'POST', headers, body: JSON.stringify(request) })
  expect(answer.status).toBe(200)
  return (await answer.json()) as Page
}

const purchases = (refId: string, count: number) =>
  Array.from({ length: count }, () => interaction({ refId, eventType: 'purchase' }))

test.for([
  ['/api/v1/analytic/popularity/top', 'Popularity/Top', {}],
  ['/api/v1/products/popular', 'Popularity/Popular', { mode: 'overall' }],
  ['/api/v1/products/popular', 'Popularity/Popular', { mode: 'most_ordered', time_window_days: 1 }],
] as const)(
  '%s has the product beside each row, and leaves out what is out of stock: %o',
  async (what, { db, gateway, stack }) => {
    const [path, name, options] = what
    const gone = ['gone', 'owed'].map((product_id, n) => product({ product_id, quantity: -n }))
    await upsert(db, [LAMP, ...gone, product({ product_id: 'vague' })])
    const sold = ['gone', 'lamp', 'owed', 'unknown', 'vague']
    await recordAndCount(
      db,
      sold.flatMap((id, n) => purchases(id, 5 - n)),
    )
    const query = Object.entries(options).map(([key, value]) => `${key}=${value}`)
    const ask = (...more: string[]) => get(`${gateway.url}${path}?${[...query, ...more].join('&')}`)
    const idsOf = ({ data }: Page) => data.map(({ product_id }) => product_id)
    expect(idsOf(await ask())).toEqual(sold)
    expect((await ask()).data.every((row) => !('product' in row))).toBe(true)
    const both = await ask('in_stock=true', 'expand=product')
    const vague = { name: 'Thing', status: 'active' }
    expect(both.data.map((row) => [row.product_id, row.product])).toEqual([
      ['lamp', BESIDE],
      ['unknown', null],
      ['vague', vague],
    ])
    expect((await ask('expand=product')).data[0]!.product).toEqual({ ...vague, quantity: 0 })
    const first = await ask('in_stock=true', 'limit=2')
    expect(idsOf(first)).toEqual(['lamp', 'unknown'])
    expect(idsOf(await ask('in_stock=true', 'limit=2', `cursor=${first.meta.next_cursor}`))).toEqual(['vague'])
    const fromHandler = await handler(stack.ingressUrl, name, { ...options, in_stock: true, expand: 'product' })
    expect(fromHandler.data.map(({ product }) => product)).toEqual([BESIDE, null, vague])
  },
)

test('similar products and recommendations have the product beside each row', async ({ db, gateway, stack }) => {
  await storeShop(db)
  await viewed(db, { accountId: 'ada' }, ['p01', 'p02', 'p03', 'p04', 'p05'])
  await waitForVersion(gateway, await versionOfLog(db), stack)
  const beside = (id: string) => {
    const { product_id: _product, updated_at: _updated, ...rest } = shopProduct(Number(id.slice(1)))
    return rest
  }
  const lists: [string, string, object][] = [
    ['products/p06/similar?limit=3', 'Catalog/Similar', { product_id: 'p06', limit: 3 }],
    [
      'products/p06/similar?kind=alternatives&explain=true',
      'Catalog/Similar',
      { product_id: 'p06', kind: 'alternatives', explain: true },
    ],
    ['recommendations?account_id=ada', 'Catalog/Recommend', { account_id: 'ada' }],
    ['recommendations?account_id=ada&explain=true', 'Catalog/Recommend', { account_id: 'ada', explain: true }],
  ]
  for (const [path, name, request] of lists) {
    const plain = await get(`${gateway.url}/api/v1/${path}`)
    expect(plain.data.length).toBeGreaterThan(0)
    const expanded = await get(`${gateway.url}/api/v1/${path}&expand=product&in_stock=true`)
    expect(expanded.data).toEqual(plain.data.map((row) => ({ ...row, product: beside(row.product_id) })))
    expect((await get(`${gateway.url}/api/v1/${path}`)).data).toEqual(plain.data)
    const fromHandler = await handler(stack.ingressUrl, name, { ...request, expand: 'product', in_stock: true })
    expect(fromHandler.data).toEqual(expanded.data)
  }
})

test.for(['expand=seller', 'in_stock=yes'])('%s is refused by its field', async (query, { gateway }) => {
  const paths = ['analytic/popularity/top?', 'products/popular?', 'products/p/similar?', 'recommendations?account_id=ada&']
  for (const path of paths) {
    const answer = await fetch(`${gateway.url}/api/v1/${path}${query}`)
    expect(answer.status).toBe(400)
    const { error } = (await answer.json()) as { error: { details: { field: string }[] } }
    expect(error.details.map(({ field }) => field)).toContain(query.split('=')[0])
  }
})
