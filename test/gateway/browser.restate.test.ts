import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, expect } from 'vitest'
import { createIngress, type Ingress } from '../../src/ingress/clients.ts'
import { createApiKey } from '../../src/store/access/api-key.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { openPage, type BrowserPage, type PageOptions } from '../harness/clients/browser-page.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { startTcpProxy, type TcpProxy } from '../harness/servers/tcp-proxy.ts'
import { until } from '../../src/main/embedded/until.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const ORIGIN = 'https://shop.example'
const NOTHING_LEFT = '{"interactions":[]}'

let proxy: TcpProxy
let key: string
/** How many answers are still to be lost after their events were recorded. */
let answersToLose = 0
/** Answers wait for this promise after their events were recorded. */
let answersHeld = Promise.resolve()
const pages: BrowserPage[] = []

const test = gatewayTest.extend('gatewayChanges', { scope: 'file' }, ({ stack }) => {
  const ingress = createIngress({ url: stack.ingressUrl })
  const callWithJson: Ingress['callWithJson'] = async (...call) => {
    const answer = await ingress.callWithJson(...call)
    await answersHeld
    if (answersToLose > 0) {
      answersToLose--
      await proxy.cut()
      await proxy.mend()
    }
    return answer
  }
  return { ingress: { ...ingress, callWithJson } }
})
// Before the gateway starts, so that it knows the key.
test.beforeAll(async ({ db }) => {
  const made = { name: 'shop', scopes: ['ingest'], isPublishable: true, origins: [ORIGIN], sellerId: null } as const
  key = (await createApiKey(db, { ...made, requestsPerMinute: 100_000 })).text
})
test.beforeAll(async ({ gateway }) => {
  proxy = await startTcpProxy(gateway.url)
})
afterEach(() => {
  for (const page of pages.splice(0)) page.kill()
})
afterAll(async () => {
  await proxy.cut()
})

function open(changes: Partial<PageOptions> & Pick<PageOptions, 'storage'>): BrowserPage {
  const page = openPage({ gatewayUrl: proxy.url.replace(/\/$/, ''), key, origin: ORIGIN, ...changes })
  pages.push(page)
  return page
}

const eventsIn = (storage: object) => Object.keys(storage).filter((name) => name.startsWith('footfall:'))
const isSent = (storage: object) => until(async () => eventsIn(storage).length === 0, 30_000)
const idsIn = (body: string) =>
  (JSON.parse(body) as { interactions: { event_id: string }[] }).interactions.map(({ event_id }) => event_id)

async function viewsOf(db: Database, stack: Stack, product: string): Promise<number> {
  await stack.settled()
  const { rows } = await sql<{ n: number }>`
    select coalesce(sum(view_count), 0)::int as n from product_popularity where product_id = ${product}`.execute(db)
  expect((await verify(db)).drift).toEqual([])
  return rows[0]!.n
}

