import { Agent, request } from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import { once } from 'node:events'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createApiKey } from '../../src/store/access/api-key.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { createDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { type Stack, startStack } from '../harness/servers/stack.ts'
import { until } from '../../src/main/embedded/until.ts'

const PATH = '/api/v1/analytic/interaction'
const SOCKETS_MAX = 1_000
const REQUESTS = 10_000

let database: TestDatabase
let stack: Stack
let gateway: TestGateway
let key: string
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
  stack = await startStack(database.db)
  const made = { name: 'burst', scopes: ['ingest', 'read'], isPublishable: false, origins: [], sellerId: null } as const
  key = (await createApiKey(database.db, { ...made, requestsPerMinute: null })).text
  gateway = await startGateway(database.url, stack)
})
afterAll(async () => {
  await gateway.stop()
  await stack.stop()
  await database.drop()
})

const bodyOf = (product: string) =>
  JSON.stringify({ interactions: [{ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: product }] })

async function viewsOf(product: string): Promise<number> {
  await stack.settled()
  const { rows } = await sql<{ n: number }>`
    select coalesce(sum(view_count), 0)::int as n from product_popularity where product_id = ${product}`.execute(database.db)
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

test.each([
  [REQUESTS, 'of a gateway whose queue has room for all', {}],
  [REQUESTS / 5, 'of a gateway whose queue is soon full', { queueEventsMax: 50, flushesMax: 1 }],
])(
  '%i requests at once %s are all answered 200 or 503, and as many are counted as were answered 200',
  async (requests, name, limits) => {
    const burst = await startGateway(database.url, stack, { limits })
    const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX })
    const product = `burst-${name.length}`
    const answers = await Promise.all(Array.from({ length: requests }, () => post(burst.url, product, agent)))
    agent.destroy()
    const refused = answers.filter(({ status }) => status === 503)
    expect(answers.every(({ status }) => status === 200 || status === 503)).toBe(true)
    expect(refused.every(({ retryAfter }) => Number(retryAfter) > 0)).toBe(true)
    if (Object.keys(limits).length > 0) expect(refused.length).toBeGreaterThan(0)
    expect(await viewsOf(product)).toBe(requests - refused.length)
    expect((await verify(database.db)).drift).toEqual([])
    await burst.stop()
  },
)

async function open(): Promise<{ socket: Socket; received: () => string }> {
  const socket = connectSocket(Number(new URL(gateway.url).port), '127.0.0.1')
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()))
  // A server that has said enough may reset the connection.
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return { socket, received: () => received }
}

const KEY = 'authorization: Bearer '

test.each([
  ['one header', `x-bomb: ${'x'.repeat(150_000)}\r\n`],
  ['3,000 headers', Array.from({ length: 3_000 }, (_, n) => `x-${n}: x\r\n`).join('')],
  ['a key', `${KEY}${'f'.repeat(150_000)}\r\n`],
])('%s of more than there may be: 400 in the shape of the contract, and the connection is closed', async (_name, headers) => {
  const { socket, received } = await open()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(`GET /health HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`)
  await closed
  expect(received()).toMatch(/^HTTP\/1\.1 400 .*"code":"invalid_request","message":"the headers are too large"/s)
})

test('headers without an end are cut off, and nobody else notices', async () => {
  const bombs = await Promise.all(Array.from({ length: 50 }, open))
  const closed = bombs.map(({ socket }) => new Promise((resolve) => socket.once('close', resolve)))
  for (const { socket } of bombs) socket.write(`GET / HTTP/1.1\r\nhost: localhost\r\nx-bomb: ${'x'.repeat(1_000_000)}`)
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200)
  await Promise.all(closed)
})

test('requests that come in byte by byte hold nobody else up', async () => {
  const head = `POST ${PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n`
  const body = bodyOf('trickle')
  const slow = await Promise.all(Array.from({ length: 200 }, open))
  for (const [n, { socket }] of slow.entries()) {
    // Half of them never come to the end of their headers.
    socket.write(n % 2 === 0 ? head : `${head}content-length: ${body.length}\r\n\r\n${body.slice(0, 1)}`)
  }
  const agent = new Agent({ keepAlive: true })
  for (let n = 0; n < 20; n++) expect(await post(gateway.url, 'quick', agent)).toMatchObject({ status: 200 })
  agent.destroy()
  // They were open all along: the rest of a body is still taken.
  expect(slow.every(({ received }) => received() === '')).toBe(true)
  for (const [n, { socket }] of slow.entries()) {
    if (n % 2 === 0) socket.destroy()
    else socket.write(body.slice(1))
  }
  const isAnswered = async () => slow.filter(({ received }) => received().startsWith('HTTP/1.1 200')).length === 100
  expect(await until(isAnswered, 30_000)).toBe(true)
  for (const { socket } of slow) socket.destroy()
  expect(await viewsOf('trickle')).toBe(100)
  expect(await viewsOf('quick')).toBe(20)
})
