import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import { until } from '../../src/main/embedded/until.ts'
import { type BrowserPage, openPage, type PageOptions } from '../harness/clients/browser-page.ts'

const ORIGIN = 'https://shop.example'
const HOUR_MS = 3_600_000
/** Date has whole seconds, and the test's own steps take time. Less than half of the least that a clock is off here. */
const NEAR_MS = 25_000

interface Sent {
  event_id: string
  occurred_at: string
  sent_at?: string
}

/** A server that answers as the gateway does, with a date of the test's choice, and may lose its answers. */
let dateOf: () => string | undefined = () => undefined
let isLosing = false
const server = createServer((request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    if (isLosing) request.socket.destroy()
    const date = dateOf()
    response.sendDate = false
    if (date !== undefined) response.setHeader('date', date)
    response.setHeader('access-control-allow-origin', ORIGIN)
    response.end(JSON.stringify({ data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] } }))
  })
})
const pages: BrowserPage[] = []
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => void server.close())
beforeEach(() => {
  dateOf = () => new Date().toUTCString()
  isLosing = false
})
afterEach(() => {
  for (const page of pages.splice(0)) page.kill()
})

function open(changes: Partial<PageOptions>): BrowserPage {
  const { port } = server.address() as AddressInfo
  const page = openPage({ gatewayUrl: `http://127.0.0.1:${port}`, key: 'k', origin: ORIGIN, storage: {}, ...changes })
  pages.push(page)
  return page
}

const eventsOf = (body: string) => (JSON.parse(body) as { interactions: Sent[] }).interactions
const lastOf = (page: BrowserPage) => eventsOf(page.bodies.at(-1)!).at(-1)!

/** Tracks an event, and resolves to it when it was sent and answered. */
async function tracked(page: BrowserPage, storage: object): Promise<Sent> {
  const before = page.bodies.length
  page.track('view', 'lamp')
  const isDone = () => page.bodies.length > before && !Object.keys(storage).some((name) => name.startsWith('footfall:'))
  expect(await until(async () => isDone(), 30_000)).toBe(true)
  return lastOf(page)
}

test.each([
  ['ahead', 3 * HOUR_MS],
  ['behind', -40 * 24 * HOUR_MS],
  ['a minute ahead', 60_000],
])(
  'of a clock that is %s, the first event says when it was sent, and the next one has the right time',
  async (_name, clockAheadMs) => {
    const storage = {}
    const page = open({ storage, clockAheadMs })
    const first = await tracked(page, storage)
    expect(Math.abs(Date.parse(first.occurred_at) - Date.now() - clockAheadMs)).toBeLessThan(NEAR_MS)
    expect(Math.abs(Date.parse(first.sent_at!) - Date.now() - clockAheadMs)).toBeLessThan(NEAR_MS)
    const second = await tracked(page, storage)
    expect(Math.abs(Date.parse(second.occurred_at) - Date.now())).toBeLessThan(NEAR_MS)
    expect(second.sent_at).toBeUndefined()
    // Further pages of the shop know it too. The first one would send their events as well.
    page.kill()
    const third = await tracked(open({ storage, clockAheadMs }), storage)
    expect(Math.abs(Date.parse(third.occurred_at) - Date.now())).toBeLessThan(NEAR_MS)
  },
)

test('the first event is sent without a pause, and later events are sent together', async () => {
  const storage = {}
  const page = open({ storage })
  await tracked(page, storage)
  expect(page.pausesMs.slice(0, 2)).toEqual([1_000, 0])
  expect(page.pausesMs.filter((ms) => ms === 0)).toHaveLength(1)
})

test('the time of an event never changes, also when it is sent again after the clock was learnt', async () => {
  const storage: Record<string, string> = {}
  const page = open({ storage, clockAheadMs: HOUR_MS })
  isLosing = true
  page.track('view', 'lamp')
  expect(await until(async () => page.bodies.length > 1, 30_000)).toBe(true)
  isLosing = false
  const other = await tracked(open({ storage: {}, clockAheadMs: HOUR_MS }), {})
  expect(other).toBeDefined()
  expect(await until(async () => !Object.keys(storage).some((name) => name.startsWith('footfall:')), 30_000)).toBe(true)
  const identities = page.bodies.flatMap(eventsOf).map(({ event_id, occurred_at }) => `${event_id} ${occurred_at}`)
  expect(new Set(identities).size).toBe(1)
})

