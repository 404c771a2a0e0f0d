import { type AddressInfo, createServer } from 'node:net'
import { expect, test as base } from 'vitest'
import { createWebhookSender } from '../../src/external/webhook-sender.ts'
import { requireSignature } from '../../src/gateway/access/webhook-signature.ts'
import { startWebhookReceiver } from '../harness/servers/webhook-receiver.ts'

const test = base.extend('receiver', async ({}, { onCleanup }) => {
  const receiver = await startWebhookReceiver()
  onCleanup(receiver.stop)
  return receiver
})

const HOOK = { deliveryId: 'd-1', body: '{"facts":{"name":"Ünï"}}', secrets: ['the newer secret', 'the older secret'] }
const send = createWebhookSender({ allowsPrivate: true })

test('a webhook is signed with each valid secret, over its exact bytes', async ({ receiver }) => {
  expect(await send({ ...HOOK, url: `${receiver.url}?a=b` })).toEqual({ status: 204 })
  const [{ headers, text, path }] = receiver.received as [(typeof receiver.received)[0]]
  expect({ text, path }).toEqual({ text: HOOK.body, path: '/hook?a=b' })
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'x-delivery-id': 'd-1',
    host: `127.0.0.1:${receiver.port}`,
  })
  const header = headers['x-signature']
  for (const secret of HOOK.secrets) {
    requireSignature({ name: 'x-signature', header, body: Buffer.from(text), secrets: [secret], nowMs: Date.now() })
  }
  const other = { name: 'x-signature', header, body: Buffer.from(text), secrets: ['another secret'], nowMs: Date.now() }
  expect(() => requireSignature(other)).toThrow(/not the signature/)
})

test('a redirect is not followed, and its target is never asked', async ({ receiver }) => {
  for (const status of [301, 302, 303, 307, 308]) {
    receiver.answer((response) => response.writeHead(status, { location: receiver.url }).end())
    expect(await send({ ...HOOK, url: receiver.url })).toEqual({ status, error: expect.stringMatching(/redirect/) as string })
  }
  expect(receiver.received).toHaveLength(5)
})

test('only a status of 200 to 299 is taken', async ({ receiver }) => {
  for (const [status, error] of [
    [200, undefined],
    [299, undefined],
    [400, 'answered 400'],
    [410, 'answered 410'],
    [500, 'answered 500'],
  ] as const) {
    receiver.answer((response) => response.writeHead(status).end('the text of the receiver'))
    expect(await send({ ...HOOK, url: receiver.url })).toEqual({ status, ...(error !== undefined && { error }) })
  }
})

test('a receiver that does not answer, or never ends its answer, is given up in time', async ({ receiver }) => {
  const impatient = createWebhookSender({ allowsPrivate: true, sendingMsMax: 200 })
  receiver.answer(() => undefined)
  expect(await impatient({ ...HOOK, url: receiver.url })).toEqual({ status: null, error: 'no answer within 0.2 s' })
  receiver.answer((response) => response.writeHead(200).write('a part'))
  expect(await impatient({ ...HOOK, url: receiver.url })).toEqual({ status: null, error: 'no answer within 0.2 s' })
  const stuck = createWebhookSender({ allowsPrivate: true, sendingMsMax: 200, resolve: () => new Promise(() => undefined) })
  expect(await stuck({ ...HOOK, url: 'http://receiver.test/' })).toEqual({ status: null, error: 'no answer within 0.2 s' })
})

