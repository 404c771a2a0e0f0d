import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createIngress } from '../../src/ingress/clients.ts'
import { connect } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { createDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { query, type Stack, startStack } from '../harness/servers/stack.ts'
import { startTcpProxy, type TcpProxy } from '../harness/servers/tcp-proxy.ts'
import { until } from '../../src/main/embedded/until.ts'

let database: TestDatabase
let wire: TcpProxy
let db: ReturnType<typeof connect>
let stack: Stack
let gateway: TestGateway
let patient: TestGateway
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
  wire = await startTcpProxy(database.url)
  db = connect({ url: wire.url, name: 'test' })
  stack = await startStack(db)
  gateway = await startGateway(wire.url, stack, { ingress: createIngress({ url: stack.ingressUrl, deadlineMs: 1_000 }) })
  patient = await startGateway(wire.url, stack, { ingress: createIngress({ url: stack.ingressUrl, deadlineMs: 30_000 }) })
})
afterAll(async () => {
  await gateway.stop()
  await patient.stop()
  await stack.stop()
  await db.destroy()
  await wire.cut()
  await database.drop()
})

const post = async (url: string, interactions: object[]) => {
  const answer = await fetch(`${url}/api/v1/analytic/interaction`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ interactions }),
  })
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), json: (await answer.json()) as Answer }
}
interface Answer {
  data?: { accepted: number; duplicates: number }
  error?: { code: string; details: { events: { index: number; event_id: string; occurred_at: string }[] } }
}
const view = (ref_id: string) => ({ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id })

test('while PostgreSQL is away reads answer 503 and writes say what to resend; resent events count once', async () => {
  await wire.cut()
  const read = await fetch(`${gateway.url}/api/v1/analytic/popularity/top`)
  expect(read.status).toBe(503)
  expect(read.headers.get('retry-after')).not.toBeNull()
  expect(await read.json()).toMatchObject({ error: { code: 'unavailable' } })

  const own = { ...view('away'), event_id: randomUUID(), occurred_at: new Date().toISOString() }
  const write = await post(gateway.url, [view('away'), own, view('away')])
  expect(write).toMatchObject({ status: 503, json: { error: { code: 'unavailable' } } })
  const given = write.json.error!.details.events
  expect(given.map(({ index }) => index)).toEqual([0, 2])

  const top = await fetch(`${stack.ingressUrl}/Popularity/Top`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  expect(top.status).toBe(503)

  await wire.mend()
  const again = await post(patient.url, [{ ...view('away'), ...idOf(given[0]!) }, own, { ...view('away'), ...idOf(given[1]!) }])
  expect(again.status).toBe(200)
  expect(again.json.data!.accepted + again.json.data!.duplicates).toBe(3)
  await stack.settled()
  const found = await fetch(`${gateway.url}/api/v1/analytic/popularity/away`)
  expect(await found.json()).toMatchObject({ data: { view_count: 3 } })
  expect((await verify(database.db)).drift).toEqual([])
})

function idOf({ event_id, occurred_at }: { event_id: string; occurred_at: string }) {
  return { event_id, occurred_at }
}

test('who does not wait for the outcome does not notice that PostgreSQL is away', async () => {
  await wire.cut()
  const headers = { 'content-type': 'application/json', prefer: 'respond-async' }
  for (let index = 0; index < 4; index++) {
    const key = index % 2 === 0 ? {} : { 'idempotency-key': randomUUID() }
    const answer = await fetch(`${patient.url}/api/v1/analytic/interaction`, {
      method: 'POST',
      headers: { ...headers, ...key },
      body: JSON.stringify({ interactions: [view('not waited for')] }),
    })
    expect(answer.status).toBe(202)
  }
  await wire.mend()
  const isCounted = async () => {
    await stack.settled()
    const found = await fetch(`${gateway.url}/api/v1/analytic/popularity/not%20waited%20for`)
    return found.ok && ((await found.json()) as { data: { view_count: number } }).data.view_count === 4
  }
  expect(await until(isCounted, 30_000)).toBe(true)
})

test('while Restate is away writes answer 503 and reads go on', async () => {
  const ingress = createIngress({ url: 'http://127.0.0.1:1', deadlineMs: 1_000 })
  const alone = await startGateway(wire.url, stack, { ingress })
  expect(await post(alone.url, [view('x')])).toMatchObject({ status: 503, retryAfter: expect.any(String) })
  expect((await fetch(`${alone.url}/api/v1/analytic/popularity/top`)).status).toBe(200)
  expect(alone.log.filter(({ msg }) => msg === 'request').map(({ status }) => status)).toEqual([503, 200])
  await alone.stop()
})

test('an invocation that used up its attempts pauses, and goes on after it is resumed', async () => {
  const impatient = await startStack(database.db, {
    retryPolicy: { initialInterval: 10, maxInterval: 10, exponentiationFactor: 1, maxAttempts: 3, onMaxAttempts: 'pause' },
  })
  try {
    await sql`alter table product_hour rename to product_hour_away`.execute(database.db)
    const answer = await fetch(`${impatient.ingressUrl}/Analytic/CreateInteraction`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ interactions: [view('paused')] }),
    })
    expect(answer.status).toBe(200)
    const paused = () => query(impatient, "select id, target from sys_invocation where status = 'paused'")
    expect(await until(async () => (await paused()).length === 1, 30_000)).toBe(true)
    const [invocation] = await paused()
    expect(invocation).toMatchObject({ target: 'Popularity/HandlePopularityEvent' })
    await sql`alter table product_hour_away rename to product_hour`.execute(database.db)
    const resumed = await fetch(`${impatient.adminUrl}/invocations/${String(invocation!['id'])}/resume`, { method: 'PATCH' })
    expect(resumed.ok).toBe(true)
    await impatient.settled()
    expect((await verify(database.db)).drift).toEqual([])
  } finally {
    await impatient.stop()
  }
})
