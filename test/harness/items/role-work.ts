import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { MODES, type Mode } from '../../../src/contract/popular-list.ts'
import { rejectedKeyOf } from '../../../src/contract/rejected.ts'
import { DAY_MS, instantOf } from '../../../src/contract/fields/time.ts'
import { listApiKeys } from '../../../src/store/access/api-key.ts'
import { changeAlert, deleteAlert, rotateSecret } from '../../../src/store/alerts/alert.ts'
import { keepSealingKeys } from '../../../src/store/alerts/alert-secret.ts'
import {
  alertsWithDueDeliveries,
  dropDeliveries,
  dropUndeliverable,
  keepAttempt,
  nextDelivery,
} from '../../../src/store/alerts/delivery.ts'
import { replayDelivery } from '../../../src/store/alerts/delivery-list.ts'
import { dropSubjects, watchAlert } from '../../../src/store/alerts/watch.ts'
import { audit } from '../../../src/store/audit/audit-entry.ts'
import { catalogProduct, staleVersions } from '../../../src/store/catalog/catalog-product.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { isDistributed } from '../../../src/store/database/is-distributed.ts'
import { backlog, leftBehind } from '../../../src/store/log/backlog.ts'
import { callOf, recordedBodyOf } from '../../../src/store/log/call.ts'
import { dropCountedCalls, foldIngest } from '../../../src/store/log/ingest.ts'
import { ingestHours } from '../../../src/store/log/ingest-hours.ts'
import { LOG_TABLES, makePartitions, monthOf } from '../../../src/store/log/month.ts'
import { rejectedPage } from '../../../src/store/log/rejected-item.ts'
import { findRejectedItem, insertReplayOf } from '../../../src/store/log/rejected-replay.ts'
import { dropOldMonths } from '../../../src/store/log/retention.ts'
import { searchQueries } from '../../../src/store/log/search-query.ts'
import { completeRule, takeRuleIntoForce } from '../../../src/store/payments/ledger-rule.ts'
import { settlePageAgain } from '../../../src/store/payments/settle-again.ts'
import { recordPayments } from '../../../src/store/payments/payment-recording.ts'
import { eventTypes, unweightedAmong } from '../../../src/store/popularity/event-types.ts'
import { popularPage } from '../../../src/store/popularity/popular-page.ts'
import { refreshRising } from '../../../src/store/popularity/rising.ts'
import { rollUpSome } from '../../../src/store/popularity/roll-up.ts'
import { popularityOrZeros, topByScore } from '../../../src/store/popularity/top-list.ts'
import { refreshTrending } from '../../../src/store/popularity/trending-window.ts'
import { feedBatch } from '../../../src/store/shoppers/shopper-profile.ts'
import { bringRecent } from '../../../src/store/shoppers/bring-recent.ts'
import { recentEventsOf, trimRecent } from '../../../src/store/shoppers/shopper-recent.ts'
import { sweepRecent } from '../../../src/store/shoppers/sweep-recent.ts'
import { dropOldImpressions, recordImpressions } from '../../../src/store/recommendations/impressions.ts'
import { verify } from '../../../src/store/proof/verification.ts'
import { dropOldBuckets } from '../../../src/store/reports/report-refresh.ts'
import { completeRun } from '../../../src/store/reports/run-machine.ts'
import { requestRun } from '../../../src/store/reports/run-request.ts'
import { beginRun, rebuildStep } from '../../../src/store/reports/run-step.ts'
import { sellerDashboard } from '../../../src/store/sellers/seller-dashboard.ts'
import { makeAlert } from './alerts.ts'
import { feedWithoutRecent } from './feed-without-recent.ts'
import { erase, exported } from './erased.ts'
import { interaction, record, recordAndCount, recordBatch, recordNewSearches, search } from './events.ts'
import { impression } from './impressions.ts'
import { partitionOf } from './months.ts'
import { item, newCall, payment } from './payments.ts'
import { product, upsert, versionOf } from './products.ts'
import { day, refreshAll } from './recomputed.ts'

const NOW_MS = Date.now()
const ago = (days: number) => NOW_MS - days * DAY_MS
const rejection = { index: 1, code: 'invalid', field: 'ref_id', message: 'is not valid', item: { ref_id: '' } } as const

/** The months of every table of the log so many days ago. */
export const monthsAgo = (days: number) => LOG_TABLES.map((table) => partitionOf(table, monthOf(ago(days))))