test.each([
  ['no date', () => undefined],
  ['no time as its date', () => 'soon'],
])('an answer with %s teaches nothing', async (_name, date) => {
  dateOf = date
  const storage = {}
  const page = open({ storage, clockAheadMs: HOUR_MS })
  for (let n = 0; n < 2; n++) {
    const { occurred_at, sent_at } = await tracked(page, storage)
    expect(Math.abs(Date.parse(occurred_at) - Date.now() - HOUR_MS)).toBeLessThan(NEAR_MS)
    expect(sent_at).toBeDefined()
  }
})

test('a right clock is not corrected by the part of a second that a date leaves out', async () => {
  const storage: Record<string, string> = {}
  const page = open({ storage })
  await tracked(page, storage)
  const beganMs = Date.now()
  page.track('view', 'lamp')
  const endedMs = Date.now()
  expect(await until(async () => page.bodies.length === 2, 30_000)).toBe(true)
  const timeMs = Date.parse(lastOf(page).occurred_at)
  expect(timeMs).toBeGreaterThanOrEqual(beganMs)
  expect(timeMs).toBeLessThanOrEqual(endedMs)
})

test('the difference is forgotten when the clock is set, or an hour later', async () => {
  for (const jumpMs of [-3 * HOUR_MS, 2 * HOUR_MS]) {
    const storage = {}
    const page = open({ storage, clockAheadMs: 3 * HOUR_MS })
    await tracked(page, storage)
    page.clock.aheadMs += jumpMs
    const { occurred_at, sent_at } = await tracked(page, storage)
    expect(sent_at).toBeDefined()
    expect(Math.abs(Date.parse(occurred_at) - Date.now() - page.clock.aheadMs)).toBeLessThan(NEAR_MS)
  }
})

test.each([-3 * HOUR_MS, 3 * HOUR_MS])('an answer teaches nothing when the clock is set by %d ms before it', async (jumpMs) => {
  const storage: Record<string, string> = {}
  const page = open({ storage })
  dateOf = () => {
    const date = new Date().toUTCString()
    page.clock.aheadMs += jumpMs
    return date
  }
  await tracked(page, storage)
  dateOf = () => new Date().toUTCString()
  expect(storage).not.toHaveProperty('footfall-clock')
  expect((await tracked(page, storage)).sent_at).toBeDefined()
  const { occurred_at } = await tracked(page, storage)
  expect(Math.abs(Date.parse(occurred_at) - Date.now())).toBeLessThan(NEAR_MS)
})

test.each([undefined, null])('a page whose localStorage is %s learns the time as long as it is open', async (storage) => {
  const page = open({ storage: storage as undefined, clockAheadMs: HOUR_MS })
  page.track('view', 'lamp')
  expect(await until(async () => page.bodies.length === 1 && page.pausesMs.length > 2, 30_000)).toBe(true)
  page.track('view', 'lamp')
  expect(await until(async () => page.bodies.length === 2, 30_000)).toBe(true)
  expect(Math.abs(Date.parse(lastOf(page).occurred_at) - Date.now())).toBeLessThan(NEAR_MS)
})

test('a beacon says when it was sent, too', async () => {
  const page = open({ clockAheadMs: HOUR_MS })
  isLosing = true
  page.track('view', 'lamp')
  await page.hide()
  const [event] = eventsOf(page.beacons[0]!)
  expect(Math.abs(Date.parse(event!.sent_at!) - Date.now() - HOUR_MS)).toBeLessThan(NEAR_MS)
  const { rows } = judgeInteractions([event], Date.now() + HOUR_MS, () => '')
  expect(rows).toMatchObject([{ eventId: event!.event_id, sentAtMs: Date.parse(event!.sent_at!) }])
})
