import { connect as connectSocket, type Socket } from 'node:net'
import { once } from 'node:events'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { ask, makeKey } from '../harness/items/keys.ts'
import { pgTest } from '../harness/fixtures.ts'
import { SETTINGS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'

const LIST = '/api/v1/products/popular?time_window_days=7'
const OTHER_LIST = '/api/v1/products/popular?time_window_days=8'
const DASHBOARD = '/api/v1/analytic/seller-dashboard?seller_id=s-1&start=2026-01-01&end=2026-01-02'
const REPORT = '/api/v1/reports/volume-by-period/run?date_from=2026-01-01&date_to=2026-01-02'
const SEARCHES = '/api/v1/search/queries'
/** The table that each read needs. */
const READS = [
  ['a list that adds up hours', LIST, 'product_hour'],
  ['a dashboard', DASHBOARD, 'seller_day'],
  ['a report', REPORT, 'metric_snapshot'],
  ['a list of searches', SEARCHES, 'search'],
  ['a list of audit entries', '/api/v1/audit-entries', 'audit_entry'],
  ['a page deep in a list', '/api/v1/products/popular?min_interactions=2', 'product_popularity'],
  ['the last verification', '/api/v1/verifications/latest', 'verification_run'],
  ['a product', '/api/v1/analytic/popularity/lamp', 'product_popularity'],
] as const

let keys: { read: string; other: string }
const test = pgTest.extend('gateway', { scope: 'file' }, async ({ db, database }, { onCleanup }) => {
  const scopes = ['read', 'manage'] as const
  keys = { read: (await makeKey(db, { scopes })).text, other: (await makeKey(db, { scopes })).text }
  const settings = { ...SETTINGS, addedUpAtOnce: 2, longReadsMax: 2, callerLongReadsMax: 1, readWaitMsMax: 60_000 }
  const gateway = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' }, { settings })
  onCleanup(gateway.stop)
  return gateway
})

/** Keeps every read of a table waiting until the work has ended. */
function withLocked<T>(db: Database, table: string, work: () => Promise<T>): Promise<T> {
  return db.transaction().execute(async (tx) => {
    await sql`lock table ${sql.table(table)} in access exclusive mode`.execute(tx)
    return work()
  })
}

async function send({ url }: TestGateway, path: string, key: string): Promise<Socket> {
  const socket = connectSocket(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\n\r\n`)
  return socket
}

/** How many statements of the gateway run; they wait for a lock. */
async function running(db: Database): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from pg_stat_activity
    where application_name = 'test gateway' and state = 'active' and wait_event_type = 'Lock'`.execute(db)
  return rows[0]!.n
}

function connectionsOf({ server }: TestGateway): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })
}

const becomes = async (db: Database, count: number) =>
  expect(await until(async () => (await running(db)) === count, 10_000)).toBe(true)

test.for(READS)(
  'when the caller of %s hangs up, PostgreSQL cancels its statement',
  async ([_name, path, table], { db, gateway }) => {
    await withLocked(db, table, async () => {
      const socket = await send(gateway, path, keys.read)
      await becomes(db, 1)
      socket.destroy()
      await becomes(db, 0)
    })
    expect(gateway.log.filter(({ status }) => status === 500)).toEqual([])
  },
)

test('callers that hung up leave the line, and the next one is read', async ({ db, gateway }) => {
  await withLocked(db, 'product_hour', async () => {
    const first = await send(gateway, LIST, keys.read)
    await becomes(db, 1)
    const gone = await Promise.all(Array.from({ length: 20 }, (_, n) => send(gateway, `${LIST}&limit=${n + 1}`, keys.read)))
    const other = await send(gateway, OTHER_LIST, keys.other)
    await becomes(db, 2)
    for (const socket of [...gone, first]) socket.destroy()
    await becomes(db, 1)
    other.destroy()
    await becomes(db, 0)
  })
  expect((await ask(gateway.url, { path: LIST, key: keys.read })).status).toBe(200)
})

test('a caller with many expensive reads leaves a place to another one', async ({ db, gateway }) => {
  await withLocked(db, 'seller_day', async () => {
    const dashboards = await Promise.all(Array.from({ length: 50 }, () => send(gateway, DASHBOARD, keys.read)))
    await becomes(db, 1)
    for (const path of [LIST, REPORT, SEARCHES, '/api/v1/analytic/popularity/top', '/health']) {
      expect([path, (await ask(gateway.url, { path, key: keys.other })).status]).toEqual([path, 200])
    }
    // Its own short reads go on, too.
    expect((await ask(gateway.url, { path: '/api/v1/analytic/popularity/top', key: keys.read })).status).toBe(200)
    for (const socket of dashboards) socket.destroy()
    await becomes(db, 0)
  })
})

test('callers that ask the same share a read, which goes on when one of them hangs up', async ({ db, database }) => {
  const settings = { ...SETTINGS, popularCacheMs: 60_000 }
  const caching = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' }, { settings })
  const { answer } = await withLocked(db, 'product_hour', async () => {
    const first = await send(caching, LIST, keys.read)
    await becomes(db, 1)
    const answer = ask(caching.url, { path: LIST, key: keys.other })
    expect(await until(async () => (await connectionsOf(caching)) === 2, 10_000)).toBe(true)
    first.destroy()
    expect(await until(async () => (await connectionsOf(caching)) === 1, 10_000)).toBe(true)
    await becomes(db, 1)
    return { answer }
  })
  expect((await answer).status).toBe(200)
  await caching.stop()
})

test.for([LIST, DASHBOARD, REPORT, SEARCHES])(
  'a read of %s that waits too long is answered 503, with a time to try again',
  async (path, { db, database }) => {
    const settings = { ...SETTINGS, addedUpAtOnce: 1, longReadsMax: 1, callerLongReadsMax: 1, readWaitMsMax: 50 }
    const impatient = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' }, { settings })
    await withLocked(db, 'seller_day', async () => {
      const first = await send(impatient, `${DASHBOARD}&granularity=week`, keys.read)
      await becomes(db, 1)
      const late = await ask(impatient.url, { path, key: keys.read })
      expect(late).toMatchObject({
        status: 503,
        json: { error: { code: 'unavailable', message: expect.stringContaining('wait') } },
      })
      expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0)
      first.destroy()
      await becomes(db, 0)
    })
    await impatient.stop()
  },
)
