import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect, onTestFinished } from 'vitest'
import { SEND_ALERTS } from '../../services/tasks/send-alerts.ts'
import { TASKS } from '../../services/tasks/all.ts'
import { WATCH_ALERTS } from '../../services/tasks/watch-alerts.ts'
import type { Alert } from '../../src/contract/alert.ts'
import type { AlertDelivery } from '../../src/contract/alert-delivery.ts'
import { scheduleApi } from '../../src/contract/services.ts'
import { requireSignature } from '../../src/gateway/access/webhook-signature.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { askAlerts, listDeliveries, postAlert } from '../harness/clients/alerts.ts'
import { makeAlert } from '../harness/items/alerts.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'
import { failingOnce } from '../harness/servers/fail-points.ts'
import { query } from '../harness/servers/stack.ts'
import { type Received, startWebhookReceiver } from '../harness/servers/webhook-receiver.ts'
import { gatewayTest } from '../harness/fixtures.ts'

const PATIENCE_MS = 20_000
const failing = failingOnce()
const tasks = {
  ...TASKS,
  'send at once': { ...SEND_ALERTS, everyMs: 100 },
  'watch at once': { ...WATCH_ALERTS, everyMs: 100 },
}
const test = gatewayTest
  .extend('services', { scope: 'file' }, { deps: { tasks }, hooks: [failing.hook] })
  .extend('receiver', async ({}, { onCleanup }) => {
    const receiver = await startWebhookReceiver()
    onCleanup(receiver.stop)
    return receiver
  })

test.beforeAll(async ({ stack }) => {
  for (const name of ['send at once', 'watch at once']) await stack.ingress.client(scheduleApi, name).Start({ every_ms: 100 })
})
test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
})

let minute = 0
async function stock(db: Database, quantity: number, product_id = 'p'): Promise<void> {
  const updated_at = new Date(Date.UTC(2026, 2, 1) + 60_000 * ++minute).toISOString()
  await upsert(db, [product({ product_id, quantity, updated_at })])
}
async function fall(db: Database, product_id = 'p'): Promise<void> {
  await stock(db, 9, product_id)
  await stock(db, 3, product_id)
}

const came = async (isSo: () => boolean | Promise<boolean>) => {
  expect(await until(async () => isSo(), PATIENCE_MS)).toBe(true)
}
const isSignedWith = ({ headers, text }: Received, secret: string): boolean => {
  const header = headers['x-signature']
  try {
    requireSignature({ name: 'x-signature', header, body: Buffer.from(text), secrets: [secret], nowMs: Date.now() })
    return true
  } catch {
    return false
  }
}

test('an alert that is made tells its receiver of a crossing, once, with a signature of its secret', async ({
  db,
  gateway,
  receiver,
}) => {
  const filter = { category: 'lighting' }
  const { status, body } = await postAlert(gateway, { url: receiver.url, filter, rearm_at: 8, requested_by: 'ada' })
  expect(status).toBe(200)
  const { data: alert, meta } = body
  expect(alert).toMatchObject({
    name: 'Stock',
    kind: 'low_stock',
    below: 5,
    rearm_at: 8,
    filter,
    url: receiver.url,
    is_on: true,
    made_by: 'local',
  })
  expect(meta.secret).toMatch(/^[\w-]{43}$/)
  const at = (hour: number, quantity: number) =>
    upsert(db, [product({ quantity, category: 'lighting', updated_at: `2026-03-01T0${hour}:00:00Z` })])
  await at(1, 9)
  await at(2, 4)
  await came(() => receiver.received.length > 0)
  await came(async () => (await listDeliveries(gateway, alert.id))[0]?.status === 'delivered')
  await at(3, 2)
  await at(4, 4)
  const [received, ...more] = receiver.received as [Received]
  expect(more).toEqual([])
  expect(isSignedWith(received, meta.secret)).toBe(true)
  expect(isSignedWith(received, `${meta.secret}x`)).toBe(false)
  expect(received.body).toMatchObject({
    alert_id: alert.id,
    kind: 'low_stock',
    facts: { product_id: 'p', quantity: 4, below: 5 },
  })
  expect(received.headers['x-delivery-id']).toBe(received.body.delivery_id)
  const [delivery, ...others] = await listDeliveries(gateway, alert.id)
  expect(others).toEqual([])
  expect(delivery).toMatchObject({ ...received.body, attempts: 1, answer_status: 204, error: null, next_attempt_at: null })
})

