import { expect } from 'vitest'
import { catalogApi } from '../../src/contract/services.ts'
import { PreferencesResponse } from '../../src/contract/preferences.ts'
import { makeKeys } from '../harness/items/keys.ts'
import { type TestGateway, SETTINGS, startGateway } from '../harness/servers/gateway.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'

async function ask(gateway: TestGateway, shopper: string, query = '', headers: Record<string, string> = {}) {
  const url = `${gateway.url}/api/v1/shoppers/${encodeURIComponent(shopper)}/preferences${query}`
  const answer = await fetch(url, { headers })
  return { status: answer.status, json: (await answer.json()) as { data?: unknown; error?: { code: string; details?: unknown } } }
}

async function send(gateway: TestGateway, path: string, body: object): Promise<number> {
  const answer = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  await answer.text()
  return answer.status
}

test('a session signs in, and the account likes and bought what the session did', async ({ stack, gateway }) => {
  const product = { product_id: 'lamp', name: 'Lamp', category: 'lighting', brand: 'Lumen', status: 'active' }
  await send(gateway, '/api/v1/catalog/products', { products: [{ ...product, updated_at: '2026-01-01T00:00:00Z' }] })
  const did = { session_id: 'a:b', ref_type: 'Product', ref_id: 'lamp' }
  const before = { ...did, event_type: 'view' }
  await send(gateway, '/api/v1/analytic/interaction', { interactions: [before] })
  expect(await send(gateway, '/api/v1/shoppers/session:a:b/merge', { account_id: 'ada' })).toBe(200)
  await send(gateway, '/api/v1/analytic/interaction', { interactions: [{ ...did, event_type: 'purchase' }] })
  await stack.settled()
  const { data } = PreferencesResponse.parse((await ask(gateway, 'account:ada')).json)
  expect(data).toMatchObject({
    shopper_id: 'account:ada',
    categories: [{ category: 'lighting', affinity: expect.closeTo(1.1 / 1.9, 4) }],
    brands: [{ brand: 'Lumen', affinity: expect.closeTo(1.1 / 1.9, 4) }],
    recent_interactions: [{ event_type: 'purchase', category: 'lighting' }, { event_type: 'view' }],
    purchases: [{ product_id: 'lamp', bought: 0, purchase_events: 1 }],
  })
  const ofSession = PreferencesResponse.parse((await ask(gateway, 'session:a:b')).json)
  expect(ofSession.data).toMatchObject({ recent_interactions: data.recent_interactions, purchases: data.purchases })
  const ofHandler = await stack.ingress.client(catalogApi).Preferences({ shopper_id: 'account:ada' })
  expect(ofHandler).toMatchObject({ recent_interactions: data.recent_interactions, purchases: data.purchases })
})

test('an unknown shopper is answered with empty lists', async ({ stack, gateway }) => {
  const empty = { categories: [], brands: [], recent_interactions: [], purchases: [] }
  expect(await ask(gateway, 'account:nobody')).toMatchObject({ status: 200, json: { data: empty } })
  expect(await stack.ingress.client(catalogApi).Preferences({ shopper_id: 'session:nobody' })).toMatchObject(empty)
})

test.for([
  ['no kind', 'ada', ''],
  ['an unknown kind', 'visitor:ada', ''],
  ['no id', 'account:', ''],
  ['NUL', 'account:a\0', ''],
  ['an id of 201 characters', `account:${'a'.repeat(201)}`, ''],
  ['an unknown parameter', 'account:ada', '?limit=3'],
] as const)('%s is refused', async ([, shopper, query], { gateway }) => {
  expect(await ask(gateway, shopper, query)).toMatchObject({ status: 400, json: { error: { code: 'invalid_request' } } })
})

test('only a key that may read gets preferences', async ({ database, db, stack }) => {
  const keys = await makeKeys(db)
  const gateway = await startGateway(database.url, stack, { settings: { ...SETTINGS, isPublic: true } })
  const statusOf = async (key: string) => (await ask(gateway, 'account:ada', '', { authorization: `Bearer ${key}` })).status
  expect(await statusOf(keys.read)).toBe(200)
  for (const key of [keys.ingest, keys.manage, keys.shop, keys.seller]) expect(await statusOf(key)).toBe(403)
  await gateway.stop()
})
