import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { expect } from 'vitest'
import type { AlertDelivery } from '../../src/contract/alert-delivery.ts'
import { alertDeliveryMetrics } from '../../src/main/metrics/alert-deliveries.ts'
import { changeAlert, deleteAlert, findAlert } from '../../src/store/alerts/alert.ts'
import {
  alertsWithDueDeliveries,
  deliveryBacklog,
  dropUndeliverable,
  keepAttempt,
  nextDelivery,
} from '../../src/store/alerts/delivery.ts'
import { deliveriesOf, replayDelivery } from '../../src/store/alerts/delivery-list.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { valueOf } from '../harness/clients/prometheus.ts'
import { clearAlerts, makeAlert, SECRET } from '../harness/items/alerts.ts'
import { product, upsert } from '../harness/items/products.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(async ({ db }) => {
  await clearAlerts(db)
  await sql`delete from catalog.product`.execute(db)
})

let minute = 0
async function fall(db: Database, product_id = 'p'): Promise<void> {
  for (const quantity of [9, 3]) {
    const updated_at = new Date(Date.UTC(2026, 2, 1) + 60_000 * ++minute).toISOString()
    await upsert(db, [product({ product_id, quantity, updated_at })])
  }
}

const listed = async (db: Database, alertId: string) => (await deliveriesOf(db, alertId, { limit: 100 }))!.data
const by = (alert_id: string) => ({ alert_id, actor: 'tests' })
const FAILED = { status: 503, error: 'answered 503' }

test('the pause after a failure doubles up to an hour, and after a day the delivery is given up', async ({ db }) => {
  const { id } = await makeAlert(db)
  await fall(db)
  const deliveryId = (await nextDelivery(db, id))!.body.delivery_id
  const pause = async () => {
    const [{ attempted_at, next_attempt_at }] = (await listed(db, id)) as [AlertDelivery]
    return Math.round((Date.parse(next_attempt_at!) - Date.parse(attempted_at!)) / 1_000)
  }
  const pauses: number[] = []
  for (let attempts = 0; attempts < 12; attempts++) {
    expect(await keepAttempt(db, { deliveryId, attempts, ...FAILED })).toBe('pending')
    pauses.push(await pause())
  }
  expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600])
  expect(await nextDelivery(db, id)).toBeUndefined()
  await sql`update alert_crossing set tried_from = now() - interval '24 hours'`.execute(db)
  expect(await keepAttempt(db, { deliveryId, attempts: 12, ...FAILED })).toBe('failed')
  // A replay begins with the short pause, and another day.
  await replayDelivery(db, { ...by(id), delivery_id: deliveryId })
  expect(await keepAttempt(db, { deliveryId, attempts: 13, ...FAILED })).toBe('pending')
  expect(await pause()).toBe(5)
})

test('an outcome that comes twice is kept once, and one of a delivered delivery is not', async ({ db }) => {
  const { id } = await makeAlert(db)
  await fall(db)
  const deliveryId = (await nextDelivery(db, id))!.body.delivery_id
  expect(await keepAttempt(db, { deliveryId, attempts: 0, ...FAILED })).toBe('pending')
  expect(await keepAttempt(db, { deliveryId, attempts: 0, ...FAILED })).toBeUndefined()
  expect(await keepAttempt(db, { deliveryId, attempts: 1, status: 204 })).toBe('delivered')
  expect(await keepAttempt(db, { deliveryId, attempts: 2, ...FAILED })).toBeUndefined()
  expect(await listed(db, id)).toMatchObject([{ status: 'delivered', attempts: 2, answer_status: 204 }])
})

