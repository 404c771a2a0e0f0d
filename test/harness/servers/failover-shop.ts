import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, onTestFinished } from 'vitest'
import {
  accessApi,
  analyticApi,
  catalogApi,
  erasureApi,
  recorderApi,
  scheduleApi,
  shopperApi,
} from '../../../src/contract/services.ts'
import { createIngress, type Ingress } from '../../../src/ingress/clients.ts'
import { until } from '../../../src/main/embedded/until.ts'
import { createReadiness } from '../../../src/main/readiness.ts'
import { compare, type Comparison } from '../../../src/main/reconcile/compare.ts'
import { repair, type Repaired } from '../../../src/main/reconcile/repair.ts'
import { summaryOf } from '../../../src/main/reconcile/report.ts'
import { createSigner } from '../../../src/store/access/change.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import { timelineState } from '../../../src/store/log/timeline.ts'
import { createTombstones } from '../../../src/store/log/tombstone.ts'
import { makeKey } from '../items/keys.ts'
import { product } from '../items/products.ts'
import { prepareDatabase } from './database.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { type Stack, startStack } from './stack.ts'
import { type Standby, startPrimary, startStandby, type TestServer } from './standby.ts'
import { startTcpProxy } from './tcp-proxy.ts'

export interface FailoverShop {
  primary: TestServer
  standby: Standby
  stack: Stack
  gateway: TestGateway
  ingress: Ingress
  /** Leads to the server that takes writes. */
  db: Database
  folder: string
  /** May do everything. */
  key: { keyId: string; text: string }
  /** Makes the primary unreachable under the shop's address. */
  cutPrimary: () => Promise<void>
  /** What a command at a terminal needs. */
  environment: Record<string, string>
}

const ERASURE_KEY = 'the key of erasures in tests of failovers'
export const [HOUR_MS, AT_ONCE_MS] = [3_600_000, 0]

