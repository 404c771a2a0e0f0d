import { expect } from 'vitest'
import { callIdOf, callOf } from '../../src/store/log/call.ts'
import { upsertProducts } from '../../src/store/catalog/catalog-product.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { itemsOfCalls, newestCallMs, type OtherCall, otherCalls } from '../../src/store/reconcile/other-calls.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, recordBatch } from '../harness/items/events.ts'
import { product, versionOf } from '../harness/items/products.ts'

const EVENT = {
  ...{ index: 0, source: 'erp', externalRef: 'job-1', entityId: 'order-1', status: 'success' as const, processingMs: 5 },
  ...{ amount: 100, currency: 'EUR', occurredAtMs: Date.now(), payload: { a: 1 } },
}

test('what calls brought is read as it is sent again', async ({ db }) => {
  const [views, products, events] = ['views', 'products', 'events'].map((name) => callOf(`inv_${name}`, Buffer.from(name)))
  await recordBatch(db, views!, [interaction()], [])
  await upsertProducts(db, products!, [versionOf(product())])
  await recordEvents(db, events!, [EVENT])
  const found: OtherCall[] = []
  for await (const page of otherCalls(db, (await newestCallMs(db)) - 60_000)) found.push(...page)
  expect(found.map(({ invocationId }) => invocationId).toSorted()).toEqual(['inv_events', 'inv_products', 'inv_views'])
  const items = await itemsOfCalls(db, found)
  expect(items.get(callIdOf(views!))).toEqual([
    { handler: 'CreateInteraction', list: 'interactions', items: [expect.any(String)] },
  ])
  expect(items.get(callIdOf(products!))?.[0]?.items.map((item) => JSON.parse(item) as unknown)).toEqual([product()])
  expect(items.get(callIdOf(events!))?.[0]?.items.map((item) => JSON.parse(item) as unknown)).toEqual([
    expect.objectContaining({ source: 'erp', external_ref: 'job-1', amount: 100, payload: { a: 1 } }),
  ])
})
