import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request as requestOf,
  type Server,
  type ServerResponse,
} from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { freePorts } from '../../src/main/embedded/ports.ts'
import { serveMetrics } from '../../src/main/metrics/serve.ts'
import { guard } from '../../src/main/guard/guarded-server.ts'

const MIB = 1024 * 1024

let folder: string
let port: number
let guarded: Server
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-guard-'))
  port = (await freePorts(1))[0]!
  guarded = await guard({ port, listener: { socketPath: join(folder, 'restate.sock') }, links: 'refused' })
})
afterEach(async () => {
  guarded.closeAllConnections()
  guarded.close()
  await rm(folder, { recursive: true })
})

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A server in the place of Restate, which ends with the test. It asks for bodies, unless `onContinue` does something else. */
async function restate(answer: Answer, onContinue?: Answer): Promise<Server> {
  const asking: Answer = (request, response) => {
    response.writeContinue()
    answer(request, response)
  }
  const server = createServer(answer)
    .on('checkContinue', onContinue ?? asking)
    .listen(join(folder, 'restate.sock'))
  await once(server, 'listening')
  onTestFinished(() => end(server))
  return server
}

async function end(server: Server): Promise<void> {
  if (!server.listening) return
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}

/** A request to the guard, which its test writes and ends. */
function begin(method: string, headers: Record<string, string> = {}, path = '/Analytic/CreateInteraction'): ClientRequest {
  return requestOf({ host: '127.0.0.1', port, method, path, headers, agent: false }).on('error', () => undefined)
}

async function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  return answer
}

test('a request and its answer are passed on as they are, without the headers of the connection', async () => {
  await restate((request, response) => {
    const { method, url, rawHeaders } = request
    response.writeHead(202, 'Taken', ['X-Twice', 'a', 'X-Twice', 'b', 'Content-Type', 'application/json'])
    void text(request).then((body) => response.end(JSON.stringify({ method, url, rawHeaders, body })))
  })
  const request = begin('POST', { 'Idempotency-Key': 'k', te: 'trailers' }, '/a%2Fb/c?d=%20')
  request.write('one ')
  request.end('two')
  const answer = await answerTo(request)
  const { rawHeaders, ...seen } = JSON.parse(await text(answer)) as { rawHeaders: string[] }
  expect(seen).toEqual({ method: 'POST', url: '/a%2Fb/c?d=%20', body: 'one two' })
  expect(rawHeaders).toEqual(expect.arrayContaining(['Idempotency-Key', 'k', 'Host', `127.0.0.1:${port}`]))
  expect(rawHeaders).not.toContain('te')
  expect([answer.statusCode, answer.statusMessage, answer.headers['x-twice']]).toEqual([202, 'Taken', 'a, b'])
})

test.each([
  [{ host: 'evil.test' }],
  [{ host: 'evil@localhost' }],
  [{ origin: 'http://evil.test' }],
  [{ origin: 'null' }],
  [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
  [{ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }],
])('a request with %j does not reach Restate', async (headers) => {
  const reached = vi.fn<Answer>((_, response) => void response.end())
  await restate(reached)
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    const answer = await answerTo(begin(method, { ...headers, expect: '100-continue' }).end())
    expect([answer.statusCode, answer.headers['access-control-allow-origin']]).toEqual([403, undefined])
    answer.resume()
  }
  expect(reached).not.toHaveBeenCalled()
})

test.each([
  ['127.0.0.1', 403],
  ['0.0.0.0', 200],
])('metrics that listen on %s answer %i to a name of another machine', async (host, status) => {
  const registry = { contentType: 'text/plain', metrics: async () => 'up 1\n' }
  const [free] = (await freePorts(1)) as [number]
  const server = await serveMetrics(registry, { host, port: free, isHealthy: () => true })
  onTestFinished(() => end(server))
  for (const path of ['/metrics', '/health']) {
    const named = await answerTo(requestOf({ host: '127.0.0.1', port: free, path, headers: { host: 'evil.test' } }).end())
    const own = await answerTo(requestOf({ host: '127.0.0.1', port: free, path }).end())
    expect([named.resume().statusCode, own.resume().statusCode]).toEqual([status, 200])
  }
})

test('heads that are too large or have too many headers reach neither Restate nor the metrics', async () => {
  const reached = vi.fn<Answer>((_, response) => void response.end())
  await restate(reached)
  const [free] = (await freePorts(1)) as [number]
  const metrics = vi.fn<() => Promise<string>>(async () => 'up 1\n')
  const server = await serveMetrics(
    { contentType: 'text/plain', metrics },
    { host: '127.0.0.1', port: free, isHealthy: () => true },
  )
  onTestFinished(() => end(server))
  const many = Array.from({ length: 150 }, (_, n) => `x${n}: y\r\n`).join('')
  for (const to of [port, free]) {
    for (const headers of [many, `x-large: ${'x'.repeat(17_000)}\r\n`]) {
      const socket = connect(to, '127.0.0.1')
      socket.write(`GET /metrics HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`)
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 431 /)
    }
  }
  expect([reached, metrics].map((each) => each.mock.calls.length)).toEqual([0, 0])
})

