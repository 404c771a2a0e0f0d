import { Agent, request } from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import { once } from 'node:events'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { createApiKey } from '../../src/store/access/api-key.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { until } from '../../src/main/embedded/until.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const PATH = '/api/v1/analytic/interaction'
const SOCKETS_MAX = 1_000
const REQUESTS = 10_000

let key: string
test.beforeAll(async ({ db }) => {
  const made = { name: 'burst', scopes: ['ingest', 'read'], isPublishable: false, origins: [], sellerId: null } as const
  key = (await createApiKey(db, { ...made, requestsPerMinute: null })).text
})

const bodyOf = (product: string) =>
  JSON.stringify({ interactions: [{ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: product }] })

async function viewsOf(db: Database, stack: Stack, product: string): Promise<number> {
  await stack.settled()
  const { rows } = await sql<{ n: number }>`
    select coalesce(sum(view_count), 0)::int as n from product_popularity where product_id = ${product}`.execute(db)
  return rows[0]!.n
}

interface Answered {
  status: number | undefined
  retryAfter: string | undefined
}

function post(url: string, product: string, agent: Agent): Promise<Answered> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  return new Promise((resolve, reject) => {
    request(url + PATH, { method: 'POST', headers, agent }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve({ status: answer.statusCode, retryAfter: answer.headers['retry-after'] }))
    })
      .on('error', reject)
      .end(bodyOf(product))
  })
}

test.for([
  [REQUESTS, 'of a gateway whose queue has room for all', {}],
  [REQUESTS / 5, 'of a gateway whose queue is soon full', { queueEventsMax: 50, flushesMax: 1 }],
] as const)(
  '%i concurrent requests %s are answered 200 or 503, and those with 200 are counted',
  async ([requests, name, limits], { db, database, stack }) => {
    const burst = await startGateway(database.url, stack, { limits })
    const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX })
    const product = `burst-${name.length}`
    const answers = await Promise.all(Array.from({ length: requests }, () => post(burst.url, product, agent)))
    agent.destroy()
    const refused = answers.filter(({ status }) => status === 503)
    expect(answers.every(({ status }) => status === 200 || status === 503)).toBe(true)
    expect(refused.every(({ retryAfter }) => Number(retryAfter) > 0)).toBe(true)
    if (Object.keys(limits).length > 0) expect(refused.length).toBeGreaterThan(0)
    expect(await viewsOf(db, stack, product)).toBe(requests - refused.length)
    expect((await verify(db)).drift).toEqual([])
    await burst.stop()
  },
)

async function open(gateway: TestGateway): Promise<{ socket: Socket; received: () => string }> {
  const socket = connectSocket(Number(new URL(gateway.url).port), '127.0.0.1')
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()))
  // A server that has answered may reset the connection.
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return { socket, received: () => received }
}

const KEY = 'authorization: Bearer '

test.for([
  ['one header', `x-bomb: ${'x'.repeat(150_000)}\r\n`],
  ['3,000 headers', Array.from({ length: 3_000 }, (_, n) => `x-${n}: x\r\n`).join('')],
  ['a key', `${KEY}${'f'.repeat(150_000)}\r\n`],
] as const)(
  "%s beyond the limit is answered 431 in the contract's shape, and the connection closed",
  async ([_name, headers], { gateway }) => {
    const { socket, received } = await open(gateway)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(`GET /health HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`)
    await closed
    expect(received()).toMatch(
      /^HTTP\/1\.1 431 .*"code":"invalid_request","message":"the request has more than 16 KiB of address and headers, or more than 100 headers"/s,
    )
  },
)

test('endless headers are cut off, and other requests are answered', async ({ gateway }) => {
  const bombs = await Promise.all(Array.from({ length: 50 }, () => open(gateway)))
  const closed = bombs.map(({ socket }) => new Promise((resolve) => socket.once('close', resolve)))
  for (const { socket } of bombs) socket.write(`GET / HTTP/1.1\r\nhost: localhost\r\nx-bomb: ${'x'.repeat(1_000_000)}`)
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200)
  await Promise.all(closed)
})

test('requests that arrive byte by byte do not delay others', async ({ db, stack, gateway }) => {
  const head = `POST ${PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n`
  const body = bodyOf('trickle')
  const slow = await Promise.all(Array.from({ length: 200 }, () => open(gateway)))
  for (const [n, { socket }] of slow.entries()) {
    // Half of them never finish their headers.
    socket.write(n % 2 === 0 ? head : `${head}content-length: ${body.length}\r\n\r\n${body.slice(0, 1)}`)
  }
  const agent = new Agent({ keepAlive: true })
  for (let n = 0; n < 20; n++) expect(await post(gateway.url, 'quick', agent)).toMatchObject({ status: 200 })
  agent.destroy()
  // All are still open, and the rest of a body is still accepted.
  expect(slow.every(({ received }) => received() === '')).toBe(true)
  for (const [n, { socket }] of slow.entries()) {
    if (n % 2 === 0) socket.destroy()
    else socket.write(body.slice(1))
  }
  const isAnswered = async () => slow.filter(({ received }) => received().startsWith('HTTP/1.1 200')).length === 100
  expect(await until(isAnswered, 30_000)).toBe(true)
  for (const { socket } of slow) socket.destroy()
  expect(await viewsOf(db, stack, 'trickle')).toBe(100)
  expect(await viewsOf(db, stack, 'quick')).toBe(20)
})
