import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { SETTINGS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { until } from '../../src/main/embedded/until.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const PATH = '/api/v1/analytic/interaction'

const view = (product: string, more: object = {}) => ({
  session_id: 's',
  event_type: 'view',
  ref_type: 'Product',
  ref_id: product,
  ...more,
})
const identity = () => ({ event_id: randomUUID(), occurred_at: new Date().toISOString() })

interface Answer {
  status: number
  headers: Headers
  json: {
    data: CreateInteractionResponse & { invocation_id: string }
    error: { code: string; message: string; details: { id: string } }
  }
}

async function post(
  gateway: TestGateway,
  interactions: unknown[],
  headers: Record<string, string> = {},
  url = gateway.url,
): Promise<Answer> {
  const answer = await fetch(url + PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ interactions }),
  })
  return { status: answer.status, headers: answer.headers, json: (await answer.json()) as Answer['json'] }
}

async function viewsOf(db: Database, stack: Stack, product: string): Promise<number> {
  await stack.settled()
  const { rows } = await sql<{ n: number }>`
    select coalesce(sum(view_count), 0)::int as n from product_popularity where product_id = ${product}`.execute(db)
  return rows[0]!.n
}

test('concurrent requests are recorded in few batches, each with its own answer', async ({ db, stack, gateway }) => {
  const twice = view('many', identity())
  await post(gateway, [twice])
  const requests = Array.from({ length: 200 }, (_, index) => {
    if (index % 50 === 0) return [view('many', identity()), { ...twice }, { nonsense: index }]
    return [view('many', identity())]
  })
  const { rows: before } = await sql<{ n: number }>`select count(*)::int as n from interaction_batch`.execute(db)
  const answers = await Promise.all(requests.map((interactions) => post(gateway, interactions)))
  const { rows: after } = await sql<{ n: number }>`select count(*)::int as n from interaction_batch`.execute(db)
  expect(after[0]!.n - before[0]!.n).toBeLessThan(100)
  for (const [index, { status, json }] of answers.entries()) {
    expect(status).toBe(200)
    expect(json.data).toMatchObject(
      index % 50 === 0
        ? { accepted: 1, duplicates: 1, duplicate_indexes: [1], rejected: [{ index: 2, code: 'invalid' }] }
        : { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] },
    )
  }
  expect(await viewsOf(db, stack, 'many')).toBe(201)
  expect((await verify(db)).drift).toEqual([])
})

