import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { createIngress, type Ingress } from '../../src/ingress/clients.ts'
import { createApiKey } from '../../src/store/access/api-key.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { createDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { openPage, type BrowserPage, type PageOptions } from '../harness/clients/browser-page.ts'
import { type Stack, startStack } from '../harness/servers/stack.ts'
import { startTcpProxy, type TcpProxy } from '../harness/servers/tcp-proxy.ts'
import { until } from '../../src/main/embedded/until.ts'

const ORIGIN = 'https://shop.example'
const NOTHING_LEFT = '{"interactions":[]}'

let database: TestDatabase
let stack: Stack
let gateway: TestGateway
let wire: TcpProxy
let key: string
/** How many answers are lost on their way, after their events were recorded. */
let answersToLose = 0
/** Answers wait for this, after their events were recorded. */
let answersHeld = Promise.resolve()
const pages: BrowserPage[] = []

beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
  stack = await startStack(database.db)
  const made = { name: 'shop', scopes: ['ingest'], isPublishable: true, origins: [ORIGIN], sellerId: null } as const
  key = (await createApiKey(database.db, { ...made, requestsPerMinute: 100_000 })).text
  const ingress = createIngress({ url: stack.ingressUrl })
  const callWithJson: Ingress['callWithJson'] = async (...call) => {
    const answer = await ingress.callWithJson(...call)
    await answersHeld
    if (answersToLose > 0) {
      answersToLose--
      await wire.cut()
      await wire.mend()
    }
    return answer
  }
  gateway = await startGateway(database.url, stack, { ingress: { ...ingress, callWithJson } })
  wire = await startTcpProxy(gateway.url)
})
afterEach(() => {
  for (const page of pages.splice(0)) page.kill()
})
afterAll(async () => {
  await wire.cut()
  await gateway.stop()
  await stack.stop()
  await database.drop()
})

function open(changes: Partial<PageOptions> & Pick<PageOptions, 'storage'>): BrowserPage {
  const page = openPage({ gatewayUrl: wire.url.replace(/\/$/, ''), key, origin: ORIGIN, ...changes })
  pages.push(page)
  return page
}

const eventsIn = (storage: object) => Object.keys(storage).filter((name) => name.startsWith('footfall:'))
const isSent = (storage: object) => until(async () => eventsIn(storage).length === 0, 30_000)
const idsIn = (body: string) =>
  (JSON.parse(body) as { interactions: { event_id: string }[] }).interactions.map((one) => one.event_id)

async function viewsOf(product: string): Promise<number> {
  await stack.settled()
  const { rows } = await sql<{ n: number }>`
    select coalesce(sum(view_count), 0)::int as n from product_popularity where product_id = ${product}`.execute(database.db)
  expect((await verify(database.db)).drift).toEqual([])
  return rows[0]!.n
}

