import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createIngress, type Ingress } from '../../src/ingress/clients.ts'
import { analyticApi, catalogApi, shopperApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import { compare } from '../../src/main/reconcile/compare.ts'
import { repair } from '../../src/main/reconcile/repair.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { timelineState } from '../../src/store/log/timeline.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import { product } from '../harness/items/products.ts'
import { prepareDatabase } from '../harness/servers/database.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { settled, type Stack, startStack } from '../harness/servers/stack.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'
import { type Standby, startPrimary, startStandby, type TestServer } from '../harness/servers/standby.ts'

interface Shop {
  primary: TestServer
  standby: Standby
  stack: Stack
  gateway: TestGateway
  ingress: Ingress
  /** Leads to the server that takes writes. */
  db: Database
  folder: string
  /** Makes the primary unreachable under the shop's address. */
  cutPrimary: () => Promise<void>
  /** What a command at a terminal needs. */
  environment: Record<string, string>
}

/** A shop whose PostgreSQL has a standby; Restate and the processes outlive it. */
async function startShop(journalMinutes: number): Promise<Shop> {
  const primary = await startPrimary()
  onTestFinished(primary.remove)
  const url = await prepareDatabase(primary.url, 'footfall')
  const standby = await startStandby(primary, { synchronousName: 's1' })
  onTestFinished(standby.remove)
  const proxy = await startTcpProxy(url)
  onTestFinished(() => proxy.cut().catch(() => undefined))
  const urls = [proxy.url, standby.url.replace(/[^/]*$/, 'footfall')].join(',')
  const db = connect({ url: urls, name: 'test', connectionsMax: 20 })
  onTestFinished(() => db.destroy())
  const stack = await startStack(db, { journalMinutes })
  onTestFinished(stack.stop)
  const gateway = await startGateway(urls, stack)
  onTestFinished(gateway.stop)
  const folder = await mkdtemp(join(tmpdir(), 'footfall-reconcile-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return {
    ...{ primary, standby, stack, gateway, db, folder, cutPrimary: proxy.cut },
    ingress: createIngress({ url: stack.ingressUrl, deadlineMs: 30_000 }),
    environment: {
      ...{ DATABASE_URL: urls, FOOTFALL_HOME: folder },
      ...{ RESTATE_INGRESS_URL: stack.ingressUrl, RESTATE_ADMIN_URL: stack.adminUrl },
    },
  }
}

const view = { account_id: 'ada', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }
const [HOUR_MS, AT_ONCE_MS] = [3_600_000, 0]
const comparison = ({ stack, db }: Shop) => compare(stack.adminUrl, db, HOUR_MS, AT_ONCE_MS)
const repaired = async (shop: Shop) => {
  const { lost } = await comparison(shop)
  return repair({ ...shop, adminUrl: shop.stack.adminUrl }, lost)
}

/** Sends a view without an id, with an Idempotency-Key. */
async function sendView({ gateway }: Shop, key: string): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${gateway.url}/api/v1/analytic/interaction`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ interactions: [view] }),
  })
  return { status: answer.status, body: await answer.json() }
}

/** One call of each kind that a shop makes, with what is different in each of them. @returns how many calls it makes. */
async function callEach(shop: Shop, name: string): Promise<number> {
  const { ingress } = shop
  const occurred_at = new Date().toISOString()
  const items = [{ product_id: 'lamp', seller_id: 'north', quantity: 1, unit_price: 500 }]
  const callback = {
    provider: 'acme-pay',
    callback_id: name,
    payment_ref: name,
    order_id: name,
    status: 'success',
    currency: 'EUR',
    occurred_at,
    items,
  }
  await ingress.call(catalogApi, 'UpsertProducts', {
    products: [product({ product_id: name, updated_at: occurred_at })],
  })
  await ingress.call(analyticApi, 'RecordPayments', { callbacks: [{ ...callback, account_id: 'ada' }] })
  await ingress.call(analyticApi, 'RecordEvents', {
    events: [{ source: 'erp', external_ref: name, entity_id: name, status: 'success', occurred_at }],
  })
  await ingress.call(analyticApi, 'RecordSearches', { searches: [{ query: name, product_ids: ['lamp'] }] })
  expect((await sendView(shop, name)).status).toBe(200)
  await ingress.call(shopperApi, 'Merge', { session_id: name, account_id: 'ada' })
  return 6
}

async function rowsIn(db: Database): Promise<Record<string, number>> {
  const { rows } = await sql<{ table: string; n: number }>`
    select 'interaction' as table, count(*)::int as n from interaction union all select 'search', count(*)::int from search
    union all select 'payment_callback', count(*)::int from payment_callback union all select 'sale_line', count(*)::int from sale_line
    union all select 'analytics_event', count(*)::int from analytics_event union all select 'product', count(*)::int from catalog.product
    union all select 'shopper_redirect', count(*)::int from shopper_redirect`.execute(db)
  return Object.fromEntries(rows.map(({ table, n }) => [table, n]))
}

describe('after a failover', { timeout: 180_000 }, () => {
  test('to an asynchronous standby, exactly the lost calls are found, and kept journals bring them back once', async () => {
    const shop = await startShop(15)
    const { primary, standby, db } = shop
    await callEach(shop, 'kept')
    await settled(db)
    await standby.waitUntilCaughtUp()
    await standby.stopReceiver()
    const calls = (await callEach(shop, 'lost-1')) + (await callEach(shop, 'lost-2'))
    await settled(db)
    const before = await rowsIn(db)
    await primary.kill()
    await standby.promote()

    const found = await comparison(shop)
    expect(found.lost).toHaveLength(calls)
    expect(await timelineState(db)).toMatchObject({ isChanged: true, current: { timeline: 2 }, acknowledged: { timeline: 1 } })
    expect((await sendView(shop, 'kept')).status).toBe(200)
    const refused = await sendView(shop, 'lost-1')
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable', details: { id: expect.any(String) } } } })

    const outcomes = await repaired(shop)
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(Array<string>(calls).fill('brought back'))
    expect((await comparison(shop)).lost).toEqual([])
    expect(await rowsIn(db)).toEqual(before)
    for (const key of ['kept', 'lost-1', 'lost-2']) {
      expect(await sendView(shop, key)).toMatchObject({ status: 200, body: { data: { accepted: 1 } } })
    }
    expect(await repaired(shop)).toEqual([])
    expect(await rowsIn(db)).toEqual(before)
    await settled(db)
    expect((await verify(db)).drift).toEqual([])
  })

  test('the disk of the old primary brings back what it has, while traffic goes on', async () => {
    const shop = await startShop(0)
    const { primary, standby, db, environment } = shop
    await callEach(shop, 'kept')
    await settled(db)
    await standby.waitUntilCaughtUp()
    await standby.stopReceiver()
    const calls = (await callEach(shop, 'lost-1')) + (await callEach(shop, 'lost-2'))
    await settled(db)
    const before = await rowsIn(db)
    const idsBefore = await idsIn(db)
    await shop.cutPrimary()
    await primary.kill()
    await standby.promote()
    await primary.start()

    const from = primary.url.replace(/[^/]*$/, 'footfall')
    // The command leaves out the calls of the last two seconds.
    expect(await until(async () => (await compare(shop.stack.adminUrl, db, HOUR_MS)).lost.length === calls, 10_000)).toBe(true)
    const looked = await runCommandProcess(['reconcile', '--from', from], environment)
    expect(looked).toMatchObject({ code: 1, output: expect.stringContaining(`PostgreSQL lacks ${calls} of them`) })
    const sending = keepSending(shop)
    for (const expected of [`Brought over: ${calls - 2} calls`, 'Brought over: 0 calls']) {
      const { code, output } = await runCommandProcess(['reconcile', '--repair', '--from', from], environment)
      expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining(expected) })
    }
    const sent = await sending.stop()
    expect(await rowsIn(db)).toEqual({ ...before, interaction: before['interaction']! + sent })
    expect(await idsIn(db)).toEqual(expect.arrayContaining(idsBefore))
    for (const key of ['kept', 'lost-1', 'lost-2']) {
      expect(await sendView(shop, key)).toMatchObject({ status: 200, body: { data: { accepted: 1 } } })
    }
    expect((await timelineState(db)).isChanged).toBe(false)
    await settled(db)
    expect((await verify(db)).drift).toEqual([])
  })

  test('to a synchronous standby nothing is lost, and no attempt answers before the standby has its rows', async () => {
    const shop = await startShop(0)
    const { primary, standby, db } = shop
    await primary.configure({ synchronous_standby_names: 's1', synchronous_commit: 'on' })
    await callEach(shop, 'kept')
    await settled(db)
    await standby.stopReceiver()
    const waiting = sendView(shop, 'waits')
    // The first attempt is ended while its commit waits: its row is seen by then. The next attempt waits by itself.
    const sessions = () => primary.execute((server) => waitingSessions(server))
    expect(await until(async () => (await sessions()).length > 0, 10_000)).toBe(true)
    const [first] = await sessions()
    await primary.execute((server) => sql`select pg_terminate_backend(${first!}::int)`.execute(server))
    expect(await until(async () => (await sessions()).some((pid) => pid !== first), 10_000)).toBe(true)
    await primary.kill()
    await standby.promote()

    expect(await waiting).toMatchObject({ status: 200, body: { data: { accepted: 1 } } })
    expect(await comparison(shop)).toMatchObject({ lost: [], waiting: 0, unchecked: 0 })
    await settled(db)
    expect(await rowsIn(db)).toMatchObject({ interaction: 3 })
    expect((await verify(db)).drift).toEqual([])
  })
})

/** Sends views one after the other, each with another key. `stop` says how many were recorded. */
function keepSending(shop: Shop): { stop: () => Promise<number> } {
  let [sent, isStopped] = [0, false]
  const sending = (async () => {
    for (; !isStopped; sent++) expect(await sendView(shop, `sent meanwhile ${sent}`)).toMatchObject({ status: 200 })
  })()
  return {
    stop: async () => {
      isStopped = true
      await sending
      return sent
    },
  }
}

async function idsIn(db: Database): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select event_id || ' ' || occurred_at as id from interaction union all select event_id || ' ' || occurred_at from search order by 1`.execute(
    db,
  )
  return rows.map(({ id }) => id)
}

/** The sessions of recording whose commit waits for a standby. */
async function waitingSessions(server: Parameters<Parameters<TestServer['execute']>[0]>[0]): Promise<number[]> {
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_stat_activity where wait_event = 'SyncRep' and query like '%interaction_batch%' order by pid`.execute(
    server,
  )
  return rows.map(({ pid }) => pid)
}
