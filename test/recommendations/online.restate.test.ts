import { randomUUID } from 'node:crypto'
import type { HooksProvider } from '@restatedev/restate-sdk'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { RecommendationMetricsResponse } from '../../src/contract/recommendation-metrics.ts'
import type { Impression } from '../../src/contract/impression.ts'
import type { PaymentCallback } from '../../src/contract/payment.ts'
import type { RecommendRequest, RecommendResponse } from '../../src/contract/recommendation.ts'
import { analyticApi, catalogApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { idsOf, post, recommended, waitForVersion } from '../harness/clients/recommendations.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import { recordedImpressions } from '../harness/items/impressions.ts'
import { idOf, storeShop, versionOfLog, viewed } from '../harness/items/shop-with-history.ts'
import { clear } from '../harness/servers/database.ts'
import { QUEUE_LIMITS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'

const PATIENCE_MS = 20_000
const FIVE = ['p01', 'p02', 'p03', 'p04', 'p05']

/** Runs once, when Catalog.Recommend has its answer and Restate does not have it yet. */
let beforeAnswer: (() => Promise<void>) | undefined
const hook: HooksProvider = ({ request }) => ({
  interceptor: {
    handler: async (next) => {
      await next()
      const act = request.target.handler === 'Recommend' ? beforeAnswer : undefined
      if (act === undefined) return
      beforeAnswer = undefined
      await act()
    },
  },
})
const test = gatewayTest.extend('services', { scope: 'file' }, { hooks: [hook] })

test.beforeEach(async ({ db, gateway }) => {
  // Impressions of the test before may be on their way.
  await impressionsOf(db, [await recommended(gateway, 'session_id=last')])
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
  await storeShop(db)
})

/** The impressions of these answers, when all are recorded. A gateway records those of its answers in their order. */
async function impressionsOf(db: Database, answers: readonly RecommendResponse[]): Promise<Impression[]> {
  const find = async () => {
    const recorded = new Map((await recordedImpressions(db)).map((row) => [row.recommendation_id, row]))
    return answers.flatMap(({ meta }) => recorded.get(meta.recommendation_id) ?? [])
  }
  await until(async () => (await find()).length === answers.length, PATIENCE_MS)
  return find()
}

async function metricsOf(gateway: TestGateway, query = ''): Promise<RecommendationMetricsResponse> {
  const answer = await fetch(`${gateway.url}/api/v1/recommendations/metrics${query}`)
  expect(answer.status).toBe(200)
  return (await answer.json()) as RecommendationMetricsResponse
}

test('each answer is an impression: of a shopper, of a history that the caller brings, and of the handler', async ({
  db,
  gateway,
  stack,
}) => {
  const version = await versionOfLog(db)
  await waitForVersion(gateway, version)
  const ofSession = await recommended(gateway, 'session_id=visitor&limit=3')
  const both = await recommended(gateway, 'account_id=ada&limit=2&blend=weighted')
  const history = [{ product_id: 'p01', occurred_at: new Date().toISOString() }]
  const brought = await recommended(gateway, { history, limit: 1 })
  const handled = await stack.ingress.client(catalogApi).Recommend({ account_id: 'bob', limit: 4 } as RecommendRequest)
  const answers = [ofSession, both, brought, handled]
  const shoppers = ['session:visitor', 'account:ada', null, 'account:bob']
  expect(await impressionsOf(db, answers)).toEqual(
    answers.map((answer, index) => {
      const { recommendation_id, generated_at: shown_at, strategy, blend, similarity_version } = answer.meta
      const meta = { recommendation_id, shown_at, strategy, blend, similarity_version }
      return { ...meta, shopper_id: shoppers[index], product_ids: idsOf(answer) }
    }),
  )
  expect(both.meta.blend).toBe('weighted')
})

test('an attempt of the handler that fails after its answer is repeated with the same impression', async ({ db, stack }) => {
  await versionOfLog(db)
  const ask = () => stack.ingress.client(catalogApi).Recommend({ account_id: 'bob', limit: 4 } as RecommendRequest)
  const [first] = idsOf(await ask())
  beforeAnswer = async () => {
    await sql`update catalog.product set status = 'hidden' where product_id = ${first}`.execute(db)
    throw new Error('fails once')
  }
  const answer = await ask()
  const [impression] = await impressionsOf(db, [answer])
  expect(impression!.product_ids).toEqual(idsOf(answer))
  expect(idsOf(await ask())).not.toContain(first)
})

test('clicks, carts and purchases over REST are in the metrics, with the money of payments less refunds', async ({
  db,
  gateway,
  stack,
}) => {
  const answer = await recommended(gateway, 'session_id=visitor&limit=5')
  await impressionsOf(db, [answer])
  const { meta } = answer
  const [first, second] = idsOf(answer) as [string, string]
  const event = (event_type: string, ref_id: string, more: object = {}) => ({
    ...{ event_id: randomUUID(), occurred_at: new Date().toISOString(), session_id: 'visitor', event_type },
    ...{ ref_type: 'Product', ref_id, ...more },
  })
  const interactions = [
    event('click_from_recommendation', first, { metadata: { recommendation_id: meta.recommendation_id } }),
    event('add_to_cart', first),
    event('add_to_cart', idOf(39), { session_id: 'other' }),
    event('purchase', second, { metadata: { recommendation_id: meta.recommendation_id, order_id: 'order-1' } }),
  ]
  // Sent twice.
  for (let sent = 0; sent < 2; sent++) expect((await post(gateway, 'analytic/interaction', { interactions })).status).toBe(200)
  const callback = (status: string, items: object[]) => ({
    ...{ provider: 'acme-pay', callback_id: randomUUID(), payment_ref: 'pay-1', order_id: 'order-1', status },
    ...{ currency: 'EUR', occurred_at: new Date().toISOString(), session_id: 'visitor', items },
  })
  const sold = [{ product_id: second, seller_id: 'north', quantity: 2, unit_price: 700 }]
  const back = [{ product_id: second, seller_id: 'north', quantity: 1 }]
  for (const each of [callback('success', sold), callback('refunded', back)]) {
    await stack.ingress.client(analyticApi).RecordPayment(each as PaymentCallback)
  }
  const { data: rows, meta: answered } = await metricsOf(gateway, '?days=1&per_day=true')
  const numbers = {
    ...{ impressions: 1, products: 5, clicks: 1, click_through: 1, carts: 1, purchases: 2 },
    revenue: [{ currency: 'EUR', amount: 700 }],
  }
  const day = new Date().toISOString().slice(0, 10)
  const { strategy, blend, similarity_version } = meta
  expect(rows).toEqual([{ day, strategy, blend, similarity_version, ...numbers }])
  expect(answered).toEqual({ from: day, to: day, attribution_hours: 24, totals: numbers })
})

test('with rotation, what was shown without a click sinks, and what was clicked does not', async ({ db, gateway }) => {
  await viewed(db, { accountId: 'ada' }, FIVE)
  await waitForVersion(gateway, await versionOfLog(db))
  const query = 'account_id=ada&limit=5&rotation=true&explain=true'
  const first = await recommended(gateway, query)
  expect(first.data.flatMap(({ reasons }) => reasons!.rules).filter(({ rule }) => rule === 'rotation')).toEqual([])
  await impressionsOf(db, [first])
  const shown = idsOf(first)
  const click = { event_type: 'click_from_recommendation', ref_type: 'Product', account_id: 'ada', ref_id: shown[1]! }
  expect((await post(gateway, 'event', click)).status).toBe(202)
  const rotated = async () => {
    const { data } = await recommended(gateway, query)
    return new Map(data.map(({ product_id: id, reasons }) => [id, reasons!.rules.find(({ rule }) => rule === 'rotation')]))
  }
  const next = await rotated()
  for (const [id, rule] of next) {
    if (id === shown[1]) expect(rule).toBeUndefined()
    else if (shown.includes(id)) expect(rule).toMatchObject({ factor: 0.9 })
    else expect(rule).toBeUndefined()
  }
  expect([...next.keys()].filter((id) => shown.includes(id)).length).toBeGreaterThan(0)
  const withoutRotation = await recommended(gateway, 'account_id=ada&limit=5&explain=true')
  expect(JSON.stringify(withoutRotation)).not.toContain('rotation')
  await impressionsOf(db, [withoutRotation])
})

test('with RECOMMENDATION_IMPRESSIONS=off answers are the same, and nothing is recorded', async ({ db, database, stack }) => {
  const gateway = await startGateway(database.url, stack, { limits: { ...QUEUE_LIMITS, recordsImpressions: false } })
  try {
    const { data, meta } = await recommended(gateway, 'session_id=visitor&limit=5')
    expect(data).toHaveLength(5)
    expect(meta.recommendation_id).toEqual(expect.any(String))
  } finally {
    // It would hand over what waits.
    await gateway.stop()
  }
  expect(await recordedImpressions(db)).toEqual([])
})

test.for([
  ['days=0', 'days'],
  ['days=366', 'days'],
  ['days=x', 'days'],
  ['per_day=yes', 'per_day'],
])('metrics refuse ?%s', async ([query, field], { gateway }) => {
  const answer = await fetch(`${gateway.url}/api/v1/recommendations/metrics?${query}`)
  expect(answer.status).toBe(400)
  expect(JSON.stringify(await answer.json())).toContain(field)
})