test('a step that fails after its work sends nothing a second time but what the journal does not have', async ({
  db,
  gateway,
  receiver,
}) => {
  const { body } = await postAlert(gateway, { url: receiver.url })
  for (const [point, requests] of [
    ['find due deliveries', 1],
    ['keep the outcome', 1],
    ['answer of Deliver', 1],
    // As when the process dies between the answer of the receiver and the journal: the id shows it.
    ['send the next delivery', 2],
  ] as const) {
    receiver.received.length = 0
    failing.left.add(point)
    await fall(db)
    await came(
      async () => (await listDeliveries(gateway, body.data.id, '?status=pending')).length === 0 && receiver.received.length > 0,
    )
    await came(() => failing.left.size === 0)
    expect(receiver.received).toHaveLength(requests)
    expect(new Set(receiver.received.map((each) => each.text)).size).toBe(1)
  }
  expect((await listDeliveries(gateway, body.data.id)).map(({ status }) => status)).toEqual(Array(4).fill('delivered'))
})

test('what the receiver does not take is tried again, with the same body and a signature of its own', async ({
  db,
  gateway,
  receiver,
}) => {
  const { body } = await postAlert(gateway, { url: receiver.url })
  receiver.answer((response, { body: { facts } }) => {
    const isBad = receiver.received.filter((each) => each.body.facts['product_id'] === facts['product_id']).length < 3
    response.writeHead(isBad && facts['product_id'] === 'bad' ? 500 : 204).end()
  })
  await fall(db, 'bad')
  await came(() => receiver.received.length === 1)
  // It holds up no other delivery.
  await fall(db, 'good')
  await came(() => receiver.received.some((each) => each.body.facts['product_id'] === 'good'))
  const isOpen = async () => (await listDeliveries(gateway, body.data.id, '?status=pending'))[0]
  await came(async () => (await isOpen())?.attempts === 1)
  const open = await isOpen()
  expect(open).toMatchObject({ status: 'pending', answer_status: 500, error: 'answered 500' })
  const pauseMs = Date.parse(open!.next_attempt_at!) - Date.parse(open!.attempted_at!)
  expect(pauseMs).toBeGreaterThan(4_900)
  for (const attempts of [2, 3]) {
    await sql`update alert_crossing set due_at = now() where status = 'pending'`.execute(db)
    await came(() => receiver.received.length === attempts + 1)
  }
  await came(async () => (await isOpen()) === undefined)
  const bad = receiver.received.filter((each) => each.body.facts['product_id'] === 'bad')
  expect(new Set(bad.map(({ text }) => text)).size).toBe(1)
  expect(bad.every((each) => isSignedWith(each, body.meta.secret))).toBe(true)
})

test('after a day a delivery is given up, stays listed, and can be replayed', async ({ db, gateway, receiver }) => {
  const { body } = await postAlert(gateway, { url: receiver.url })
  const { id } = body.data
  receiver.answer((response) => response.writeHead(503).end())
  await fall(db)
  await came(() => receiver.received.length === 1)
  await came(async () => (await listDeliveries(gateway, id))[0]?.attempts === 1)
  await sql`update alert_crossing set due_at = now(), tried_from = now() - interval '24 hours'`.execute(db)
  await came(async () => (await listDeliveries(gateway, id))[0]?.status === 'failed')
  const [failed] = await listDeliveries(gateway, id)
  expect(failed).toMatchObject({ attempts: 2, answer_status: 503, next_attempt_at: null })
  expect((await askAlerts<Alert>(gateway, 'GET', `/${id}`)).body.data).toMatchObject({ failed: 1, pending: 0 })
  receiver.answer((response) => response.writeHead(200).end())
  const replay = () => askAlerts<AlertDelivery>(gateway, 'POST', `/${id}/deliveries/${failed!.delivery_id}/replay`)
  expect((await replay()).body.data).toMatchObject({ delivery_id: failed!.delivery_id, status: 'pending' })
  await came(async () => (await listDeliveries(gateway, id))[0]?.status === 'delivered')
  expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1)
  // Delivered ones can be replayed too.
  expect((await replay()).status).toBe(200)
  await came(() => receiver.received.length === 4)
})