test('requests on one connection are recorded in the order in which they were sent', async ({ db, gateway }) => {
  const same = identity()
  const bodies = Array.from({ length: 16 }, (_, index) => JSON.stringify({ interactions: [view(`order-${index}`, same)] }))
  const socket = connectSocket(Number(new URL(gateway.url).port), '127.0.0.1')
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()))
  const head = (body: string) =>
    `POST ${PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
  socket.write(bodies.map((body) => head(body) + body).join(''))
  expect(await until(async () => received.split('"data"').length > bodies.length, 30_000)).toBe(true)
  socket.destroy()
  const accepted = [...received.matchAll(/"accepted":(\d)/g)].map((match) => Number(match[1]))
  expect(accepted).toEqual([1, ...Array.from({ length: 15 }, () => 0)])
  const { rows } = await sql`select ref_id from interaction where event_id = ${same.event_id}`.execute(db)
  expect(rows).toEqual([{ ref_id: 'order-0' }])
})

test('an idempotency key gets the first answer again, and events without ids count once', async ({ db, stack, gateway }) => {
  const key = { 'idempotency-key': randomUUID() }
  const first = await post(gateway, [view('keyed'), { bad: true }], key)
  expect(first).toMatchObject({ status: 200, json: { data: { accepted: 1, rejected: [{ index: 1 }] } } })
  const again = await Promise.all(Array.from({ length: 3 }, () => post(gateway, [view('keyed'), { bad: true }], key)))
  for (const answer of again) expect(answer.json).toEqual(first.json)
  expect(await viewsOf(db, stack, 'keyed')).toBe(1)
})

test('an idempotency key with another body is a conflict, and records nothing', async ({ db, stack, gateway }) => {
  const key = { 'idempotency-key': randomUUID() }
  await post(gateway, [view('first-body')], key)
  const other = await post(gateway, [view('other-body')], key)
  expect(other).toMatchObject({
    status: 409,
    json: { error: { code: 'conflict', details: { id: expect.stringMatching(/^inv_/) } } },
  })
  expect((await post(gateway, [view('other-body')], { ...key, prefer: 'respond-async' })).status).toBe(409)
  expect(await viewsOf(db, stack, 'other-body')).toBe(0)
})

test('respond-async is answered 202 with the invocation, and the events are counted once', async ({ db, stack, gateway }) => {
  const key = { 'idempotency-key': randomUUID() }
  const first = await post(gateway, [view('async')], { prefer: 'wait=5, respond-async', ...key })
  expect(first.status).toBe(202)
  expect(first.headers.get('preference-applied')).toBe('respond-async')
  const again = await post(gateway, [view('async')], { prefer: 'respond-async', ...key })
  expect(again.json.data.invocation_id).toBe(first.json.data.invocation_id)
  const done = await fetch(`${stack.ingressUrl}/restate/attach/${first.json.data.invocation_id}`)
  expect(await done.json()).toMatchObject({ accepted: 1 })
  expect(await viewsOf(db, stack, 'async')).toBe(1)
})

test('respond-async requests are grouped into few calls, and each event is counted once', async ({ db, stack, gateway }) => {
  const requests = Array.from({ length: 150 }, () => post(gateway, [view('gathered', identity())], { prefer: 'respond-async' }))
  const answers = await Promise.all(requests)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  const invocations = new Set(answers.map(({ json }) => json.data.invocation_id))
  expect(invocations.size).toBeLessThan(50)
  for (const id of invocations) await fetch(`${stack.ingressUrl}/restate/attach/${id}`)
  expect(await viewsOf(db, stack, 'gathered')).toBe(150)
})

test('of two concurrent bodies with one key one is recorded, the other a conflict, also async', async ({
  db,
  stack,
  gateway,
}) => {
  const headers = { 'idempotency-key': randomUUID(), prefer: 'respond-async' }
  const answers = await Promise.all([
    post(gateway, [view('one-of-two')], headers),
    post(gateway, [view('other-of-two')], headers),
  ])
  expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([202, 409])
  expect((await viewsOf(db, stack, 'one-of-two')) + (await viewsOf(db, stack, 'other-of-two'))).toBe(1)
})

test('events that exceed 16 MiB with their ids added are refused, also with respond-async', async ({ db, stack, gateway }) => {
  const long = { metadata: { text: 'x'.repeat(1_550) } }
  const interactions = Array.from({ length: 10_000 }, () => view('large', long))
  for (const prefer of ['respond-async', 'wait=10']) {
    expect(await post(gateway, interactions, { prefer })).toMatchObject({ status: 413, json: { error: { code: 'too_large' } } })
  }
  expect(await viewsOf(db, stack, 'large')).toBe(0)
})

test('a caller that hangs up affects no other, and its resend is counted once', async ({ db, stack, gateway }) => {
  const lost = view('lost', identity())
  const hangingUp = new AbortController()
  const call = fetch(gateway.url + PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ interactions: [lost] }),
    signal: hangingUp.signal,
  })
  const others = Array.from({ length: 30 }, () => post(gateway, [view('unharmed', identity())]))
  hangingUp.abort()
  await expect(call).rejects.toThrow('aborted')
  for (const { json } of await Promise.all(others)) expect(json.data.accepted).toBe(1)
  const resent = await post(gateway, [lost])
  expect(resent.json.data.accepted + resent.json.data.duplicates).toBe(1)
  expect(await viewsOf(db, stack, 'lost')).toBe(1)
  expect(await viewsOf(db, stack, 'unharmed')).toBe(30)
})

test('an event that PostgreSQL refuses affects no other request of its flush', async ({ db, stack, gateway }) => {
  await sql`alter table interaction add constraint no_poison check (ref_id <> 'poison')`.execute(db)
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => post(gateway, [view(index % 20 === 0 ? 'poison' : 'healthy', identity())])),
  )
  await sql`alter table interaction drop constraint no_poison`.execute(db)
  for (const [index, { json }] of answers.entries()) {
    expect(json.data.accepted).toBe(index % 20 === 0 ? 0 : 1)
    if (index % 20 === 0) expect(json.data.rejected).toMatchObject([{ index: 0, code: 'refused' }])
  }
  expect(await viewsOf(db, stack, 'healthy')).toBe(57)
})

test('a stopping gateway answers the requests that it has accepted', async ({ db, database, stack, gateway }) => {
  const stopping = await startGateway(database.url, stack)
  const requests = Array.from({ length: 100 }, () => post(gateway, [view('stopped', identity())], {}, stopping.url))
  const answered = Promise.allSettled(requests)
  await requests[0]
  await stopping.stop()
  const answers = await answered
  const recorded = answers.filter((answer) => answer.status === 'fulfilled' && answer.value.status === 200)
  // A request that had not arrived is answered 503, or its connection is refused.
  for (const answer of answers) if (answer.status === 'fulfilled') expect([200, 503]).toContain(answer.value.status)
  expect(await viewsOf(db, stack, 'stopped')).toBe(recorded.length)
})

test('a request that arrives too slowly is cut off', async ({ gateway }) => {
  const socket = connectSocket(Number(new URL(gateway.url).port), '127.0.0.1')
  await once(socket, 'connect')
  Object.assign(gateway.server, { headersTimeout: 1, requestTimeout: 2 })
  socket.write(`POST ${PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toContain('the request took too long to arrive')
  await once(socket, 'close')
  Object.assign(gateway.server, { headersTimeout: 10_000, requestTimeout: 30_000 })
})

