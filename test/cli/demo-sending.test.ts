import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { assertGateway, createGatewayClient } from '../../src/cli/demo/gateway-client.ts'
import { historyOf } from '../../src/cli/demo/history.ts'
import { shopOf } from '../../src/cli/demo/shop.ts'
import { freePorts } from '../../src/main/embedded/ports.ts'

const FOOTFALL = join(import.meta.dirname, '..', '..', 'src', 'main', 'footfall.js')
const PLAN = { days: 1, nowMs: Date.UTC(2026, 2, 1), rate: 0.01, hasCallbacks: false }
const EVENTS = historyOf(shopOf(1), PLAN).flatMap(({ kind, item }) => (kind === 'interaction' ? [item] : []))
const ALL_ACCEPTED = { accepted: EVENTS.length, duplicates: 0, duplicate_indexes: [], rejected: [] }

/** The answer to one request; undefined cuts the connection. */
type Reply = { status: number; body?: unknown; headers?: Record<string, string> } | 'cut'

const closings: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closings.splice(0)) await close()
})

/** A server that gives these answers one after the other, and keeps the requests. */
async function serverOf(replies: Reply[]) {
  const asked: { key: string | undefined; body: string }[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    asked.push({ key: request.headers.authorization, body: Buffer.concat(chunks).toString() })
    const reply = replies.shift() ?? 'cut'
    if (reply === 'cut') request.socket.destroy()
    else response.writeHead(reply.status, reply.headers).end(JSON.stringify(reply.body))
  }
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closings.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

function clientOf(gatewayUrl: string, key?: string) {
  const said: string[] = []
  const stopping = new AbortController()
  const client = createGatewayClient({ gatewayUrl, key, signal: stopping.signal, print: (line) => said.push(line) })
  return { client, said, stop: () => stopping.abort() }
}

const problem = (code: string, message: string) => ({ error: { code, message } })

test('a batch without an answer is sent again with the same bytes until it is answered', async () => {
  const { url, asked } = await serverOf([
    { status: 503, body: problem('unavailable', 'outcome unknown'), headers: { 'retry-after': '0' } },
    { status: 429, body: problem('rate_limited', 'too many requests'), headers: { 'retry-after': '0' } },
    'cut',
    { status: 200, body: { data: ALL_ACCEPTED } },
  ])
  const { client, said } = clientOf(url, 'ff_secret')
  expect(await client.record('interactions', EVENTS)).toEqual(ALL_ACCEPTED)
  expect(asked).toEqual(
    Array.from({ length: 4 }, () => ({ key: 'Bearer ff_secret', body: JSON.stringify({ interactions: EVENTS }) })),
  )
  const again = `sending the same ${EVENTS.length} events again in`
  expect(said).toEqual([
    `The gateway at ${url} answered 503 (outcome unknown); ${again} 0 s.`,
    `The gateway at ${url} answered 429 (too many requests); ${again} 0 s.`,
    expect.stringMatching(/^The gateway at \S+ does not answer \(\w+\); sending the same \d+ events again in 1 s\.$/),
  ])
})

test('without a key no key is sent, and a refusal ends the demo with what to do', async () => {
  const { url, asked } = await serverOf([{ status: 401, body: problem('unauthorized', 'a key is needed') }])
  const { client, said } = clientOf(url)
  await expect(client.record('interactions', EVENTS)).rejects.toThrow(
    `The gateway at ${url} answered 401 (a key is needed): give a key that may record and read, by --key or FOOTFALL_KEY.`,
  )
  expect(asked.map(({ key }) => key)).toEqual([undefined])
  expect(said).toEqual([])
})

test('a list that is temporarily unavailable is no failure; a forbidden list is', async () => {
  const { url } = await serverOf(['cut', { status: 503 }, { status: 403, body: problem('forbidden', 'not with this key') }])
  const { client } = clientOf(url)
  expect(await client.top()).toBeUndefined()
  expect(await client.top()).toBeUndefined()
  await expect(client.top()).rejects.toThrow('answered 403 (not with this key)')
})

test('the demo goes on without the right or the possibility to write the catalog', async () => {
  const { url, asked } = await serverOf([
    { status: 403, body: problem('forbidden', 'not with this key') },
    { status: 503 },
    { status: 200 },
  ])
  const { client } = clientOf(url, 'ff_secret')
  expect(await client.sell([])).toEqual({ problem: expect.stringContaining('answered 403 (not with this key)') })
  expect(await client.sell([])).toEqual({ problem: expect.stringContaining('answered 503') })
  expect(await client.sell([])).toBeUndefined()
  expect(asked.map(({ body }) => body)).toEqual(Array.from({ length: 3 }, () => '{"products":[]}'))
})

test('Ctrl-C ends the wait for a gateway that has stopped', async () => {
  const { url } = await serverOf([{ status: 503, headers: { 'retry-after': '60' } }])
  const { client, said, stop } = clientOf(url)
  const sending = client.record('interactions', EVENTS)
  await expect.poll(() => said).toHaveLength(1)
  stop()
  expect(await sending).toBeUndefined()
})

test('only a server that answers /health is taken for a gateway', async () => {
  const { url } = await serverOf([
    { status: 200, body: { status: 'ok' } },
    { status: 429, body: problem('rate_limited', 'later') },
    { status: 200, body: '<html>' },
    { status: 404 },
  ])
  await assertGateway(url)
  await assertGateway(url)
  await expect(assertGateway(url)).rejects.toThrow('is not a gateway of Footfall')
  await expect(assertGateway(url)).rejects.toThrow('is not a gateway of Footfall')
})

test('without a gateway, the command says in one sentence what to start', { timeout: 30_000 }, async () => {
  const [port] = await freePorts(1)
  const run = promisify(execFile)(process.execPath, [FOOTFALL, 'demo'], { env: { ...process.env, GATEWAY_PORT: String(port) } })
  await expect(run).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: `No gateway answers at http://127.0.0.1:${port} (ECONNREFUSED): run npm start first, or give the address with --gateway.\n`,
  })
})