test('a replay of what is pending, not there, or of a deleted alert is refused', async ({ db, gateway }) => {
  const alert = await makeAlert(db)
  const other = await makeAlert(db)
  await fall(db)
  const [delivery] = await listDeliveries(gateway, alert.id)
  const replay = (id: string, deliveryId: string) => askAlerts(gateway, 'POST', `/${id}/deliveries/${deliveryId}/replay`)
  expect((await replay(alert.id, delivery!.delivery_id)).status).toBe(409)
  expect((await replay(alert.id, randomUUID())).status).toBe(404)
  expect((await replay(other.id, delivery!.delivery_id)).status).toBe(404)
  expect((await replay(alert.id, 'x')).status).toBe(400)
  await askAlerts(gateway, 'DELETE', `/${alert.id}`)
  expect((await replay(alert.id, delivery!.delivery_id)).body.error?.message).toMatch(/deleted/)
})

test('a new secret signs at once, the one before for its hours, and an older one no longer', async ({
  db,
  gateway,
  receiver,
}) => {
  const { body } = await postAlert(gateway, { url: receiver.url, secret: 'chosen-by-the-caller' })
  expect(body.meta.secret).toBe('chosen-by-the-caller')
  const rotate = (request?: object) => askAlerts<Alert>(gateway, 'POST', `/${body.data.id}/secret`, request)
  const first = body.meta.secret
  const second = (await rotate({})).body.meta.secret
  const signing = async (...secrets: string[]) => {
    receiver.received.length = 0
    await fall(db)
    await came(() => receiver.received.length === 1)
    const [received] = receiver.received as [Received]
    return secrets.map((secret) => isSignedWith(received, secret))
  }
  expect(await signing(first, second)).toEqual([true, true])
  const third = (await rotate({ secret: 'another-chosen-secret', old_hours: 48 })).body.meta.secret
  expect(await signing(first, second, third)).toEqual([false, true, true])
  // As after an unknown outcome.
  await rotate({ secret: third, old_hours: 0 })
  expect(await signing(first, second, third)).toEqual([false, true, true])
  const fourth = (await rotate({ old_hours: 0 })).body.meta.secret
  expect(await signing(second, third, fourth)).toEqual([false, false, true])
  await sql`update secret.alert_secret set expires_at = null`.execute(db)
  for (const wrong of [
    { old_hours: -1 },
    { old_hours: 745 },
    { old_hours: 1.5 },
    { secret: 'short' },
    { secret: 'with a blank in it' },
    { x: 1 },
  ]) {
    expect((await rotate(wrong)).status).toBe(400)
  }
  expect((await askAlerts(gateway, 'POST', `/${randomUUID()}/secret`, {})).status).toBe(404)
})

test('no secret is in the audit trail, a log, or what Restate keeps', async ({ db, gateway, stack }) => {
  const secret = 'must-not-be-seen-anywhere'
  const { body } = await postAlert(gateway, { secret, url: 'http://127.0.0.1:9/?token=of-the-address' })
  await askAlerts(gateway, 'POST', `/${body.data.id}/secret`, { secret: `${secret}-2` })
  const { rows } = await sql<{
    entry: string
  }>`select to_jsonb(e)::text as entry from audit_entry e where resource_id = ${body.data.id} order by audit_id`.execute(db)
  expect(rows).toHaveLength(2)
  const journals = await query(stack, 'select * from sys_journal')
  const invocations = await query(stack, 'select * from sys_invocation')
  for (const text of [JSON.stringify(rows), JSON.stringify(gateway.log), JSON.stringify([journals, invocations])]) {
    expect(text).not.toContain(secret)
    expect(text).not.toContain(Buffer.from(secret).toString('base64').slice(0, 30))
    expect(text).not.toContain(Buffer.from(secret).toString('hex'))
  }
  expect(JSON.stringify(rows)).not.toContain('of-the-address')
  expect(JSON.stringify((await askAlerts(gateway, 'GET', '')).body)).not.toContain(secret)
})

