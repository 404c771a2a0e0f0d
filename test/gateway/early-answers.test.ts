import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import { chunkOf, headOf, rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { ONLY_KEYS, SECRET_KEY, withKey } from '../harness/items/known-key.ts'
import { SETTINGS } from '../harness/servers/gateway.ts'
import { offlineGateway, type OfflineGateway } from '../harness/servers/offline-gateway.ts'

const INTERACTIONS = '/api/v1/analytic/interaction'
const MEBIBYTE = 1024 * 1024
const BODY = Buffer.alloc(17 * MEBIBYTE, ' ')
const CHUNK = chunkOf(Buffer.alloc(MEBIBYTE, ' '))
const LAST_CHUNK = '0\r\n\r\n'

/** No key is ever right. */
const KEYS = { areUsed: true, find: () => undefined, ofId: () => undefined, origins: new Set<string>() }
const closed = { access: { ...ONLY_KEYS, keys: async () => KEYS } }
const full = { settings: { ...SETTINGS, bodies: { bytesMax: 1, clientBytesMax: 1 } } }

/** Answers that are known before the body has arrived. */
const EARLY: [status: number, path: string, headers: Record<string, string>, gateway: () => Promise<OfflineGateway>][] = [
  [413, INTERACTIONS, {}, () => offlineGateway()],
  [401, INTERACTIONS, {}, () => offlineGateway(closed)],
  [401, '/api/v1/orders/payment/callback', {}, () => offlineGateway()],
  [403, INTERACTIONS, { origin: 'https://shop.example' }, () => offlineGateway()],
  [404, '/api/v1/nowhere', {}, () => offlineGateway()],
  [405, '/health', {}, () => offlineGateway()],
]

test.for(EARLY)(
  'a %i for POST %s reaches a client that reads when it has sent its 17 MiB',
  async ([status, path, headers, start]) => {
    await using gateway = await start()
    const { send, received } = await rawConnection(await gateway.listen())
    await send(headOf(path, { ...headers, 'content-length': BODY.length }))
    await send(BODY)
    expect(await until(async () => statusesIn(received()).length > 0, 10_000)).toBe(true)
    expect(statusesIn(received())).toEqual([status])
  },
)

test('a 429 for a request beyond the rate of its key reaches a client that reads when it has sent its 17 MiB', async () => {
  await using gateway = await offlineGateway(withKey({ ...SECRET_KEY, requestsPerMinute: 1 }))
  const port = await gateway.listen()
  const answers = []
  for (let n = 0; n < 2; n++) {
    const { send, received } = await rawConnection(port)
    await send(headOf(INTERACTIONS, { authorization: 'Bearer k', 'content-length': BODY.length }))
    await send(BODY)
    expect(await until(async () => statusesIn(received()).length > 0, 10_000)).toBe(true)
    answers.push(...statusesIn(received()))
  }
  expect(answers).toEqual([413, 429])
})

test('a 503 for a body that has no room reaches a client that reads when it has sent its 15 MiB', async () => {
  await using gateway = await offlineGateway(full)
  const { send, received } = await rawConnection(await gateway.listen())
  await send(headOf(INTERACTIONS, { 'content-length': 15 * MEBIBYTE }))
  await send(BODY.subarray(0, 15 * MEBIBYTE))
  expect(await until(async () => received() !== '', 10_000)).toBe(true)
  expect(received()).toMatch(/^HTTP\/1\.1 503 .*retry-after: \d/s)
})

test('a 413 reaches a client that sends 17 MiB in chunks before it reads', async () => {
  await using gateway = await offlineGateway()
  const { send, received } = await rawConnection(await gateway.listen())
  await send(headOf(INTERACTIONS, { 'transfer-encoding': 'chunked' }))
  for (let sent = 0; sent < 17; sent++) await send(CHUNK)
  await send(LAST_CHUNK)
  expect(await until(async () => received() !== '', 10_000)).toBe(true)
  expect(statusesIn(received())).toEqual([413])
})

test('a client that wants its connection closed gets the 413 before it is', async () => {
  await using gateway = await offlineGateway()
  const { send, closed: end } = await rawConnection(await gateway.listen())
  await send(headOf(INTERACTIONS, { connection: 'close', 'content-length': BODY.length }))
  await send(BODY)
  expect(statusesIn(await end())).toEqual([413])
})

test.for(['content-length', 'transfer-encoding'])('fetch gets a 413 for 17 MiB with %s', async (framing) => {
  await using gateway = await offlineGateway()
  const url = `http://127.0.0.1:${await gateway.listen()}${INTERACTIONS}`
  const body = framing === 'content-length' ? BODY : new Blob([BODY]).stream()
  const headers = { 'content-type': 'application/json' }
  const request = { method: 'POST', headers, body, duplex: 'half' }
  const answer = await fetch(url, request)
  expect([answer.status, await answer.json()]).toEqual([
    413,
    { error: { code: 'too_large', message: 'the body is over 16 MiB' } },
  ])
})

const run = promisify(execFile)
const hasPython = await run('python3', ['--version']).then(
  () => true,
  () => false,
)
const URLLIB = `
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], data=b' ' * 17_000_000, headers={'content-type': 'application/json'})
try: urllib.request.urlopen(request)
except urllib.error.HTTPError as error: print(error.code, error.read().decode())
`

test.skipIf(!hasPython)("Python's urllib, which reads when it has sent everything, gets a 413", async () => {
  await using gateway = await offlineGateway()
  const { stdout } = await run('python3', ['-c', URLLIB, `http://127.0.0.1:${await gateway.listen()}${INTERACTIONS}`])
  expect(stdout).toMatch(/^413 .*"the body is over 16 MiB"/)
})

test('a client that waits for 100 Continue gets the 413 instead, and sends nothing', async () => {
  await using gateway = await offlineGateway()
  const { send, received } = await rawConnection(await gateway.listen())
  await send(headOf(INTERACTIONS, { expect: '100-continue', 'content-length': BODY.length }))
  expect(await until(async () => received() !== '', 10_000)).toBe(true)
  expect(received()).toMatch(/^HTTP\/1\.1 413 .*connection: close/s)
})

test('a client that waits for 100 Continue gets it before its body is read', async () => {
  await using gateway = await offlineGateway()
  const { send, received } = await rawConnection(await gateway.listen())
  await send(headOf(INTERACTIONS, { expect: '100-continue', 'content-length': 2 }))
  expect(await until(async () => received() !== '', 10_000)).toBe(true)
  expect(received()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  await send('{}')
  expect(await until(async () => statusesIn(received()).length === 2, 10_000)).toBe(true)
  expect(statusesIn(received())).toEqual([100, 400])
})

test('a request behind a body that was refused is read as what it is', async () => {
  await using gateway = await offlineGateway()
  const { send, received } = await rawConnection(await gateway.listen())
  await send(headOf(INTERACTIONS, { 'content-length': BODY.length }))
  await send(Buffer.concat([BODY, Buffer.from('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')]))
  expect(await until(async () => statusesIn(received()).length === 2, 10_000)).toBe(true)
  expect(received()).toMatch(/^HTTP\/1\.1 413 .*HTTP\/1\.1 200 .*\{"status":"ok"\}$/s)
})

test.for([
  ['that was read to its limit', INTERACTIONS, 32 + 17],
  ['that was not read', '/api/v1/nowhere', 32 + 1],
] as const)('a body without an end %s is cut off after 32 MiB', async ([_name, path, mebibytesMax]) => {
  await using gateway = await offlineGateway()
  const port = await gateway.listen()
  let read = () => 0
  gateway.app.server.on('connection', (socket) => (read = () => socket.bytesRead))
  const { send, socket } = await rawConnection(port)
  await send(headOf(path, { 'transfer-encoding': 'chunked' }))
  for (let sent = 0; sent < 100 && !socket.destroyed; sent++) await send(CHUNK)
  expect(socket.destroyed).toBe(true)
  expect(read() / MEBIBYTE).toBeGreaterThan(32)
  expect(read() / MEBIBYTE).toBeLessThan(mebibytesMax)
})

test('a client that stops in the middle of a refused body is cut off', async () => {
  await using gateway = await offlineGateway()
  const { send, closed: end } = await rawConnection(await gateway.listen())
  await send(headOf(INTERACTIONS, { 'content-length': BODY.length }))
  await send('{')
  expect(statusesIn(await end())).toEqual([413])
})

test('a refused body that has arrived as a whole leaves its connection open for the next request', async () => {
  await using gateway = await offlineGateway()
  const { send, received } = await rawConnection(await gateway.listen())
  const body = `{"query":"${'a'.repeat(500_000)}`
  await send(`${headOf('/api/v1/search', { 'content-length': body.length })}${body}`)
  expect(await until(async () => statusesIn(received()).length === 1, 10_000)).toBe(true)
  await send('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')
  expect(await until(async () => statusesIn(received()).length === 2, 10_000)).toBe(true)
  expect(statusesIn(received())).toEqual([400, 200])
})