test('every request of a connection is checked', async () => {
  const urls: string[] = []
  await restate((request, response) => void response.end(urls.push(request.url!).toString()))
  const socket = connect(port, '127.0.0.1')
  const head = (path: string, host: string) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
  socket.write(head('/1', 'localhost') + head('/2', 'localhost') + head('/3', 'evil.test'))
  expect((await text(socket)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 403'])
  expect(urls).toEqual(['/1', '/2'])
})

test('both directions are streams', async () => {
  await restate((request, response) => void request.once('data', () => response.write('begun')).pipe(response))
  const request = begin('POST', { 'content-length': String(MIB + 5) })
  request.write('first')
  const answer = await answerTo(request)
  const [first] = (await once(answer, 'data')) as [Buffer]
  expect(first.toString()).toContain('begun')
  request.end(Buffer.alloc(MIB))
  expect((await buffer(answer)).length).toBeGreaterThanOrEqual(MIB)
})

test('a slow reader holds up the answer, which is not kept in memory', async () => {
  let written = 0
  await restate((_, response) => {
    const fill = () => {
      while (response.write(Buffer.alloc(MIB))) written++
      written++
    }
    response.on('drain', fill)
    fill()
  })
  const answer = await answerTo(begin('GET').end())
  answer.pause()
  // The answer has no end. It comes to a halt when the buffers of the sockets are full.
  await vi.waitFor(() => expect(written).toBeGreaterThan(0))
  const before = process.memoryUsage().arrayBuffers
  for (let last = -1; last !== written; last = await afterRounds(written)) expect(written).toBeLessThan(64)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB)
  answer.destroy()
})

async function afterRounds(value: number): Promise<number> {
  for (let round = 0; round < 1_000; round++) await new Promise(setImmediate)
  return value
}

test('a client that expects 100 Continue sends its body when Restate asks for it, or not at all', async () => {
  await restate(
    () => expect.unreachable(),
    (request, response) => {
      if (request.headers['content-length'] !== '4') response.writeHead(413).end('too large')
      else {
        response.writeContinue()
        request.pipe(response)
      }
    },
  )
  const small = begin('POST', { expect: '100-continue', 'content-length': '4' })
  small.flushHeaders()
  await once(small, 'continue')
  small.end('body')
  expect(await text(await answerTo(small))).toBe('body')
  const large = begin('POST', { expect: '100-continue', 'content-length': '5' })
  large.on('continue', () => expect.unreachable()).flushHeaders()
  const answer = await answerTo(large)
  expect([answer.statusCode, await text(answer)]).toEqual([413, 'too large'])
  large.destroy()
})

test('the answer to a body that Restate does not read arrives, and the connection serves the next request', async () => {
  await restate(
    (_, response) => void response.end('next'),
    (_, response) => void response.writeHead(413).end('too large'),
  )
  const socket = connect(port, '127.0.0.1')
  const bytes = 8 * MIB
  socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`)
  socket.write(Buffer.alloc(bytes))
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 413 [^]*too large[^]*HTTP\/1\.1 200 [^]*next/)
})

test('Restate sees when a client hangs up, before its body has ended and after', async () => {
  const closed = vi.fn<() => void>()
  const begun = vi.fn<() => void>()
  await restate((request, response) => {
    request.resume()
    begun()
    response.on('close', closed)
  })
  for (const [place, isWhole] of [false, true].entries()) {
    const request = begin('POST', { 'content-length': '4' })
    if (isWhole) request.end('body')
    else request.write('bo')
    await vi.waitFor(() => expect(begun).toHaveBeenCalledTimes(place + 1))
    request.destroy()
    await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(place + 1))
  }
})

test('without Restate the answer is 503, and when it dies 502 or a broken connection', async () => {
  const away = await answerTo(begin('GET').end())
  expect([away.statusCode, JSON.parse(await text(away))]).toEqual([
    503,
    { message: expect.stringContaining('Restate does not answer'), source: 'guard' },
  ])
  await restate((request, response) => {
    if (request.method === 'PUT') response.write('part')
    setImmediate(() => request.socket.destroy())
  })
  const died = await answerTo(begin('GET').end())
  expect([died.statusCode, JSON.parse(await text(died))]).toEqual([
    502,
    { message: expect.stringContaining('whether it has the call is unknown'), source: 'guard' },
  ])
  await expect(answerTo(begin('PUT').end()).then(text)).rejects.toThrow('aborted')
})

test('connections to Restate are kept, and replaced when it starts again', async () => {
  const answer: Answer = (_, response) => void response.end('ok')
  const connected = vi.fn<() => void>()
  const ask = async () => text(await answerTo(begin('GET').end()))
  const first = (await restate(answer)).on('connection', connected)
  expect([await ask(), await ask(), await ask()]).toEqual(['ok', 'ok', 'ok'])
  expect(connected).toHaveBeenCalledTimes(1)
  await end(first)
  await restate(answer)
  expect(await ask()).toBe('ok')
})