/** Records events of now and of months without partitions, a search, a product, and a rejected item. */
export async function fill(db: Database): Promise<string> {
  await recordAndCount(
    db,
    [0, 5, 100, 500].map((days) => interaction({ occurredAtMs: ago(days), refId: `p${days}` })),
  )
  await recordNewSearches(db, [search()])
  await upsert(db, [product()])
  const { batchId } = await record(db, [interaction()], [rejection])
  return batchId
}

/** Does the work of the endpoint in an empty database, as its user. */
export async function doAllWork(endpoint: Database, retentionDays: number): Promise<void> {
  await makePartitions(
    endpoint,
    [100, 500, -100].map((days) => monthOf(ago(days))),
  )
  await recordAndCount(endpoint, [interaction({ eventType: 'rating_high', refId: 'p5' })])
  const batchId = await fill(endpoint)
  const key = rejectedKeyOf(`${batchId}.1`)!
  expect(await findRejectedItem(endpoint, key)).toMatchObject({ item: rejection.item })
  await recordBatch(endpoint, callOf('replay', Buffer.from('')), [interaction()], [], insertReplayOf({ ...key, actor: 'ada' }))
  await pay(endpoint)
  await useRecent(endpoint)
  await useAlerts(endpoint)
  await recordImpressions(endpoint, [impression({ shown_at: new Date(ago(100)).toISOString() }), impression()])
  expect(await dropOldImpressions(endpoint, 90)).toBe(1)
  expect(await foldIngest(endpoint)).toBe(false)
  expect(await dropCountedCalls(endpoint)).toBe(false)
  await refreshTrending(endpoint)
  await refreshRising(endpoint, NOW_MS)
  expect(await rollUpSome(endpoint, 400)).toBeGreaterThan(0)
  await recompute(endpoint)
  const { dropped, waiting } = await dropOldMonths(endpoint, retentionDays)
  expect({ dropped, waiting }).toEqual({ dropped: [500, 100].flatMap(monthsAgo).toSorted(), waiting: [] })
  await sweepRecent(endpoint)
  await readAsEndpoint(endpoint)
  expect((await verify(endpoint)).drift).toEqual([])
  await audit(endpoint, { actor: 'x', action: 'key.create', resourceType: 'key', resourceId: 'x' })
  const { status, certificate } = await erase(endpoint, 'account:ada')
  expect({ status, payments: certificate?.tables['payment_callback'] }).toEqual({ status: 'completed', payments: 3 })
  expect(await exported(endpoint, 'account:ada')).toEqual([])
  expect((await verify(endpoint)).drift).toEqual([])
}

async function useAlerts(endpoint: Database): Promise<void> {
  const { publicKey } = await keepSealingKeys(endpoint, { publicKey: 'one', privateKey: 'two' })
  expect(publicKey).toBe('one')
  const alert = await makeAlert(endpoint)
  const rotation = { alert_id: alert.id, secret_id: randomUUID(), sealed_secret: '', old_hours: 1, actor: 'ada' }
  for (const secret_id of [randomUUID(), randomUUID()]) await rotateSecret(endpoint, { ...rotation, secret_id }, 'another secret')
  await changeAlert(endpoint, { alert_id: alert.id, name: 'Other', actor: 'ada' })
  for (const [n, quantity] of [9, 3].entries()) {
    await upsert(endpoint, [product({ product_id: 'stocked', quantity, updated_at: instantOf(ago(1) + n) })])
  }
  expect(await alertsWithDueDeliveries(endpoint)).toEqual([alert.id])
  const due = (await nextDelivery(endpoint, alert.id))!
  const deliveryId = due.body.delivery_id
  expect(await keepAttempt(endpoint, { deliveryId, attempts: 0, status: 503, error: 'answered 503', retryAfterSeconds: 1 })).toBe(
    'pending',
  )
  expect(await keepAttempt(endpoint, { deliveryId, attempts: 1, status: 204 })).toBe('delivered')
  await replayDelivery(endpoint, { alert_id: alert.id, delivery_id: deliveryId, actor: 'ada' })
  for (const kind of [
    { kind: 'enters_top', mode: 'trending', top: 5 },
    { kind: 'rising_above', above: 2 },
    { kind: 'finds_nothing', more_than: 1 },
  ] as const)
    await watchAlert(endpoint, (await makeAlert(endpoint, kind)).id)
  await deleteAlert(endpoint, { alert_id: alert.id, actor: 'ada' })
  await dropUndeliverable(endpoint)
  expect(await dropDeliveries(endpoint, 0)).toBe(false)
  expect(await dropSubjects(endpoint)).toBe(false)
}