test.for([
  ['its head', 'HTTP/1.1 200 OK\r\nx-long: ', 'x'],
  ['its body', 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n', 'x'],
  ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
  ['interim answers', '', 'HTTP/1.1 102 Processing\r\n\r\n'],
] as const)('a receiver that sends %s bit by bit is given up in time', async ([, start, bit]) => {
  const server = createServer((socket) => {
    socket.write(start)
    const timer = setInterval(() => socket.write(bit), 10)
    socket.on('close', () => clearInterval(timer)).on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const impatient = createWebhookSender({ allowsPrivate: true, sendingMsMax: 200 })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  expect(await impatient({ ...HOOK, url })).toEqual({ status: null, error: 'no answer within 0.2 s' })
  // It ends only when the sender has closed its connection.
  await new Promise((resolve) => server.close(resolve))
})

test.for([
  ['HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', { status: 101, error: 'answered 101' }],
  ['HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello', { status: null, error: 'ECONNRESET: aborted' }],
  ['HTTP/1.1 200 OK\r\n\r\nhello', { status: 200 }],
  ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', { status: 200 }],
  ['HTTP/1.1 100 Continue\r\n\r\n', { status: null, error: 'ECONNRESET: socket hang up' }],
  ['', { status: null, error: 'ECONNRESET: socket hang up' }],
  ['SSH-2.0-OpenSSH\r\n', { status: null, error: expect.stringMatching(/^HPE_INVALID/) as string }],
] as const)('a receiver that ends the connection after %j', async ([answer, sent]) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).once('data', () => socket.end(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  expect(await send({ ...HOOK, url })).toEqual(sent)
  await new Promise((resolve) => server.close(resolve))
})

test('a receiver that wants a pause says for how long', async ({ receiver }) => {
  for (const status of [429, 503, 500]) {
    receiver.answer((response) => response.writeHead(status, { 'retry-after': '30' }).end())
    const pause = status !== 500 && { retryAfterSeconds: 30 }
    expect(await send({ ...HOOK, url: receiver.url })).toEqual({ status, error: `answered ${status}`, ...pause })
  }
})

test('an answer without end is cut off, and its status counts', async ({ receiver }) => {
  receiver.answer((response) => {
    response.writeHead(200)
    const write = () => {
      while (!response.destroyed && response.write('x'.repeat(16_384)));
    }
    response.on('drain', write)
    write()
  })
  expect(await send({ ...HOOK, url: receiver.url })).toEqual({ status: 200 })
})

test('headers of an answer are bounded', async ({ receiver }) => {
  receiver.answer((response) => response.writeHead(200, { long: 'x'.repeat(32_768) }).end())
  expect(await send({ ...HOOK, url: receiver.url })).toMatchObject({
    status: null,
    error: expect.stringMatching(/HPE_HEADER_OVERFLOW/) as string,
  })
})

test('a name that resolves to a private address is refused without a connection', async ({ receiver }) => {
  const address = (text: string, family = 4) => ({ address: text, family })
  for (const addresses of [
    [address('127.0.0.1')],
    [address('8.8.8.8'), address('127.0.0.1')],
    [address('::1', 6)],
    [address('::ffff:127.0.0.1', 6)],
    [address('169.254.169.254')],
  ]) {
    const guarded = createWebhookSender({ allowsPrivate: false, resolve: async () => addresses })
    expect(await guarded({ ...HOOK, url: `http://receiver.test:${receiver.port}/` })).toEqual({
      status: null,
      error: expect.stringMatching(/private network/) as string,
    })
  }
  const guarded = createWebhookSender({ allowsPrivate: false })
  expect(await guarded({ ...HOOK, url: receiver.url })).toMatchObject({ status: null })
  expect(receiver.received).toEqual([])
})

test('the connection goes to the address that was checked, and the name is resolved once', async ({ receiver }) => {
  const asked: string[] = []
  const resolving = createWebhookSender({
    allowsPrivate: true,
    resolve: async (host) => {
      asked.push(host)
      // A second look-up would find nothing that answers.
      return [{ address: asked.length === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }]
    },
  })
  const url = `http://Receiver.test:${receiver.port}/`
  expect(await resolving({ ...HOOK, url })).toEqual({ status: 204 })
  expect(asked).toEqual(['receiver.test'])
  expect(receiver.received[0]!.headers.host).toBe(`receiver.test:${receiver.port}`)
})

test('a receiver that is not there is an error without its secret', async () => {
  const sent = await send({ ...HOOK, url: 'http://127.0.0.1:9/' })
  expect(sent).toMatchObject({ status: null, error: expect.stringMatching(/ECONNREFUSED/) as string })
  expect(JSON.stringify(sent)).not.toMatch(/secret/)
})
