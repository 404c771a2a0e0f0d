import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { createBodyPace, type Purpose } from '../../src/gateway/http/body-pace.ts'
import { boundPipelining } from '../../src/gateway/http/pipelining.ts'
import { until } from '../../src/main/embedded/until.ts'
import { headOf, rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { type GatewayChanges, SETTINGS } from '../harness/servers/gateway.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

afterEach(() => void vi.restoreAllMocks())

/** A pace whose turns come when the test says so. */
function paceOf({ hasOthers }: { hasOthers: boolean }) {
  let next = () => undefined as void
  const resumed: string[] = []
  const paused: string[] = []
  const pace = createBodyPace({ hasOthers: () => hasOthers, later: (task) => (next = task) })
  return {
    paused,
    body: (caller: string, name: string, purpose: Purpose = 'read', complete = false) => {
      const socket = { pause: () => paused.push(name), resume: () => resumed.push(name) } as unknown as Socket
      return pace.enter(caller, { complete, socket }, purpose)
    },
    /** @returns whose next chunk is read. */
    next: () => {
      const task = next
      next = () => undefined
      resumed.length = 0
      task()
      return [...resumed]
    },
  }
}

test('next to others a caller has a chunk in a turn, and its bodies take turns', () => {
  const { body, next } = paceOf({ hasOthers: true })
  const [a1, a2, b1] = [body('a', 'a1'), body('a', 'a2'), body('b', 'b1')]
  for (const { wait } of [a1, a2, b1]) wait()
  expect(next()).toEqual(['a1', 'b1'])
  a1.wait()
  expect(next()).toEqual(['a2'])
  a2.wait()
  expect([next(), next(), next()]).toEqual([['a1'], ['a2'], []])
})

test('all callers together have four chunks in a turn, by turns', () => {
  const { body, next } = paceOf({ hasOthers: true })
  for (const caller of ['a', 'b', 'c', 'd', 'e', 'f'])
    for (const n of [1, 2]) body(caller, `${caller}${n}`, n === 1 ? 'drop' : 'read').wait()
  expect([next(), next(), next()]).toEqual([
    ['a2', 'b2', 'c2', 'd2'],
    ['e2', 'f2', 'a1', 'b1'],
    ['c1', 'd1', 'e1', 'f1'],
  ])
})

test('the bodies of the only caller are read without waiting, and sixteen chunks of refused ones are dropped in a turn', () => {
  const { body, next } = paceOf({ hasOthers: false })
  const read = body('a', 'read')
  read.wait()
  expect(read.isWaiting()).toBe(false)
  for (let n = 0; n < 20; n++) body('a', `d${n}`, 'drop').wait()
  expect(next()).toHaveLength(16)
  expect(next()).toEqual(['d16', 'd17', 'd18', 'd19'])
})

test('a body that is recorded comes before refused ones, and a refused one is dropped to its end before the next', () => {
  const { body, next } = paceOf({ hasOthers: true })
  const [d1, d2, r1] = [body('a', 'd1', 'drop'), body('a', 'd2', 'drop'), body('a', 'r1')]
  for (const { wait } of [d1, d2]) wait()
  expect(next()).toEqual(['d1'])
  for (const { wait } of [d1, r1]) wait()
  expect(next()).toEqual(['r1'])
  expect(next()).toEqual(['d1'])
  d1.wait()
  expect(next()).toEqual(['d1'])
  expect(next()).toEqual(['d2'])
})

test('a body that ends leaves the line', () => {
  const { body, next } = paceOf({ hasOthers: true })
  const [a1, a2] = [body('a', 'a1'), body('a', 'a2')]
  for (const { wait } of [a1, a2]) wait()
  a1.leave()
  expect(a1.isWaiting()).toBe(false)
  expect(next()).toEqual(['a2'])
})

test('a body that has arrived does not wait, and does not touch its connection, which brings the next request', () => {
  const { body, next, paused } = paceOf({ hasOthers: true })
  for (const purpose of ['read', 'drop'] as const) {
    const arrived = body('a', purpose, purpose, true)
    arrived.wait()
    expect(arrived.isWaiting()).toBe(false)
    arrived.leave()
  }
  expect([paused, next()]).toEqual([[], []])
})

test('the pieces of a body that has arrived keep the other bodies of its caller waiting', () => {
  const { body, next } = paceOf({ hasOthers: true })
  const arrived = body('a', 'arrived', 'read', true)
  for (let piece = 0; piece < 200; piece++) arrived.wait()
  body('a', 'a1').wait()
  expect([next(), next(), next()]).toEqual([[], [], ['a1']])
})

test('each hundred pieces that come together keep their caller waiting for a turn more', () => {
  const { body, next } = paceOf({ hasOthers: true })
  const { wait } = body('a', 'a1')
  for (let piece = 0; piece < 350; piece++) wait()
  expect([next(), next(), next(), next()]).toEqual([[], [], [], ['a1']])
})

test('the only caller waits too, and for as many turns, when its pieces are small', () => {
  const { body, next } = paceOf({ hasOthers: false })
  const { wait, isWaiting } = body('a', 'a1')
  for (let piece = 0; piece < 99; piece++) wait()
  expect(isWaiting()).toBe(false)
  for (let piece = 0; piece < 250; piece++) wait()
  expect(isWaiting()).toBe(true)
  expect([next(), next(), next()]).toEqual([[], [], ['a1']])
})

const MEBIBYTE = 1024 * 1024
const BODY_BYTES = 2 * MEBIBYTE
const SENDERS = 8
const CHUNK_BYTES = 64 * 1024
const noRoom = { bytesMax: 1, clientBytesMax: 1 }
const behindProxy = (bodies: typeof noRoom): GatewayChanges => ({
  settings: { ...SETTINGS, trustedProxies: '127.0.0.1', bodies },
})

test.for([
  ['refused', noRoom, 503],
  ['that are not JSON', SETTINGS.bodies, 400],
] as const)(
  'of the bodies of a caller, %s, a turn of the event loop reads one chunk while another caller sends',
  async ([_what, bodies, status]) => {
    // The other caller has always just sent.
    vi.spyOn(performance, 'now').mockReturnValue(1_000)
    await using gateway = await offlineGateway(behindProxy(bodies))
    const port = await gateway.listen()
    const sockets: Socket[] = []
    gateway.app.server.on('connection', (socket) => sockets.push(socket))
    await gateway.app.inject({ url: '/api/v1/nowhere', remoteAddress: '198.51.100.7' })
    const read = () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
    const senders = await Promise.all(Array.from({ length: SENDERS }, () => rawConnection(port)))
    const head = headOf('/api/v1/analytic/interaction', { 'x-forwarded-for': '203.0.113.1', 'content-length': BODY_BYTES })
    for (const { send } of senders) await send(head)
    for (const { socket } of senders) socket.write(Buffer.alloc(BODY_BYTES, ' '))
    let turns = 0
    for (let before = read(); before < SENDERS * (head.length + BODY_BYTES); before = read()) {
      await turn()
      if (read() > before) turns++
    }
    // Of each body two chunks may be read before it has begun.
    expect(turns).toBeGreaterThan(SENDERS * (BODY_BYTES / CHUNK_BYTES - 3))
    expect(await until(async () => senders.every(({ received }) => statusesIn(received())[0] === status), 10_000)).toBe(true)
  },
)

const CHUNKED = headOf('/api/v1/analytic/interaction', { 'transfer-encoding': 'chunked' })

test('a body in thousands of chunks of a byte is refused and cut off; 999 are read', async () => {
  await using gateway = await offlineGateway()
  const port = await gateway.listen()
  const few = await rawConnection(port)
  await few.send(`${CHUNKED}${'1\r\n \r\n'.repeat(998)}2\r\n{}\r\n0\r\n\r\n`)
  expect(await until(async () => statusesIn(few.received()).length === 1, 10_000)).toBe(true)
  expect(few.received()).not.toContain('chunks')

  const many = await rawConnection(port)
  await many.send(`${CHUNKED}${'1\r\n \r\n'.repeat(64_000)}`)
  const answer = await many.closed()
  expect(statusesIn(answer)).toEqual([400])
  expect(answer).toContain('the body comes in chunks of a few bytes')
})

test('of a chunked body no more arrives before it is read than came with its head', async () => {
  const server = createServer()
  let held: IncomingMessage | undefined
  server.on('request', (request) => void (held = request))
  boundPipelining(server, { isBehindProxy: false })
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { socket } = await rawConnection((server.address() as AddressInfo).port)
  onTestFinished(() => void socket.destroy())
  const bytes = `${CHUNKED}${'1\r\n \r\n'.repeat(64_000)}0\r\n\r\n`
  socket.write(bytes)
  expect(await until(async () => held !== undefined, 10_000)).toBe(true)
  for (let n = 0; n < 100; n++) await turn()
  expect(held!.socket.bytesRead).toBeLessThanOrEqual(2 * 65_536)
  expect(held!.complete).toBe(false)
  held!.resume()
  await once(held!, 'end')
  expect(held!.socket.bytesRead).toBe(bytes.length)
})
