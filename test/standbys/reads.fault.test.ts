import { sql } from 'kysely'
import { expect, test as base } from 'vitest'
import { createReadSource, type StandbyRead } from '../../src/gateway/standbys/read-source.ts'
import { createStandbys, type Standbys } from '../../src/gateway/standbys/standbys.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { lsnText } from '../../src/contract/fields/lsn.ts'
import { until } from '../../src/main/embedded/until.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { prepareDatabase } from '../harness/servers/database.ts'
import { SETTINGS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { SILENT_OBSERVER } from '../harness/servers/silent-observer.ts'
import { startStack } from '../harness/servers/stack.ts'
import { type Standby, startPrimary, startStandby, type TestServer } from '../harness/servers/standby.ts'
import { startTcpProxy, type TcpProxy } from '../harness/servers/tcp-proxy.ts'

/** A busy machine may look at the standby seldom. */
const LAG_MS_MAX = 2_000
const UNKNOWN_PRODUCT = 404

/** A primary with a standby, and what reads from both. */
interface Cluster {
  primary: TestServer
  standby: Standby
  /** The database on the primary. */
  db: Database
  /** Of both servers. */
  databaseUrl: string
  /** Between the gateway and the standby. */
  proxy: TcpProxy
  standbys: Standbys
  outcomes: StandbyRead[]
}

const test = base
  .extend('cluster', { scope: 'file' }, async ({}, { onCleanup }): Promise<Cluster> => {
    const primary = await startPrimary()
    const primaryUrl = await prepareDatabase(primary.url, 'footfall')
    // A standby that does not wait before it cancels reads that are in its way.
    const standby = await startStandby(primary, { settings: { max_standby_streaming_delay: '0' } })
    const db = connect({ url: primaryUrl, name: 'test' })
    const standbyUrl = standby.url.replace(/postgres$/, 'footfall')
    const proxy = await startTcpProxy(standbyUrl)
    await sql`create role looker login password 'looker'`.execute(db)
    const looks = { name: 'looks', connectionsMax: 1, readOnly: true, waitMsMax: 1_000 }
    const asLooker = (url: string) => url.replace('postgres:test@', 'looker:looker@')
    const standbys = createStandbys({
      standbys: [
        {
          name: 'standby',
          openReads: () => connect({ url: proxy.url, name: 'reads', readOnly: true, prepares: true }),
          // A role without any grant may ask how far a server is.
          openLooks: () => connect({ ...looks, url: asLooker(proxy.url) }),
        },
      ],
      openPrimary: () => connect({ ...looks, url: `${asLooker(primaryUrl)},${asLooker(standbyUrl)}` }),
      lagMsMax: LAG_MS_MAX,
      onChange: () => undefined,
    })
    onCleanup(async () => {
      await standbys.close()
      await db.destroy()
      await proxy.cut().catch(() => undefined)
      await Promise.all([standby.remove(), primary.remove()])
    })
    return { primary, standby, db, databaseUrl: `${primaryUrl},${standbyUrl}`, proxy, standbys, outcomes: [] }
  })
  .extend('stack', { scope: 'file' }, async ({ cluster }, { onCleanup }) => {
    const stack = await startStack(cluster.db)
    onCleanup(stack.stop)
    return stack
  })
  .extend('gateway', { scope: 'file' }, async ({ cluster, stack }, { onCleanup }) => {
    const { standbys, outcomes } = cluster
    const observer = { ...SILENT_OBSERVER, readFromStandby: (outcome: StandbyRead) => void outcomes.push(outcome) }
    const settings = { ...SETTINGS, topCacheMs: 60_000, popularCacheMs: 60_000 }
    const gateway = await startGateway(cluster.databaseUrl, stack, { standbys, observer, settings })
    onCleanup(gateway.stop)
    return gateway
  })

/** The outcomes of the reads since the last time. */
const taken = ({ outcomes }: Cluster) => outcomes.splice(0)

const isRead = ({ standbys }: Cluster, expected = true) => until(async () => standbys.states()[0]!.is_read === expected, 15_000)

/** Everything is replayed, and reads go to the standby. */
async function level(cluster: Cluster): Promise<void> {
  await cluster.standby.waitUntilCaughtUp()
  expect(await isRead(cluster)).toBe(true)
  taken(cluster)
}

async function get({ url }: TestGateway, path: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${url}${path}`, { headers })
  return { status: answer.status, body: (await answer.json()) as { data: unknown; error?: { message: string } } }
}

const statusOf = async (gateway: TestGateway, id: string, headers?: Record<string, string>) =>
  (await get(gateway, `/api/v1/catalog/products/${id}`, headers)).status

test('reads go to the standby, and to the primary while the standby is too far behind, and come back', async ({
  cluster,
  gateway,
}) => {
  const { db, standby, standbys } = cluster
  await upsert(db, [product({ product_id: 'lamp' })])
  await level(cluster)
  expect(await statusOf(gateway, 'lamp')).toBe(200)
  expect(taken(cluster)).toEqual(['standby'])
  await expect.poll(() => standbys.states()).toEqual([{ server: 'standby', lag_ms: 0, is_read: true }])

  await standby.stopReceiver()
  await upsert(db, [product({ product_id: 'desk' })])
  // Within the bound the standby answers, and does not know the product yet. A busy machine may be beyond it by now.
  const status = await statusOf(gateway, 'desk')
  expect([
    [UNKNOWN_PRODUCT, 'standby'],
    [200, 'none_usable'],
  ]).toContainEqual([status, ...taken(cluster)])
  expect(await isRead(cluster, false)).toBe(true)
  expect(standbys.states()[0]!.lag_ms).toBeGreaterThan(LAG_MS_MAX)
  taken(cluster)
  expect(await statusOf(gateway, 'desk')).toBe(200)
  expect(taken(cluster)).toEqual(['none_usable'])

  await standby.resumeReceiver()
  await level(cluster)
  expect(await statusOf(gateway, 'desk')).toBe(200)
  expect(taken(cluster)).toEqual(['standby'])
})

test('a request that wrote says where the log ended, and a read with it shows what was written', async ({ cluster, gateway }) => {
  await level(cluster)
  const products = [product({ product_id: 'chair' })]
  await cluster.standby.stopReceiver()
  const written = await fetch(`${gateway.url}/api/v1/catalog/products`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ products }),
  })
  expect(written.status).toBe(200)
  const lsn = written.headers.get('footfall-lsn')!
  expect(lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/)
  taken(cluster)
  expect(await statusOf(gateway, 'chair', { 'footfall-min-lsn': lsn })).toBe(200)
  expect(taken(cluster)).toEqual(['none_usable'])
  await cluster.standby.resumeReceiver()
  await level(cluster)
  expect(await statusOf(gateway, 'chair', { 'footfall-min-lsn': lsn })).toBe(200)
  expect(taken(cluster)).toEqual(['standby'])
  const read = await fetch(`${gateway.url}/api/v1/catalog/products/chair`)
  expect(read.headers.get('footfall-lsn')).toBeNull()
})

test('a position that is none is 400, and one that is never reached is answered by the primary', async ({ cluster, gateway }) => {
  await level(cluster)
  for (const lsn of ['', 'x', '0/', '0/123456789', '16B3748']) {
    const { status, body } = await get(gateway, '/api/v1/catalog/products/lamp', { 'footfall-min-lsn': lsn })
    expect({ lsn, status }).toEqual({ lsn, status: 400 })
    expect(body.error!.message).toContain('footfall-min-lsn')
  }
  taken(cluster)
  expect(await statusOf(gateway, 'lamp', { 'footfall-min-lsn': 'FFFFFFFF/FFFFFFFF' })).toBe(200)
  expect(taken(cluster)).toEqual(['none_usable'])
})

test('a list that was read before the position is not used, although it is kept', async ({ cluster, gateway }) => {
  const { db } = cluster
  const lists = ['/api/v1/analytic/popularity/top', '/api/v1/products/popular', '/api/v1/catalog/categories']
  await level(cluster)
  for (const path of lists) await get(gateway, path)
  await upsert(db, [product({ product_id: 'vase', category: 'vases', updated_at: '2026-03-01T13:00:00.000Z' })])
  await recordAndCount(db, [interaction({ refId: 'vase', eventType: 'purchase' })])
  const lsn = lsnText(await cluster.standbys.endOfLog())
  for (const path of lists) {
    const [kept, upToDate] = [await get(gateway, path), await get(gateway, path, { 'footfall-min-lsn': lsn })]
    const hasVase = (answer: object) => JSON.stringify(answer).includes('vase')
    expect({ path, kept: hasVase(kept), upToDate: hasVase(upToDate) }).toEqual({ path, kept: false, upToDate: true })
  }
})

test('a read that the standby cancels to go on replaying is answered by the primary', async ({ cluster }) => {
  const { db, standby, standbys } = cluster
  await sql`create table conflict (n int)`.execute(db)
  await sql`insert into conflict select generate_series(1, 1000)`.execute(db)
  await level(cluster)
  const outcomes: StandbyRead[] = []
  const source = createReadSource(db, standbys, (outcome) => void outcomes.push(outcome))
  let runs = 0
  const count = await source.read({ readsFrom: 'standby' }, (from) =>
    from
      .transaction()
      .setIsolationLevel('repeatable read')
      .execute(async (tx) => {
        await sql`select count(*) from conflict`.execute(tx)
        if (++runs === 1) {
          await sql`delete from conflict`.execute(db)
          await sql`vacuum conflict`.execute(db)
          await standby.waitUntilCaughtUp()
        }
        const { rows } = await sql<{ n: string }>`select count(*) as n from conflict`.execute(tx)
        return Number(rows[0]!.n)
      }),
  )
  expect({ count, runs, outcomes }).toEqual({ count: 0, runs: 2, outcomes: ['failed_over'] })
})

test('no request fails while the standby is killed and started again', async ({ cluster, gateway }) => {
  await level(cluster)
  const statuses = new Set<number>()
  let isOver = false
  const reading = (async () => {
    while (!isOver) statuses.add(await statusOf(gateway, 'lamp'))
  })()
  await cluster.standby.kill()
  expect(await isRead(cluster, false)).toBe(true)
  expect(cluster.standbys.states()).toEqual([{ server: 'standby', lag_ms: null, is_read: false }])
  await cluster.standby.start()
  await level(cluster)
  isOver = true
  await reading
  expect([...statuses]).toEqual([200])
})

test('a read that a standby never answers is answered by the primary, and others are not sent there', async ({
  cluster,
  gateway,
}) => {
  const { proxy } = cluster
  await level(cluster)
  proxy.hold()
  expect(await statusOf(gateway, 'lamp')).toBe(200)
  expect(taken(cluster)).toEqual(['failed_over'])
  expect(await isRead(cluster, false)).toBe(true)
  expect(await statusOf(gateway, 'lamp')).toBe(200)
  expect(taken(cluster)).toEqual(['none_usable'])
  proxy.release()
  await level(cluster)
})

test('while the primary is away the standby answers as long as its answers are known to be new enough', async ({
  cluster,
  gateway,
}) => {
  await level(cluster)
  await cluster.primary.kill()
  expect(await isRead(cluster, false)).toBe(true)
  expect(await statusOf(gateway, 'lamp')).toBe(503)
  await cluster.primary.start()
  await level(cluster)
  expect(await statusOf(gateway, 'lamp')).toBe(200)
})

test('after a failover the promoted standby is read as the primary, and no more as a standby', async ({ cluster, gateway }) => {
  await level(cluster)
  await cluster.primary.kill()
  await cluster.standby.promote()
  expect(await until(async () => (await statusOf(gateway, 'lamp')) === 200, 15_000)).toBe(true)
  expect(await isRead(cluster, false)).toBe(true)
  taken(cluster)
  expect(await statusOf(gateway, 'lamp')).toBe(200)
  expect(taken(cluster)).toEqual(['none_usable'])
})