test('a receiver that wants a pause gets no delivery of its alert, until it is over or the address changes', async ({ db }) => {
  const paused = await makeAlert(db)
  const other = await makeAlert(db)
  await fall(db)
  await fall(db, 'q')
  const deliveryId = (await nextDelivery(db, paused.id))!.body.delivery_id
  await keepAttempt(db, { deliveryId, attempts: 0, ...FAILED, retryAfterSeconds: 600 })
  await sql`update alert_crossing set due_at = now()`.execute(db)
  expect(await alertsWithDueDeliveries(db)).toEqual([other.id])
  expect(await nextDelivery(db, paused.id)).toBeUndefined()
  for (const { next_attempt_at } of await listed(db, paused.id)) {
    expect(Date.parse(next_attempt_at!) - Date.now()).toBeGreaterThan(590_000)
  }
  await changeAlert(db, { ...by(paused.id), name: 'Other' })
  expect(await nextDelivery(db, paused.id)).toBeUndefined()
  await changeAlert(db, { ...by(paused.id), url: 'http://127.0.0.1:9/other' })
  expect(await nextDelivery(db, paused.id)).toMatchObject({ url: 'http://127.0.0.1:9/other', secrets: [SECRET] })
  await keepAttempt(db, { deliveryId, attempts: 1, ...FAILED, retryAfterSeconds: 1 })
  await sql`update alert set resumes_at = now() - interval '1 second' where resumes_at is not null`.execute(db)
  expect(await alertsWithDueDeliveries(db)).toEqual([paused.id, other.id])
})

test('between its crossing and its delivery an alert may be turned off, and be deleted', async ({ db }) => {
  const off = await makeAlert(db)
  const gone = await makeAlert(db)
  await fall(db)
  const inFlight = (await nextDelivery(db, gone.id))!.body.delivery_id
  await changeAlert(db, { ...by(off.id), is_on: false })
  await deleteAlert(db, by(gone.id))
  expect(await alertsWithDueDeliveries(db)).toEqual([off.id])
  expect(await nextDelivery(db, off.id)).toMatchObject({ body: { facts: { product_id: 'p', quantity: 3 } } })
  expect(await nextDelivery(db, gone.id)).toBeUndefined()
  // A failure leaves it dropped, and what the receiver took is delivered.
  expect(await keepAttempt(db, { deliveryId: inFlight, attempts: 0, ...FAILED })).toBe('dropped')
  expect(await keepAttempt(db, { deliveryId: inFlight, attempts: 1, status: 204 })).toBe('delivered')
})

test('a crossing that is noted while its alert is being deleted is neither asked for nor pending for long', async ({ db }) => {
  const { id } = await makeAlert(db)
  await db.transaction().execute(async (tx) => {
    await fall(tx)
    await deleteAlert(db, by(id))
  })
  expect(await alertsWithDueDeliveries(db)).toEqual([])
  expect(await deliveryBacklog(db)).toEqual({ pending: 0, oldestSeconds: null })
  expect(await listed(db, id)).toMatchObject([{ status: 'pending' }])
  await dropUndeliverable(db)
  expect(await listed(db, id)).toMatchObject([{ status: 'dropped' }])
  expect(await findAlert(db, id)).toMatchObject({ pending: 0, failed: 0 })
})

test('pending deliveries and the age of the oldest are metrics', async ({ db }) => {
  const { id } = await makeAlert(db)
  const registry = new Registry()
  alertDeliveryMetrics(registry, () => deliveryBacklog(db))
  const nothing = await registry.metrics()
  const of = (text: string, name: string) => valueOf(text, `footfall_alert_deliveries_${name}`)
  expect([of(nothing, 'pending'), of(nothing, 'oldest_seconds')]).toEqual([0, 0])
  await fall(db)
  await fall(db, 'q')
  await sql`update alert_crossing set tried_from = now() - interval '100 s' where subject = 'q'`.execute(db)
  const delivered = (await nextDelivery(db, id))!.body.delivery_id
  await keepAttempt(db, { deliveryId: delivered, attempts: 0, status: 204 })
  const later = new Registry()
  alertDeliveryMetrics(later, () => deliveryBacklog(db))
  const text = await later.metrics()
  expect(of(text, 'pending')).toBe(1)
  expect(of(text, 'oldest_seconds')).toBeCloseTo(100, -1)
})

test('while PostgreSQL does not answer, a scrape has no pending deliveries, and counts a failure', async () => {
  const registry = new Registry()
  alertDeliveryMetrics(registry, () => Promise.reject(new Error('away')))
  expect(await registry.metrics()).not.toMatch(/^footfall_alert_deliveries_(pending|oldest_seconds) /m)
  expect(valueOf(await registry.metrics(), 'footfall_alert_deliveries_scrape_errors_total')).toBe(1)
})