async function useRecent(endpoint: Database): Promise<void> {
  const batch = await record(endpoint, [interaction({ accountId: 'recent' })])
  // A database without triggers has no release that does not know the recent events.
  if (await isDistributed(endpoint)) await feedBatch(endpoint, batch)
  else await feedWithoutRecent(endpoint, batch, 0)
  expect(await bringRecent(endpoint)).toBe((await isDistributed(endpoint)) ? 0 : 1)
  await trimRecent(endpoint, ['account:recent'])
  expect(await recentEventsOf(endpoint, ['account:recent'])).toHaveLength(1)
}

async function pay(endpoint: Database): Promise<void> {
  const sale = payment({ occurredAtMs: ago(1) })
  for (const one of [
    sale,
    { ...sale, callbackId: 'back', occurredAtMs: ago(0.5), status: 'refunded' as const, items: [item({ quantity: 3 })] },
    payment({ paymentRef: 'open', status: 'pending', occurredAtMs: ago(1) }),
  ])
    await recordPayments(endpoint, newCall(), [one], [])
  await takeRuleIntoForce(endpoint, 0)
  await settlePageAgain(endpoint, { provider: '', paymentRef: '' })
  await completeRule(endpoint)
}

async function recompute(endpoint: Database): Promise<void> {
  expect(await refreshAll(endpoint, true)).toBeGreaterThan(0)
  const runId = randomUUID()
  const days = { date_from: day(1), date_to: day(1) }
  await requestRun(endpoint, runId, { report_slug: 'top-entities', window: 'day', ...days, actor: 'ada' })
  await beginRun(endpoint, runId)
  expect(await rebuildStep(endpoint, runId, { from: day(1), to: day(1) })).toMatchObject({ done: 1 })
  expect(await completeRun(endpoint, runId)).toBe('completed')
  await dropOldBuckets(endpoint)
}

async function readAsEndpoint(endpoint: Database): Promise<void> {
  const { data } = await sellerDashboard(
    endpoint,
    'north',
    { granularity: 'day', time_zone: 'Europe/Berlin' },
    { nowMs: NOW_MS, pendingDays: 30 },
  )
  expect(data.summary).toMatchObject({ total_revenue: 0, pending_items: 2 })
  expect(await backlog(endpoint)).toMatchObject({ uncountedEvents: 6 })
  expect(await leftBehind(endpoint, 0)).toHaveLength(6)
  expect(await catalogProduct(endpoint, 'p')).toMatchObject({ product_id: 'p' })
  expect(await staleVersions(endpoint, [versionOf(product({ name: 'other' }))])).toEqual([0])
  expect(await unweightedAmong(endpoint, ['view', 'quick_view'])).toEqual(['quick_view'])
  for (const mode of Object.keys(MODES) as Mode[]) await popularPage(endpoint, { mode, limit: 5, min_interactions: 1 }, NOW_MS)
}

/** Reads what the routes of the gateway read, after `fill` and with one key. */
export async function readEverything(gateway: Database): Promise<void> {
  for (const mode of Object.keys(MODES) as Mode[]) {
    for (const window of [{}, { time_window_days: 7 }, { as_of: new Date(ago(1)).toISOString() }, { category_ids: ['c'] }]) {
      await popularPage(gateway, { mode, limit: 5, min_interactions: 1, ...window }, NOW_MS)
    }
  }
  expect((await topByScore(gateway, { limit: 10, after: undefined })).data).toHaveLength(4)
  expect(await popularityOrZeros(gateway, 'p5')).toMatchObject({ product_id: 'p5' })
  expect(await popularityOrZeros(gateway, 'p')).toMatchObject({ view_count: 0 })
  expect((await eventTypes(gateway, 7, NOW_MS)).data[0]).toMatchObject({ event_type: 'view' })
  expect(await catalogProduct(gateway, 'p')).toMatchObject({ product_id: 'p' })
  const page = { limit: 5, days: 7, toMs: NOW_MS + DAY_MS, filter: 'all', after: undefined } as const
  expect((await searchQueries(gateway, page)).data).toMatchObject([{ query: 'lamp' }])
  expect((await rejectedPage(gateway, { limit: 5, after: undefined, replayed: true })).data).toHaveLength(1)
  expect(await listApiKeys(gateway)).toHaveLength(1)
  expect(await recordedBodyOf(gateway, callOf('x', Buffer.from('')))).toBe('nothing')
  expect(await backlog(gateway)).toMatchObject({ uncountedEvents: 2 })
  expect((await ingestHours(gateway, 2)).data).toHaveLength(2)
  expect((await verify(gateway)).drift).toEqual([])
}
