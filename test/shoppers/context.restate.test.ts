import { expect } from 'vitest'
import { shopperApi } from '../../src/contract/services.ts'
import { instantOf } from '../../src/contract/fields/time.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import { settled } from '../harness/servers/stack.ts'

const EMPTY = { recent_products: [], categories: [], last_active: null }
/** Of an answer in which nothing is missing. */
const WHOLE = { is_partial: false }

test.beforeEach(({ db }) => clear(db))

async function post(gateway: TestGateway, path: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${gateway.url}/api/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

/** Records events of products, and waits until they are fed. */
async function record(db: Database, gateway: TestGateway, events: readonly Record<string, unknown>[]): Promise<void> {
  const interactions = events.map((event) => ({ event_type: 'view', ref_type: 'Product', ...event }))
  expect((await post(gateway, 'analytic/interaction', { interactions })).status).toBe(200)
  await settled(db)
}

interface Answer {
  status: number
  json: {
    data?: { recent_products: unknown[] }
    error?: { code: string; details?: { field: string }[] }
  }
}

async function context(gateway: TestGateway, shopper: string): Promise<Answer> {
  const answer = await fetch(`${gateway.url}/api/v1/shoppers/${encodeURIComponent(shopper)}/context`)
  return { status: answer.status, json: (await answer.json()) as Answer['json'] }
}

test('a session looks at products, signs in, and its account has the context', async ({ db, gateway, stack }) => {
  await upsert(db, [product({ product_id: 'lamp', category: 'lighting', brand: 'Lumen' })])
  const nowMs = Date.now()
  const [earlier, now] = [instantOf(nowMs - 60_000), instantOf(nowMs)]
  await record(db, gateway, [
    { session_id: 's', ref_id: 'lamp', occurred_at: earlier, event_id: crypto.randomUUID() },
    { session_id: 's', ref_id: 'rug', occurred_at: now, event_id: crypto.randomUUID(), event_type: 'add_to_cart' },
    { session_id: 's', ref_id: 'lighting', ref_type: 'Category', occurred_at: now, event_id: crypto.randomUUID() },
  ])
  const expected = {
    recent_products: [
      { product_id: 'rug', event_type: 'add_to_cart', category: null, brand: null, occurred_at: now },
      { product_id: 'lamp', event_type: 'view', category: 'lighting', brand: 'Lumen', occurred_at: earlier },
    ],
    categories: [{ category: 'lighting', count: 1 }],
    last_active: now,
  }
  expect(await context(gateway, 'session:s')).toEqual({ status: 200, json: { data: expected, meta: WHOLE } })
  expect((await context(gateway, 'account:ada')).json).toEqual({ data: EMPTY, meta: WHOLE })
  expect((await post(gateway, 'shoppers/session:s/merge', { account_id: 'ada' })).status).toBe(200)
  for (const shopper_id of ['account:ada', 'session:s']) {
    expect((await context(gateway, shopper_id)).json).toEqual({ data: expected, meta: WHOLE })
    expect(await stack.ingress.client(shopperApi).Context({ shopper_id })).toEqual({ ...expected, meta: WHOLE })
  }
})

test.for([['account:nobody'], ['session:nobody'], ['session:order:4711'], [`account:${'🛒'.repeat(100)}`], ['session:a/b%2F']])(
  'the context of the unknown shopper %s is empty',
  async ([shopper], { gateway, stack }) => {
    expect(await context(gateway, shopper!)).toEqual({ status: 200, json: { data: EMPTY, meta: WHOLE } })
    expect(await stack.ingress.client(shopperApi).Context({ shopper_id: shopper! })).toEqual({ ...EMPTY, meta: WHOLE })
  },
)

test('an id with colons and other signs is that of its events', async ({ db, gateway }) => {
  const ids = ['order:4711', 'account:ada', 'a/b%2F', 'ä'.repeat(200)]
  await record(
    db,
    gateway,
    ids.map((session_id) => ({ session_id, ref_id: 'lamp' })),
  )
  for (const id of ids) expect((await context(gateway, `session:${id}`)).json.data!.recent_products).toHaveLength(1)
  expect((await context(gateway, 'account:ada')).json).toEqual({ data: EMPTY, meta: WHOLE })
})

test.for([
  ['ada'],
  ['Account:ada'],
  ['account:'],
  ['account'],
  [`account:${'a'.repeat(201)}`],
  ['account:a\0'],
  ['user:ada'],
  [' account:ada'],
])('the shopper %j is refused with the field', async ([shopper], { gateway, stack }) => {
  const { status, json } = await context(gateway, shopper!)
  expect([status, json.error?.code, json.error?.details?.[0]?.field]).toEqual([400, 'invalid_request', 'shopper_id'])
  await expect(stack.ingress.client(shopperApi).Context({ shopper_id: shopper! })).rejects.toMatchObject({ status: 400 })
})

test('an unknown query field is refused', async ({ gateway }) => {
  expect((await fetch(`${gateway.url}/api/v1/shoppers/account:ada/context?limit=3`)).status).toBe(400)
})