/** A shop whose PostgreSQL has a standby; Restate and the processes outlive it. */
export async function startFailoverShop(journalMinutes: number): Promise<FailoverShop> {
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
  const key = await makeKey(db, { scopes: ['ingest', 'read', 'manage'] })
  const adminUrl = { url: '' }
  const findLostCalls = async () => summaryOf(await compare(adminUrl.url, db, HOUR_MS, AT_ONCE_MS))
  const tombstones = createTombstones(Buffer.from(ERASURE_KEY))
  const stack = await startStack(db, { journalMinutes, findLostCalls, tombstones })
  adminUrl.url = stack.adminUrl
  onTestFinished(stack.stop)
  const ingress = createIngress({ url: stack.ingressUrl, deadlineMs: 30_000 })
  const timeline = () => timelineState(db)
  const readiness = createReadiness({ ...stack, databaseUrl: urls, ingress, timeline })
  const gateway = await startGateway(urls, stack, { readiness })
  onTestFinished(gateway.stop)
  const folder = await mkdtemp(join(tmpdir(), 'footfall-reconcile-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'erasure-key'), ERASURE_KEY, { mode: 0o600 })
  return {
    ...{ primary, standby, stack, gateway, ingress, db, folder, key, cutPrimary: proxy.cut },
    environment: {
      ...{ DATABASE_URL: urls, FOOTFALL_HOME: folder },
      ...{ RESTATE_INGRESS_URL: stack.ingressUrl, RESTATE_ADMIN_URL: stack.adminUrl },
    },
  }
}

export const comparisonOf = ({ stack, db }: FailoverShop): Promise<Comparison> => compare(stack.adminUrl, db, HOUR_MS, AT_ONCE_MS)

export async function repairedIn(shop: FailoverShop): Promise<Repaired[]> {
  const { lost } = await comparisonOf(shop)
  return repair({ ...shop, folder: join(shop.folder, 'reconcile'), adminUrl: shop.stack.adminUrl }, lost)
}

const view = { account_id: 'ada', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }

/** Sends a view without an id, with an Idempotency-Key. */
export async function sendView({ gateway, key }: FailoverShop, name: string): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${gateway.url}/api/v1/analytic/interaction`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': name, authorization: `Bearer ${key.text}` },
    body: JSON.stringify({ interactions: [view] }),
  })
  return { status: answer.status, body: await answer.json() }
}

/** A view of each of these accounts. */
export async function viewsOf({ ingress }: FailoverShop, accounts: readonly string[]): Promise<void> {
  await ingress.call(analyticApi, 'CreateInteraction', { interactions: accounts.map((account_id) => ({ ...view, account_id })) })
}

/** Sends views one after the other, each with another key. `stop` says how many were recorded. */
export function keepSending(shop: FailoverShop): { stop: () => Promise<number> } {
  let [sent, isStopped] = [0, false]
  const sending = (async () => {
    for (; !isStopped; sent++) expect(await sendView(shop, `sent meanwhile ${sent}`)).toMatchObject({ status: 200 })
  })()
  // A test that fails before it stops this has its own error.
  sending.catch(() => undefined)
  return {
    stop: async () => {
      isStopped = true
      await sending
      return sent
    },
  }
}

/**
 * One call of each kind that a shop makes, with what is different in each of them. `calls` is how many it makes, and `bringing` how many of them bring
 * items; the others are a merge, an erasure, which has ended then, and a change of keys.
 */
export async function callEach(shop: FailoverShop, name: string): Promise<{ calls: number; bringing: number }> {
  const { ingress, db } = shop
  const occurred_at = new Date().toISOString()
  const items = [{ product_id: 'lamp', seller_id: 'north', quantity: 1, unit_price: 500 }]
  const callback = {
    ...{ provider: 'acme-pay', callback_id: name, payment_ref: name, order_id: name, status: 'success', currency: 'EUR' },
    ...{ occurred_at, items, account_id: 'ada' },
  }
  const impression = {
    ...{ recommendation_id: randomUUID(), shown_at: occurred_at, shopper_id: 'account:ada', strategy: 'popular' as const },
    ...{ blend: 'similarity' as const, similarity_version: null, product_ids: ['lamp'] },
  }
  await ingress.call(catalogApi, 'UpsertProducts', { products: [product({ product_id: name, updated_at: occurred_at })] })
  await ingress.call(analyticApi, 'RecordPayments', { callbacks: [callback] })
  const event = { source: 'erp', external_ref: name, entity_id: name, status: 'success', occurred_at } as const
  await ingress.call(analyticApi, 'RecordEvents', { events: [event] })
  await ingress.call(analyticApi, 'RecordSearches', { searches: [{ query: name, product_ids: ['lamp'] }] })
  await ingress.call(
    recorderApi,
    'CreateInteraction',
    { interactions: [{ ...view, event_id: randomUUID(), occurred_at }] },
    { key: '3' },
  )
  await ingress.call(recorderApi, 'RecordImpressions', { impressions: [impression] }, { key: 'impressions' })
  expect((await sendView(shop, name)).status).toBe(200)
  await ingress.call(analyticApi, 'CreateInteraction', {
    interactions: [{ ...view, event_id: randomUUID(), occurred_at, account_id: `gone ${name}` }],
  })
  await ingress.call(shopperApi, 'Merge', { session_id: name, account_id: 'ada' })
  const sign = createSigner(db)
  const newKey = { ...NEW_KEY, key_id: randomUUID(), name }
  await ingress.call(accessApi, 'Change', await sign({ change: 'create_key', key: newKey }, { key_id: shop.key.keyId }))
  const erasure = { shopper_id: `account:gone ${name}`, actor: 'test' }
  await ingress.call(erasureApi, 'Start', erasure, { key: randomUUID() })
  expect(await until(async () => (await erasuresIn(db)).every((status) => status === 'completed'), 30_000)).toBe(true)
  return { calls: 11, bringing: 8 }
}

const NEW_KEY = {
  ...{ secret_sha256: '0'.repeat(64), scopes: ['read'] as const, is_publishable: false },
  ...{ origins: [], seller_id: null, requests_per_minute: null },
}

export async function erasuresIn(db: Database): Promise<string[]> {
  const { rows } = await sql<{ status: string }>`select status from erasure_run`.execute(db)
  return rows.map(({ status }) => status)
}

/** Has open erasures go on now, as the task does when they did nothing for a minute, and waits until all have ended. */
export async function endErasures({ stack, db }: FailoverShop): Promise<void> {
  await sql`update erasure_run set active_at = active_at - interval '1 hour' where status in ('pending', 'running')`.execute(db)
  const watch = stack.ingress.client(scheduleApi, 'watch-runs')
  await watch.Start({ every_ms: 500 })
  const areOver = async () => (await erasuresIn(db)).every((status) => status === 'completed')
  expect(await until(areOver, 60_000)).toBe(true)
  await watch.Stop({})
}

/** Rows of each table that the calls fill. */
export async function rowsIn(db: Database): Promise<Record<string, number>> {
  const { rows } = await sql<{ table: string; n: number }>`
    select 'interaction' as table, count(*)::int as n from interaction union all select 'search', count(*)::int from search
    union all select 'payment_callback', count(*)::int from payment_callback union all select 'sale_line', count(*)::int from sale_line
    union all select 'analytics_event', count(*)::int from analytics_event union all select 'product', count(*)::int from catalog.product
    union all select 'shopper_redirect', count(*)::int from shopper_redirect union all select 'impression', count(*)::int from impression
    union all select 'api_key', count(*)::int from api_key union all select 'erasure_run', count(*)::int from erasure_run
    union all select 'shopper_tombstone', count(*)::int from shopper_tombstone`.execute(db)
  return Object.fromEntries(rows.map(({ table, n }) => [table, n]))
}

/** The ids of events, with their times. */
export async function idsIn(db: Database): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select event_id || ' ' || occurred_at as id from interaction union all select event_id || ' ' || occurred_at from search order by 1`.execute(
    db,
  )
  return rows.map(({ id }) => id)
}