async function shoppersOf(product: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(distinct session_id)::int as n from interaction where ref_id = ${product}`.execute(database.db)
  return rows[0]!.n
}

test('the snippet has at most 40 lines beside comments', () => {
  const lines = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'browser.js'), 'utf8').split('\n')
  expect(lines.filter((line) => !/^\s*(\/\/|$)/.test(line)).length).toBeLessThanOrEqual(40)
})

test('events of a page are counted, with one session for all of its pages, and nothing is left over', async () => {
  const storage = {}
  const first = open({ storage })
  first.track('view', 'plain', { metadata: { from: 'home' } })
  first.track('view', 'plain', { account_id: 'ada' })
  expect(eventsIn(storage)).toHaveLength(2)
  expect(await isSent(storage)).toBe(true)
  expect(first.bodies).toHaveLength(1)
  const second = open({ storage })
  second.track('view', 'plain')
  expect(await isSent(storage)).toBe(true)
  expect(await viewsOf('plain')).toBe(3)
  expect(await shoppersOf('plain')).toBe(1)
  expect([...first.warnings, ...second.warnings]).toEqual([])
})

test('events whose answer is lost are sent again with the same ids, and count once', async () => {
  const storage = {}
  const page = open({ storage })
  answersToLose = 3
  for (let n = 0; n < 20; n++) page.track('view', 'lost-answer')
  expect(await isSent(storage)).toBe(true)
  expect(page.bodies).toHaveLength(4)
  expect(new Set(page.bodies).size).toBe(1)
  expect(await viewsOf('lost-answer')).toBe(20)
  // Each pause is longer than the one before could have been short.
  const [, ...pauses] = page.pausesMs
  for (const [n, ms] of pauses.slice(0, 3).entries()) expect(ms).toBeGreaterThanOrEqual(1_000 * 2 ** n)
})

test('a page that is closed in the middle hands over what is left, and a later page sends it again without effect', async () => {
  const storage = {}
  const closing = open({ storage })
  const { promise, resolve: letGo } = Promise.withResolvers<void>()
  answersHeld = promise
  closing.track('view', 'closed')
  expect(await until(async () => closing.bodies.length === 1, 30_000)).toBe(true)
  closing.track('view', 'closed')
  const handedOver = closing.hide()
  expect(closing.beacons).toHaveLength(1)
  closing.kill()
  letGo()
  await handedOver
  expect(await viewsOf('closed')).toBe(2)
  expect(eventsIn(storage)).toHaveLength(2)
  const later = open({ storage })
  expect(await isSent(storage)).toBe(true)
  expect(later.bodies.flatMap(idsIn).toSorted()).toEqual(idsIn(closing.beacons[0]!).toSorted())
  expect(await viewsOf('closed')).toBe(2)
})

test('a page that is killed loses nothing: the next one sends it', async () => {
  const storage = {}
  const killed = open({ storage })
  for (let n = 0; n < 5; n++) killed.track('view', 'killed')
  killed.kill()
  expect(eventsIn(storage)).toHaveLength(5)
  open({ storage })
  expect(await isSent(storage)).toBe(true)
  expect(await viewsOf('killed')).toBe(5)
})

test('tabs that share a storage lose nothing and leave nothing', async () => {
  const storage = {}
  const tabs = Array.from({ length: 4 }, () => open({ storage }))
  answersToLose = 4
  for (let n = 0; n < 25; n++) for (const tab of tabs) tab.track('view', 'tabs')
  expect(await isSent(storage)).toBe(true)
  expect(await viewsOf('tabs')).toBe(100)
  expect(await shoppersOf('tabs')).toBe(1)
})

test.each(['off', 'full', 'null'])('where localStorage is %s, events are counted as long as the page is there', async (kind) => {
  const refusing = new Proxy(
    {},
    {
      set: () => {
        throw new DOMException('full', 'QuotaExceededError')
      },
    },
  )
  const storage = { off: undefined, full: refusing, null: null as unknown as Record<string, string> }[kind]
  const page = open({ storage })
  answersToLose = 1
  for (let n = 0; n < 3; n++) page.track('view', `storage-${kind}`)
  expect(await until(async () => page.bodies.length === 2, 30_000)).toBe(true)
  expect(await until(async () => (await viewsOf(`storage-${kind}`)) === 3, 30_000)).toBe(true)
  page.track('view', `storage-${kind}`)
  expect(await until(async () => (await viewsOf(`storage-${kind}`)) === 4, 30_000)).toBe(true)
  expect(idsIn(page.bodies.at(-1)!)).toHaveLength(1)
  await page.hide()
  expect(page.beacons).toEqual([])
  expect(await shoppersOf(`storage-${kind}`)).toBe(1)
})

test('events of a clock that is ahead are refused once and not sent for ever; the others of the batch are counted', async () => {
  const storage = {}
  const ahead = open({ storage, clockAheadMs: 600_000 })
  ahead.track('view', 'clock')
  ahead.kill()
  const page = open({ storage })
  page.track('view', 'clock')
  expect(await isSent(storage)).toBe(true)
  expect(page.bodies).toHaveLength(1)
  expect(page.warnings).toEqual([['Footfall:', [expect.objectContaining({ code: 'in_future', field: 'occurred_at' })]]])
  expect(await viewsOf('clock')).toBe(1)
})

test('an event that is too large for any body does not keep the others waiting', async () => {
  const storage = {}
  const page = open({ storage })
  page.track('view', 'large', { metadata: { text: 'x'.repeat(70_000) } })
  page.track('view', 'large')
  expect(await isSent(storage)).toBe(true)
  expect(page.warnings).toEqual([['Footfall:', expect.objectContaining({ code: 'too_large' })]])
  expect(await viewsOf('large')).toBe(1)
})

test('batches have at most 64 KiB, and so has what a closing page hands over', async () => {
  const storage = {}
  const page = open({ storage })
  for (let n = 0; n < 60; n++) page.track('view', 'bytes', { metadata: { text: 'ü'.repeat(2_000) } })
  await page.hide()
  expect(await isSent(storage)).toBe(true)
  for (const body of [...page.bodies, ...page.beacons]) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(65_536)
  expect(page.beacons).toHaveLength(1)
  expect(await viewsOf('bytes')).toBe(60)
})

test('while nothing can be reached the newest 1,000 events are kept, and all of them are counted later', async () => {
  const storage = {}
  const page = open({ storage })
  await wire.cut()
  for (let n = 0; n < 50; n++) page.track('view', 'oldest')
  const trackedMs = Date.now()
  // Events of one millisecond are in no order.
  await until(async () => Date.now() > trackedMs, 1_000)
  for (let n = 0; n < 1_000; n++) page.track('view', 'kept')
  expect(eventsIn(storage)).toHaveLength(1_000)
  expect(await until(async () => page.bodies.length > 1, 30_000)).toBe(true)
  await wire.mend()
  expect(await isSent(storage)).toBe(true)
  expect(await viewsOf('kept')).toBe(1_000)
  expect(await viewsOf('oldest')).toBe(0)
})

test('a page that is told to slow down waits as long as it is told, and keeps its events', async () => {
  const storage = {}
  const made = { name: 'slow', scopes: ['ingest'], isPublishable: true, origins: [ORIGIN], sellerId: null } as const
  const slow = await createApiKey(database.db, { ...made, requestsPerMinute: 1 })
  const page = open({ storage, key: slow.text })
  // The gateway knows the key after a second.
  page.track('view', 'slow')
  expect(await isSent(storage)).toBe(true)
  page.track('view', 'slow')
  const isTold = () => JSON.stringify(page.warnings).includes('rate_limited')
  expect(await until(async () => isTold(), 30_000)).toBe(true)
  expect(await until(async () => page.pausesMs.at(-1)! > 10_000, 30_000)).toBe(true)
  expect(eventsIn(storage)).toHaveLength(1)
})

test('a page of another origin gets nothing through, and keeps its events', async () => {
  const storage = {}
  const page = open({ storage, origin: 'https://elsewhere.example' })
  page.track('view', 'elsewhere')
  expect(await until(async () => page.bodies.length > 2, 30_000)).toBe(true)
  expect(eventsIn(storage)).toHaveLength(1)
  await page.hide()
  expect(page.beacons).not.toEqual([NOTHING_LEFT])
  expect(await viewsOf('elsewhere')).toBe(0)
})