test('a request that is answered before its body arrives gets no second answer', async ({ gateway }) => {
  const socket = connectSocket(Number(new URL(gateway.url).port), '127.0.0.1')
  await once(socket, 'connect')
  Object.assign(gateway.server, { headersTimeout: 1, requestTimeout: 2 })
  let answers = ''
  socket.on('data', (chunk: Buffer) => (answers += chunk.toString()))
  socket.write(`POST ${PATH} HTTP/1.1\r\nhost: elsewhere\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{`)
  await once(socket, 'close')
  expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 403'])
  Object.assign(gateway.server, { headersTimeout: 10_000, requestTimeout: 30_000 })
})

test('an unknown Expect header is ignored', async ({ gateway }) => {
  const socket = connectSocket(Number(new URL(gateway.url).port), '127.0.0.1')
  socket.write('GET /health HTTP/1.1\r\nhost: localhost\r\nexpect: a-miracle\r\nconnection: close\r\n\r\n')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1.1 200/)
})

test('a body that is not compressed as its content-encoding says is refused', async ({ gateway }) => {
  const answer = await post(gateway, [view('x')], { 'content-encoding': 'gzip' })
  expect(answer).toMatchObject({ status: 400, json: { error: { code: 'invalid_request' } } })
})

test.for([
  ['truncate', '203.0.113.0', 'Mozilla/5 Firefox/130'],
  ['drop', null, null],
] as const)(
  'with %s neither the log nor rejected items identify the device',
  async ([mode, ip, agent], { db, database, stack, gateway }) => {
    const traces = { ip_address: '203.0.113.77', user_agent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0.1' }
    const privacy = { ipAddress: mode, userAgent: mode }
    const discreet = await startGateway(database.url, stack, { settings: { ...SETTINGS, privacy } })
    const own = identity()
    const answer = await post(
      gateway,
      [view(`private-${mode}`, { ...own, ...traces }), { ...traces, ref_id: 1 }],
      {},
      discreet.url,
    )
    await discreet.stop()
    expect(answer.json.data).toMatchObject({ accepted: 1, rejected: [{ index: 1 }] })
    const { rows } = await sql<{ ip: string | null; agent: string | null }>`
    select host(ip_address) as ip, user_agent as agent from interaction where event_id = ${own.event_id}`.execute(db)
    expect(rows).toEqual([{ ip, agent }])
    const { rows: kept } = await sql<{ n: number }>`
    select count(*)::int as n from rejected_interaction where item ~ '203\.0\.113\.77|Linux'`.execute(db)
    expect(kept[0]!.n).toBe(0)
  },
)
