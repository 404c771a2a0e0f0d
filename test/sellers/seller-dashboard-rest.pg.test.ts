import { expect } from 'vitest'
import { SellerDashboardResponse } from '../../src/contract/seller-dashboard.ts'
import { pgTest } from '../harness/fixtures.ts'
import { makeKey } from '../harness/items/keys.ts'
import { saleLine, storeSales } from '../harness/items/sales.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'

interface Answer {
  status: number
  json: Record<string, unknown>
}

const test = pgTest
  .extend('keys', { scope: 'file' }, async ({ db }) => ({
    shop: (await makeKey(db, { scopes: ['read'] })).text,
    seller: (await makeKey(db, { scopes: ['read'], sellerId: 'north-light' })).text,
  }))
  // After the keys: a gateway that starts knows every key.
  .extend('gateway', { scope: 'file' }, async ({ database, keys: _keys }, { onCleanup }) => {
    const gateway = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' })
    onCleanup(gateway.stop)
    return gateway
  })
  .extend(
    'asShop',
    { scope: 'file' },
    ({ gateway, keys }) =>
      (query: string) =>
        ask(gateway, keys.shop, query),
  )
  .extend(
    'asSeller',
    { scope: 'file' },
    ({ gateway, keys }) =>
      (query: string) =>
        ask(gateway, keys.seller, query),
  )

async function ask({ url }: TestGateway, key: string, query: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${key}` }
  const answer = await fetch(`${url}/api/v1/analytic/seller-dashboard?${query}`, { headers })
  return { status: answer.status, json: (await answer.json()) as Answer['json'] }
}

test('a dashboard has the shape of the contract', async ({ db, asShop }) => {
  await storeSales(db, [saleLine({ occurredAtMs: Date.now(), amount: 1_234 })])
  const { status, json } = await asShop('seller_id=north-light&time_zone=Asia/Kathmandu&granularity=month&currency=EUR')
  expect(status).toBe(200)
  const { data, meta } = SellerDashboardResponse.parse(json)
  expect(data.summary).toMatchObject({ total_revenue: 1_234, currency: 'EUR' })
  expect(meta).toMatchObject({ seller_id: 'north-light', granularity: 'month', time_zone: 'Asia/Kathmandu' })
})

test("a seller's key reads that seller without naming it, and no other seller", async ({ asSeller }) => {
  const own = await asSeller('')
  expect(own.json).toMatchObject({ meta: { seller_id: 'north-light' } })
  expect((await asSeller('seller_id=north-light')).status).toBe(200)
  expect(await asSeller('seller_id=another')).toMatchObject({ status: 403, json: { error: { code: 'forbidden' } } })
})

test.for([
  ['', 'seller_id', 'is needed'],
  ['seller_id=', 'seller_id', '1 to 200 characters'],
  ['seller_id=a&time_zone=Mars/Olympus_Mons', 'time_zone', 'an IANA time zone such as Europe/Berlin'],
  ['seller_id=a&time_zone=CET', 'time_zone', 'an IANA time zone'],
  ['seller_id=a&currency=ZZZ', 'currency', 'is not a currency of ISO 4217'],
  ['seller_id=a&currency=eur', 'currency', 'an ISO 4217 code such as EUR'],
  ['seller_id=a&start=2026-03-02&end=2026-03-01', 'start', 'must not be after the last day, which is 2026-03-01'],
  ['seller_id=a&start=2099-01-01', 'start', 'must not be after the last day'],
  ['seller_id=a&start=2026-02-29&end=2026-03-01', 'start', 'a day such as'],
  ['seller_id=a&start=1999-12-31', 'start', 'from 2000-01-01 to 2100-12-31'],
  ['seller_id=a&end=2101-01-01', 'end', 'from 2000-01-01 to 2100-12-31'],
  ['seller_id=a&start=2000-01-01&end=2027-05-18', 'granularity', 'would give 10,000 points'],
  ['seller_id=a&granularity=hour', 'granularity', 'day'],
  ['seller_id=a&nonsense=1', 'nonsense', 'is not a known field'],
] as const)('?%s is refused with the field and its allowed values', async ([query, field, message], { asShop }) => {
  const { status, json } = await asShop(query)
  expect(status).toBe(400)
  expect(json).toMatchObject({
    error: { code: 'invalid_request', details: [{ field, message: expect.stringContaining(message) }] },
  })
})