async function shoppersOf(db: Database, product: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(distinct session_id)::int as n from interaction where ref_id = ${product}`.execute(db)
  return rows[0]!.n
}

test('the snippet has at most 55 lines without comments', () => {
  const lines = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'browser.js'), 'utf8').split('\n')
  expect(lines.filter((line) => !/^\s*(\/\/|$)/.test(line)).length).toBeLessThanOrEqual(55)
})

test('events of two pages are counted in one session, and the storage is empty afterwards', async ({ db, stack }) => {
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
  expect(await viewsOf(db, stack, 'plain')).toBe(3)
  expect(await shoppersOf(db, 'plain')).toBe(1)
  expect([...first.warnings, ...second.warnings]).toEqual([])
})

test('events without an answer are sent again with the same ids, and count once', async ({ db, stack }) => {
  const storage = {}
  const page = open({ storage })
  answersToLose = 3
  for (let n = 0; n < 20; n++) page.track('view', 'lost-answer')
  expect(await isSent(storage)).toBe(true)
  expect(page.bodies).toHaveLength(4)
  // Only the time of sending differs, as long as the page does not know the server's time.
  const withoutSentAt = page.bodies.map((body) => body.replaceAll(/"sent_at":"[^"]+",/g, ''))
  expect(new Set(withoutSentAt).size).toBe(1)
  expect(await viewsOf(db, stack, 'lost-answer')).toBe(20)
  // Pauses double, and are randomized only upwards.
  const [, ...pauses] = page.pausesMs.filter((ms) => ms > 0)
  for (const [n, ms] of pauses.slice(0, 3).entries()) expect(ms).toBeGreaterThanOrEqual(1_000 * 2 ** n)
})

test('a closing page sends its open events by beacon, and a later page repeats them without effect', async ({ db, stack }) => {
  const storage = {}
  const closing = open({ storage })
  const { promise, resolve: release } = Promise.withResolvers<void>()
  answersHeld = promise
  closing.track('view', 'closed')
  expect(await until(async () => closing.bodies.length === 1, 30_000)).toBe(true)
  closing.track('view', 'closed')
  const handedOver = closing.hide()
  expect(closing.beacons).toHaveLength(1)
  closing.kill()
  release()
  await handedOver
  expect(await viewsOf(db, stack, 'closed')).toBe(2)
  expect(eventsIn(storage)).toHaveLength(2)
  const later = open({ storage })
  expect(await isSent(storage)).toBe(true)
  expect(later.bodies.flatMap(idsIn).toSorted()).toEqual(idsIn(closing.beacons[0]!).toSorted())
  expect(await viewsOf(db, stack, 'closed')).toBe(2)
})

test('the next page sends the events of a page that was killed', async ({ db, stack }) => {
  const storage = {}
  const killed = open({ storage })
  for (let n = 0; n < 5; n++) killed.track('view', 'killed')
  killed.kill()
  expect(eventsIn(storage)).toHaveLength(5)
  open({ storage })
  expect(await isSent(storage)).toBe(true)
  expect(await viewsOf(db, stack, 'killed')).toBe(5)
})

test('tabs that share a storage send every event once, and leave none', async ({ db, stack }) => {
  const storage = {}
  const tabs = Array.from({ length: 4 }, () => open({ storage }))
  answersToLose = 4
  for (let n = 0; n < 25; n++) for (const tab of tabs) tab.track('view', 'tabs')
  expect(await isSent(storage)).toBe(true)
  expect(await viewsOf(db, stack, 'tabs')).toBe(100)
  expect(await shoppersOf(db, 'tabs')).toBe(1)
})

test.for(['off', 'full', 'null'])(
  'with localStorage %s, events are counted while the page is open',
  async (kind, { db, stack }) => {
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
    expect(await until(async () => (await viewsOf(db, stack, `storage-${kind}`)) === 3, 30_000)).toBe(true)
    page.track('view', `storage-${kind}`)
    expect(await until(async () => (await viewsOf(db, stack, `storage-${kind}`)) === 4, 30_000)).toBe(true)
    expect(idsIn(page.bodies.at(-1)!)).toHaveLength(1)
    await page.hide()
    expect(page.beacons).toEqual([])
    expect(await shoppersOf(db, `storage-${kind}`)).toBe(1)
  },
)

test('events of a clock that is ahead are rejected once, and the rest of the batch is counted', async ({ db, stack }) => {
  const storage = {}
  const ahead = open({ storage, clockAheadMs: 600_000 })
  ahead.track('view', 'clock')
  ahead.kill()
  const page = open({ storage })
  page.track('view', 'clock')
  expect(await isSent(storage)).toBe(true)
  expect(page.bodies).toHaveLength(1)
  expect(page.warnings).toEqual([['Footfall:', [expect.objectContaining({ code: 'in_future', field: 'occurred_at' })]]])
  expect(await viewsOf(db, stack, 'clock')).toBe(1)
})

test('a page whose clock is wrong is told by how much, and its later events are counted at the right time', async ({
  db,
  stack,
}) => {
  const page = open({ storage: {}, clockAheadMs: 3 * 3_600_000 })
  page.track('view', 'learnt')
  expect(await until(async () => page.warnings.length === 1, 30_000)).toBe(true)
  const message = expect.stringMatching(
    /^is (3 h|2 h 59 min) in the future, more than 5 minutes: the clock of the sender is (3 h|2 h 59 min) ahead$/,
  )
  expect(page.warnings).toEqual([['Footfall:', [expect.objectContaining({ code: 'in_future', field: 'occurred_at', message })]]])
  const beganMs = Date.now()
  page.track('view', 'learnt')
  expect(await until(async () => (await viewsOf(db, stack, 'learnt')) === 1, 30_000)).toBe(true)
  const { rows } = await sql<{ occurredAt: Date; sentAt: Date | null }>`
    select occurred_at as "occurredAt", sent_at as "sentAt" from interaction where ref_id = 'learnt'`.execute(db)
  expect(rows).toEqual([{ occurredAt: expect.any(Date), sentAt: null }])
  expect(Math.abs(rows[0]!.occurredAt.getTime() - beganMs)).toBeLessThan(10_000)
  expect(page.warnings).toHaveLength(1)
})

test('an event that is too large for a body does not delay the others', async ({ db, stack }) => {
  const storage = {}
  const page = open({ storage })
  page.track('view', 'large', { metadata: { text: 'x'.repeat(70_000) } })
  page.track('view', 'large')
  expect(await isSent(storage)).toBe(true)
  expect(page.warnings).toEqual([['Footfall:', expect.objectContaining({ code: 'too_large' })]])
  expect(await viewsOf(db, stack, 'large')).toBe(1)
})

test('batches and beacons have at most 64 KiB', async ({ db, stack }) => {
  const storage = {}
  const page = open({ storage })
  for (let n = 0; n < 60; n++) page.track('view', 'bytes', { metadata: { text: 'ü'.repeat(2_000) } })
  await page.hide()
  expect(await isSent(storage)).toBe(true)
  for (const body of [...page.bodies, ...page.beacons]) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(65_536)
  expect(page.beacons).toHaveLength(1)
  expect(await viewsOf(db, stack, 'bytes')).toBe(60)
})

test('the newest 1,000 events are kept during an outage, and counted later', async ({ db, stack }) => {
  const storage = {}
  const page = open({ storage })
  await proxy.cut()
  for (let n = 0; n < 50; n++) page.track('view', 'oldest')
  const trackedMs = Date.now()
  // Events of the same millisecond have no order.
  await until(async () => Date.now() > trackedMs, 1_000)
  for (let n = 0; n < 1_000; n++) page.track('view', 'kept')
  expect(eventsIn(storage)).toHaveLength(1_000)
  expect(await until(async () => page.bodies.length > 1, 30_000)).toBe(true)
  await proxy.mend()
  expect(await isSent(storage)).toBe(true)
  expect(await viewsOf(db, stack, 'kept')).toBe(1_000)
  expect(await viewsOf(db, stack, 'oldest')).toBe(0)
})

test('a rate-limited page waits for the time of the answer, and keeps its events', async ({ db }) => {
  const storage = {}
  const made = { name: 'slow', scopes: ['ingest'], isPublishable: true, origins: [ORIGIN], sellerId: null } as const
  const slow = await createApiKey(db, { ...made, requestsPerMinute: 1 })
  const page = open({ storage, key: slow.text })
  // The gateway may need a second to know the key.
  page.track('view', 'slow')
  expect(await isSent(storage)).toBe(true)
  page.track('view', 'slow')
  const isLimited = () => JSON.stringify(page.warnings).includes('rate_limited')
  expect(await until(async () => isLimited(), 30_000)).toBe(true)
  expect(await until(async () => page.pausesMs.at(-1)! > 10_000, 30_000)).toBe(true)
  expect(eventsIn(storage)).toHaveLength(1)
})

test('events of a page of another origin are not recorded, and stay in its storage', async ({ db, stack }) => {
  const storage = {}
  const page = open({ storage, origin: 'https://elsewhere.example' })
  page.track('view', 'elsewhere')
  expect(await until(async () => page.bodies.length > 2, 30_000)).toBe(true)
  expect(eventsIn(storage)).toHaveLength(1)
  await page.hide()
  expect(page.beacons).not.toEqual([NOTHING_LEFT])
  expect(await viewsOf(db, stack, 'elsewhere')).toBe(0)
})
