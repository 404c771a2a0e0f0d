import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { PaymentAdapter } from '../../src/contract/payment-adapter.ts'
import { signatureOf } from '../../src/external/webhook-signature.ts'
import { createBodyBudget } from '../../src/gateway/http/body-budget.ts'
import { readBody } from '../../src/gateway/http/read-body.ts'
import { until } from '../../src/main/embedded/until.ts'
import { headOf, rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { type GatewayChanges, PAYMENT_SECRET, SETTINGS } from '../harness/servers/gateway.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const INTERACTIONS = '/api/v1/analytic/interaction'
const CALLBACK = '/api/v1/orders/payment/callback'
const MEBIBYTE = 1024 * 1024

describe('the budget of bodies', () => {
  const limits = { bytesMax: 100, clientBytesMax: 60 }

  test('refuses what is beyond the limit of all, or of one client', () => {
    const budget = createBodyBudget(limits)
    budget.hold('a', 60)
    expect(() => budget.hold('a', 1)).toThrow('too much arrives here')
    budget.hold('b', 40)
    expect(() => budget.hold('c', 1)).toThrow('too much arrives here')
    expect(budget.held()).toBe(100)
  })

  test('has room again after a release, once', () => {
    const budget = createBodyBudget(limits)
    const hold = budget.hold('a', 50)
    hold.grow(10)
    expect(() => hold.grow(1)).toThrow('too much arrives here')
    hold.release()
    hold.release()
    expect(budget.held()).toBe(0)
    budget.hold('a', 60)
    expect(budget.held()).toBe(60)
  })
})

describe('a body', () => {
  const reading = (declaredBytes: number | undefined, limits = { bytesMax: 1_000, clientBytesMax: 1_000 }) => {
    const budget = createBodyBudget(limits)
    const hold = budget.hold('a', declaredBytes ?? 0)
    const stream = new PassThrough()
    const body = readBody(stream as unknown as IncomingMessage, { declaredBytes, bytesMax: 1_000, hold, paced: undefined })
    return { budget, stream, body }
  }

  test.for([undefined, 300])('in chunks of one byte is joined, its length declared as %s', async (declaredBytes) => {
    const { budget, stream, body } = reading(declaredBytes)
    const sent = Buffer.from(Array.from({ length: 300 }, (_, place) => place % 256))
    for (const byte of sent) stream.write(Buffer.of(byte))
    stream.end()
    expect(sent.equals(await body)).toBe(true)
    expect(budget.held()).toBe(300)
  })

  test('without a declared length is refused where it leaves the budget, or is too large', async () => {
    const beyond = reading(undefined, { bytesMax: 10, clientBytesMax: 10 })
    beyond.stream.write('x'.repeat(11))
    await expect(beyond.body).rejects.toMatchObject({ code: 'unavailable' })
    const large = reading(undefined, { bytesMax: 5_000, clientBytesMax: 5_000 })
    large.stream.write('x'.repeat(1_001))
    await expect(large.body).rejects.toMatchObject({ code: 'too_large' })
  })

  test('that breaks off is an error, before or while it is read', async () => {
    const { stream, body } = reading(10)
    stream.write('x')
    stream.destroy()
    await expect(body).rejects.toMatchObject({ code: 'invalid_request', message: 'the body breaks off' })
    const hold = createBodyBudget({ bytesMax: 10, clientBytesMax: 10 }).hold('a', 1)
    const gone = readBody(stream as unknown as IncomingMessage, {
      declaredBytes: 10,
      bytesMax: 10,
      hold,
      paced: undefined,
    })
    await expect(gone).rejects.toMatchObject({ message: 'the body breaks off' })
  })
})

test('requests that come in one piece, or byte by byte, are each read to their end', async () => {
  await using gateway = await offlineGateway()
  const port = await gateway.listen()
  const post = (body: string) => `${headOf(INTERACTIONS, { 'content-length': body.length })}${body}`
  const chunked = (body: string) =>
    headOf(INTERACTIONS, { 'transfer-encoding': 'chunked' }) + `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  const bodiless = (method: string) => `${method} /health HTTP/1.1\r\nhost: localhost\r\n\r\n`
  const sent = post('{"a":1}') + post('') + chunked('{"b":1}') + bodiless('HEAD') + bodiless('GET') + post('{"c":1}')
  for (const pieces of [[sent], Array.from(sent)]) {
    const { send, received, socket } = await rawConnection(port)
    for (const piece of pieces) await send(piece)
    expect(await until(async () => statusesIn(received()).length === 6, 10_000)).toBe(true)
    expect(statusesIn(received())).toEqual([400, 400, 400, 200, 200, 400])
    const fields = [...received().matchAll(/"field":"(\w)"|the body is (empty)/g)].map(([, field, empty]) => field ?? empty)
    expect(fields).toEqual(['a', 'empty', 'b', 'c'])
    socket.destroy()
  }
})

/** Two bodies of one client, and three in all. */
const ROOM = { bytesMax: 3 * MEBIBYTE, clientBytesMax: 2 * MEBIBYTE }
const behindProxy: GatewayChanges = { settings: { ...SETTINGS, trustedProxies: '127.0.0.1', bodies: ROOM } }

/** A connection whose body of 1 MiB stops after its first byte. */
async function stalled(port: number, path: string, headers: Record<string, string>) {
  const connection = await rawConnection(port)
  await connection.send(headOf(path, { ...headers, 'content-length': MEBIBYTE }))
  await connection.send('[')
  return connection
}

/** The status for a body that comes with its headers, and is refused because it is not JSON. */
async function statusOf(port: number, path: string, headers: Record<string, string>): Promise<number | undefined> {
  const { send, received, socket } = await rawConnection(port)
  const body = 'no JSON'
  await send(`${headOf(path, { ...headers, 'content-length': body.length })}${body}`)
  await until(async () => statusesIn(received()).length > 0 || socket.destroyed, 10_000)
  socket.destroy()
  return statusesIn(received())[0]
}

const from = (address: string) => ({ 'x-forwarded-for': address })

test('a client whose bodies do not arrive takes no room of others, and gets none after the limit', async () => {
  await using gateway = await offlineGateway(behindProxy)
  const port = await gateway.listen()
  const attacker = '2001:db8:1:2::'
  const held = []
  for (let place = 0; place < 2; place++) held.push(await stalled(port, INTERACTIONS, from(`${attacker}${place}`)))
  const { received } = await stalled(port, INTERACTIONS, from(`${attacker}ffff`))
  expect(await until(async () => statusesIn(received())[0] === 503, 10_000)).toBe(true)
  expect(await statusOf(port, INTERACTIONS, from('198.51.100.7'))).toBe(400)
  // Its room is free when its connections are gone.
  for (const { socket } of held) socket.destroy()
  const next = async () => {
    const { received: answer, send } = await stalled(port, INTERACTIONS, from(attacker))
    await send(']'.repeat(MEBIBYTE - 1))
    return (await until(async () => answer() !== '', 10_000)) && statusesIn(answer())[0] === 400
  }
  expect(await until(next, 10_000)).toBe(true)
})

const signed = (text = 'no JSON') => ({ 'x-signature': signatureOf(text, PAYMENT_SECRET, Date.now()) })

test('callbacks whose bodies do not arrive take no room of callers with a key, nor of callbacks of other addresses', async () => {
  await using gateway = await offlineGateway(behindProxy)
  const port = await gateway.listen()
  const attacks = await Promise.all(
    Array.from({ length: 20 }, () => stalled(port, CALLBACK, { ...from('203.0.113.1'), ...signed() })),
  )
  const refused = () => attacks.filter(({ received }) => statusesIn(received())[0] === 503).length
  expect(await until(async () => refused() >= 18, 10_000)).toBe(true)
  expect(await statusOf(port, INTERACTIONS, from('198.51.100.7'))).toBe(400)
  expect(await statusOf(port, INTERACTIONS, from('203.0.113.1'))).toBe(400)
  for (const { socket } of attacks) socket.destroy()
  expect(await until(async () => (await statusOf(port, CALLBACK, { ...from('203.0.113.1'), ...signed() })) === 400, 10_000)).toBe(
    true,
  )
})

const adapter: Omit<PaymentAdapter, 'provider'> = { isSigned: () => false, callbacksOf: () => [] }
const ADAPTERS: PaymentAdapter[] = [
  { ...adapter, provider: 'named', signatureHeader: 'x-proof' },
  { ...adapter, provider: 'unnamed' },
  { provider: 'ours', secrets: [PAYMENT_SECRET], callbacksOf: () => [] },
]
const OLD = `t=${Math.floor(Date.now() / 1_000) - 301},v1=${'a'.repeat(64)}`
const UNREAD: [what: string, path: string, headers: Record<string, string>][] = [
  ['no signature', CALLBACK, {}],
  ['a signature of another form', CALLBACK, { 'x-signature': 'sha256=abc' }],
  ['an old signature', CALLBACK, { 'x-signature': OLD }],
  ["no signature for an adapter of Footfall's own form", `${CALLBACK}/ours`, {}],
  ['no header that its adapter names', `${CALLBACK}/named`, {}],
]

test.for(UNREAD)('a callback with %s is refused before its body is sent', async ([_what, path, headers]) => {
  await using gateway = await offlineGateway({ paymentWebhooks: { secrets: [PAYMENT_SECRET], adapters: ADAPTERS } })
  const { send, received } = await rawConnection(await gateway.listen())
  await send(headOf(path, { ...headers, 'content-length': 2 * MEBIBYTE }))
  expect(await until(async () => received() !== '', 10_000)).toBe(true)
  expect(statusesIn(received())).toEqual([401])
})

test('a callback is refused before its body is sent where none are accepted', async () => {
  await using gateway = await offlineGateway({ paymentWebhooks: { secrets: [], adapters: [] } })
  const { send, received } = await rawConnection(await gateway.listen())
  await send(headOf(CALLBACK, { ...signed(), 'content-length': 2 * MEBIBYTE }))
  expect(await until(async () => received() !== '', 10_000)).toBe(true)
  expect(statusesIn(received())).toEqual([503])
})

test('webhooks of an adapter that names no header have room of their own', async () => {
  const paymentWebhooks = { secrets: [PAYMENT_SECRET], adapters: ADAPTERS }
  await using gateway = await offlineGateway({ ...behindProxy, paymentWebhooks })
  const port = await gateway.listen()
  for (const address of ['203.0.113.1', '203.0.113.2', '203.0.113.3']) await stalled(port, `${CALLBACK}/unnamed`, from(address))
  const { received } = await stalled(port, `${CALLBACK}/unnamed`, from('198.51.100.7'))
  expect(await until(async () => statusesIn(received())[0] === 503, 10_000)).toBe(true)
  // The body is read: the adapter says that it is not signed.
  expect(await statusOf(port, `${CALLBACK}/named`, { ...from('198.51.100.7'), 'x-proof': 'x' })).toBe(401)
  expect(await statusOf(port, CALLBACK, { ...from('198.51.100.7'), ...signed() })).toBe(400)
})

describe('connections', () => {
  const limited = (connectionsMax: number, clientConnectionsMax: number): GatewayChanges => ({
    settings: { ...SETTINGS, connections: { connectionsMax, clientConnectionsMax } },
  })
  const open = async (port: number) => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    await once(socket, 'connect')
    return socket.resume()
  }

  test('beyond the limit are closed without an answer', async () => {
    await using gateway = await offlineGateway(limited(2, 2))
    const port = await gateway.listen()
    const busy = [await stalled(port, INTERACTIONS, {}), await stalled(port, INTERACTIONS, {})]
    await once(await open(port), 'close')
    expect(busy.every(({ socket }) => !socket.destroyed)).toBe(true)
  })

  test('of one client beyond its limit are closed, and there is room again when one ends', async () => {
    await using gateway = await offlineGateway(limited(100, 2))
    const port = await gateway.listen()
    const busy = await stalled(port, INTERACTIONS, {})
    await stalled(port, INTERACTIONS, {})
    await once(await open(port), 'close')
    busy.socket.destroy()
    expect(await until(() => statusOf(port, INTERACTIONS, {}).then((status) => status === 400), 10_000)).toBe(true)
  })

  test('that are not used make room when the limit is reached', async () => {
    await using gateway = await offlineGateway(limited(2, 2))
    const port = await gateway.listen()
    for (let place = 0; place < 2; place++) {
      const { send, received } = await rawConnection(port)
      await send('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')
      expect(await until(async () => statusesIn(received())[0] === 200, 10_000)).toBe(true)
    }
    await once(await open(port), 'close')
    expect(await until(() => statusOf(port, INTERACTIONS, {}).then((status) => status === 400), 10_000)).toBe(true)
  })
})
