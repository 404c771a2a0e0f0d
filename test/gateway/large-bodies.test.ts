import { expect, test } from 'vitest'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import type { RequestEvents } from '../../src/gateway/recording/flush.ts'
import type { PaymentAdapter } from '../../src/contract/payment-adapter.ts'
import { createRejectionBudget } from '../../src/gateway/recording/rejection-budget.ts'
import type { Recording } from '../../src/gateway/recording/ways.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { until } from '../../src/main/embedded/until.ts'
import { headOf, rawConnection } from '../harness/clients/raw-request.ts'
import { SECRET_KEY, withKey } from '../harness/items/known-key.ts'
import { SETTINGS } from '../harness/servers/gateway.ts'
import { offlineGateway, type OfflineGateway } from '../harness/servers/offline-gateway.ts'

const PATH = '/api/v1/analytic/interaction'
const BYTES = 16 * 1024 * 1024

/** `unit` between `head` and `tail`, with commas, up to 16 MiB. */
function filled(head: string, unit: string, tail: string): string {
  const times = Math.floor((BYTES - head.length - tail.length) / (unit.length + 1))
  return head + `${unit},`.repeat(times).slice(0, -1) + tail
}

const ATTACKS: [what: string, body: string, message: RegExp][] = [
  ['5.6 million items', filled('{"interactions":[', '{}', ']}'), /^interactions: must have at most 10000 items$/],
  [
    'an item with 1.2 million keys',
    filled('{"interactions":[{', '"key123":1', '}]}'),
    /^interactions\.0: has more than 16384 values$/,
  ],
  [
    '8 million nested lists',
    `{"interactions":[${'['.repeat(8e6)}${']'.repeat(8e6)}]}`,
    /^interactions\.0: has more than 16384 values$/,
  ],
  ['an endless nesting', `{"interactions":[${'{"a":'.repeat(3e6)}`, /^interactions\.0: has more than 16384 values$/],
  ['1.2 million fields', filled('{', '"field123":1', '}'), /^the body has more than 16384 values$/],
  ['a list instead of an object', filled('[', '{}', ']'), /^the body has more than 16384 values$/],
  ['a string without an end', `{"interactions":["${'x'.repeat(16e6)}`, /^the body is not JSON: it breaks off$/],
  ['nothing but blanks', ' '.repeat(16e6), /^the body is not JSON: /],
]

test.for(ATTACKS)('%s are refused, and the next request is answered', async ([, body, message]) => {
  await using gateway = await offlineGateway()
  const { status, error } = await post(gateway, body)
  expect([status, error?.code]).toEqual([400, 'invalid_request'])
  expect(error?.message).toMatch(message)
  expect((await gateway.app.inject('/health')).statusCode).toBe(200)
})

interface Answered {
  status: number
  error?: { code: string; message: string; details?: { events?: unknown[] } }
  data?: CreateInteractionResponse
}

async function post(gateway: OfflineGateway, payload: string, path = PATH, more: Record<string, string> = {}): Promise<Answered> {
  const headers = { 'content-type': 'application/json', ...more }
  const { statusCode: status, body } = await gateway.app.inject({ url: path, method: 'POST', headers, payload })
  return { status, ...(JSON.parse(body) as object) }
}

const pad = 'x'.repeat(200)
const EVENT = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'p', metadata: { pad } }
const LARGE = JSON.stringify({ interactions: Array(3_000).fill(EVENT) })

/** Recording that keeps what it is given, and answers when the test says so. */
function heldRecording(secretBytes = 1) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const given: RequestEvents[] = []
  const record = async (events: RequestEvents): Promise<CreateInteractionResponse> => {
    given.push(events)
    await promise
    return { accepted: events.count, duplicates: 0, duplicate_indexes: [], rejected: [] }
  }
  const ways = { groupCommit: { record, length: () => ({ requests: 0, events: 0, bytes: 0, flushes: 0 }) } }
  const rejections = createRejectionBudget({ secretBytes, publishableBytes: 1, addressBytes: 1 })
  const recording = { ways: { interaction: ways, analytics_event: ways }, rejections } as unknown as Recording
  return { given, answer: resolve, recording }
}

test('a large body is recorded as a small one is', async () => {
  const { given, answer, recording } = heldRecording()
  answer()
  await using gateway = await offlineGateway({
    recording,
    settings: { ...SETTINGS, privacy: { ipAddress: 'truncate', userAgent: 'drop' } },
  })
  const event = { event_id: '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11', ip_address: '203.0.113.7', user_agent: 'x', ...EVENT }
  const bodyOf = (count: number) => `{"interactions":[${Array(count).fill(JSON.stringify(event)).join(',')}]}`
  expect(await post(gateway, bodyOf(1))).toMatchObject({ status: 200, data: { accepted: 1 } })
  expect(await post(gateway, bodyOf(3_000))).toMatchObject({ status: 200, data: { accepted: 3_000 } })
  const [small, large] = given.map(({ json }) => json.toString())
  expect(small).toContain('"ip_address":"203.0.113.0"')
  expect(small).not.toContain('user_agent')
  expect(large).toBe(Array(3_000).fill(small).join(','))
})