test('an alert is listed, changed, turned off and deleted, each with one audit entry', async ({ db, gateway, receiver }) => {
  const { data: alert } = (await postAlert(gateway, { url: receiver.url })).body
  const patch = (changes: object) => askAlerts<Alert>(gateway, 'PATCH', `/${alert.id}`, changes)
  expect((await askAlerts<Alert[]>(gateway, 'GET', '')).body.data).toEqual([alert])
  expect((await patch({ name: 'Other' })).body.data).toEqual({ ...alert, name: 'Other' })
  expect((await patch({ is_on: false })).body.data.is_on).toBe(false)
  await fall(db)
  expect(await listDeliveries(gateway, alert.id)).toEqual([])
  expect((await patch({ is_on: true, url: 'http://127.0.0.1:9/x' })).body.data).toMatchObject({
    is_on: true,
    url: 'http://127.0.0.1:9/x',
  })
  await fall(db)
  await came(async () => (await listDeliveries(gateway, alert.id))[0]?.attempts === 1)
  expect((await listDeliveries(gateway, alert.id))[0]?.error).toMatch(/ECONNREFUSED/)
  expect((await patch({ below: 3 })).status).toBe(400)
  expect((await patch({ url: 'ftp://x/' })).status).toBe(400)
  const gone = await askAlerts<Alert>(gateway, 'DELETE', `/${alert.id}`)
  expect(gone.body.data).toMatchObject({ id: alert.id, deleted_at: expect.any(String) as string, pending: 0 })
  expect((await askAlerts(gateway, 'DELETE', `/${alert.id}`)).status).toBe(200)
  expect((await askAlerts<Alert[]>(gateway, 'GET', '')).body.data).toEqual([])
  expect((await askAlerts<Alert>(gateway, 'GET', `/${alert.id}`)).body.data.deleted_at).toBeDefined()
  expect((await listDeliveries(gateway, alert.id))[0]).toMatchObject({ status: 'dropped' })
  expect((await patch({ name: 'x' })).status).toBe(404)
  await fall(db)
  expect(await listDeliveries(gateway, alert.id)).toHaveLength(1)
  const { rows } = await sql<{
    action: string
  }>`select action from audit_entry where resource_id = ${alert.id} order by audit_id`.execute(db)
  expect(rows.map(({ action }) => action)).toEqual(['alert.create', ...Array(3).fill('alert.change'), 'alert.delete'])
  expect((await sql`select from secret.alert_secret`.execute(db)).rows).toEqual([])
})

test('an address of a private network is refused where they are not allowed', async ({ db, gateway, stack, receiver }) => {
  const { alertsOf } = await import('../../src/main/config/alerts.ts')
  const strict = await stack.release({ alerts: alertsOf({ ALERT_PRIVATE_TARGETS: 'off' }) })
  onTestFinished(() => strict.drain(0))
  for (const url of ['http://0x7f.1/', 'http://localhost/', receiver.url, 'http://[::1]/', 'http://169.254.169.254/latest']) {
    const { status, body } = await postAlert(gateway, { url })
    expect({ status, message: body.error?.message }).toEqual({
      status: 400,
      message: expect.stringMatching(/private network/) as string,
    })
  }
  // Made before: a delivery is refused too.
  const alert = await makeAlert(db, { url: receiver.url })
  await fall(db)
  await came(async () => (await listDeliveries(gateway, alert.id))[0]?.attempts === 1)
  expect((await listDeliveries(gateway, alert.id))[0]?.error).toMatch(/private network/)
  expect(receiver.received).toEqual([])
})