test('a large body of analytics events is recorded as it is', async () => {
  const { given, answer, recording } = heldRecording()
  answer()
  await using gateway = await offlineGateway({ recording })
  const event = { source: 'erp', payload: { pad }, nonsense: null }
  const { status } = await post(gateway, JSON.stringify({ events: Array(3_000).fill(event) }), '/api/v1/analytics-events')
  expect([status, given[0]!.count]).toEqual([200, 3_000])
  expect(given[0]!.json.toString()).toBe(Array(3_000).fill(JSON.stringify(event)).join(','))
})

test('of a large body the valid items are recorded when its key has used up the rejected events of the hour', async () => {
  const { given, answer, recording } = heldRecording()
  answer()
  await using gateway = await offlineGateway({ ...withKey(SECRET_KEY), recording })
  const body = JSON.stringify({ interactions: [{}, ...Array<object>(3_000).fill(EVENT), { ...EVENT, event_type: 'VIEW' }] })
  const { status, data } = await post(gateway, body, PATH, { authorization: 'Bearer k' })
  expect([status, data?.accepted, given[0]!.count]).toEqual([200, 3_000, 3_000])
  expect(data?.rejected.map(({ index, field }) => [index, field])).toEqual([
    [0, 'event_type'],
    [3_001, 'event_type'],
  ])
})

test('large bodies that are refused use up nothing of the rejected events of the hour', async () => {
  // Room for one body with 10,000 items.
  const { given, answer, recording } = heldRecording(LARGE.length + 2_000_000)
  answer()
  await using gateway = await offlineGateway({ ...withKey(SECRET_KEY), recording })
  const headers = { authorization: 'Bearer k' }
  expect((await post(gateway, LARGE.slice(0, -1), PATH, headers)).status).toBe(400)
  // An invalid event is left out only when nothing of the hour is left.
  const body = LARGE.replace('"view"', '"VIEW"')
  expect([(await post(gateway, body, PATH, headers)).status, given[0]!.count]).toEqual([200, 3_000])
})

test('when the outcome is unknown, the ids that the events of a large body were given are answered', async () => {
  await using gateway = await offlineGateway({ ingress: createIngress({ url: 'http://127.0.0.1:1', deadlineMs: 200 }) })
  const { status, error } = await post(gateway, LARGE)
  expect([status, error?.details?.events?.length]).toEqual([503, 3_000])
})

test('a body has its room until it is answered, also when its sender hangs up', async () => {
  const { given, answer, recording } = heldRecording()
  const bodies = { bytesMax: LARGE.length, clientBytesMax: LARGE.length }
  await using gateway = await offlineGateway({ recording, settings: { ...SETTINGS, bodies } })
  const port = await gateway.listen()
  const { send, socket } = await rawConnection(port)
  await send(headOf(PATH, { 'content-length': LARGE.length }) + LARGE)
  expect(await until(async () => given.length === 1, 10_000)).toBe(true)
  socket.destroy()
  const connections = () =>
    new Promise<number>((resolve) => void gateway.app.server.getConnections((_error, open) => resolve(open)))
  expect(await until(async () => (await connections()) === 0, 10_000)).toBe(true)
  expect(await post(gateway, LARGE)).toMatchObject({ status: 503, error: { message: expect.stringMatching('too much arrives') } })
  answer()
  expect(await until(async () => (await post(gateway, LARGE)).status === 200, 10_000)).toBe(true)
})

test('a search with more values than any valid one is refused', async () => {
  await using gateway = await offlineGateway()
  const body = `{"session_id":"s","query":"q","product_ids":[${'0,'.repeat(400_000)}0]}`
  expect(await post(gateway, body, '/api/v1/search')).toMatchObject({
    status: 400,
    error: { message: 'the body has more than 16384 values' },
  })
})

test('bodies of other routes are bounded by what these take', async () => {
  await using gateway = await offlineGateway()
  const large = ' '.repeat(1024 * 1024 + 1)
  expect(await post(gateway, large, '/api/v1/search')).toMatchObject({
    status: 413,
    error: { message: 'the body is over 1 MiB' },
  })
  expect(await post(gateway, large, '/api/v1/recomputations')).toMatchObject({
    status: 413,
    error: { message: 'the body is over 64 KiB' },
  })
})

test('a webhook with more values than any other is refused before it is parsed', async () => {
  const adapter: PaymentAdapter = { provider: 'own', isSigned: () => true, callbacksOf: () => [] }
  const ingress = createIngress({ url: 'http://127.0.0.1:1', deadlineMs: 100 })
  const settings = { ...SETTINGS, keepsIgnoredWebhooks: false }
  await using gateway = await offlineGateway({ ingress, settings, paymentWebhooks: { secrets: [], adapters: [adapter] } })
  const path = '/api/v1/orders/payment/callback/own'
  expect(await post(gateway, `[${'0,'.repeat(400_000)}0]`, path)).toMatchObject({
    status: 400,
    error: { message: 'the body has more than 65536 values' },
  })
  expect((await post(gateway, `[${'0,'.repeat(60_000)}0]`, path)).status).toBe(200)
})
