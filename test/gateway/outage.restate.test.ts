import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { createIngress } from '../../src/ingress/clients.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { startGateway } from '../harness/servers/gateway.ts'
import { query, startStack } from '../harness/servers/stack.ts'
import { until } from '../../src/main/embedded/until.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'

/** Services and gateways reach PostgreSQL through a proxy. `gateway` waits 1 s for Restate, `patient` 30 s. */
const test = proxiedTest
  .extend('stack', { scope: 'file' }, async ({ proxied }, { onCleanup }) => {
    const stack = await startStack(proxied)
    onCleanup(stack.stop)
    return stack
  })
  .extend('gateway', { scope: 'file' }, async ({ proxy, stack }, { onCleanup }) => {
    const gateway = await startGateway(proxy.url, stack, { ingress: createIngress({ url: stack.ingressUrl, deadlineMs: 1_000 }) })
    onCleanup(gateway.stop)
    return gateway
  })
  .extend('patient', { scope: 'file' }, async ({ proxy, stack }, { onCleanup }) => {
    const patient = await startGateway(proxy.url, stack, {
      ingress: createIngress({ url: stack.ingressUrl, deadlineMs: 30_000 }),
    })
    onCleanup(patient.stop)
    return patient
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

test('without PostgreSQL writes answer 503 with the events to resend, and resent events count once', async ({
  db,
  proxy,
  stack,
  gateway,
  patient,
}) => {
  await proxy.cut()
  const read = await fetch(`${gateway.url}/api/v1/analytic/popularity/top`)
  expect(read.status).toBe(503)
  expect(read.headers.get('retry-after')).not.toBeNull()
  expect(await read.json()).toMatchObject({ error: { code: 'unavailable' } })

  const identified = { ...view('away'), event_id: randomUUID(), occurred_at: new Date().toISOString() }
  const write = await post(gateway.url, [view('away'), identified, view('away')])
  expect(write).toMatchObject({ status: 503, json: { error: { code: 'unavailable' } } })
  const unknown = write.json.error!.details.events
  expect(unknown.map(({ index }) => index)).toEqual([0, 2])

  const top = await fetch(`${stack.ingressUrl}/Popularity/Top`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  expect(top.status).toBe(503)

  await proxy.mend()
  const resent = await post(patient.url, [
    { ...view('away'), ...idOf(unknown[0]!) },
    identified,
    { ...view('away'), ...idOf(unknown[1]!) },
  ])
  expect(resent.status).toBe(200)
  expect(resent.json.data!.accepted + resent.json.data!.duplicates).toBe(3)
  await stack.settled()
  const found = await fetch(`${gateway.url}/api/v1/analytic/popularity/away`)
  expect(await found.json()).toMatchObject({ data: { view_count: 3 } })
  expect((await verify(db)).drift).toEqual([])
})

function idOf({ event_id, occurred_at }: { event_id: string; occurred_at: string }) {
  return { event_id, occurred_at }
}

test('without PostgreSQL respond-async calls are accepted, and recorded later', async ({ proxy, stack, gateway, patient }) => {
  await proxy.cut()
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
  await proxy.mend()
  const isCounted = async () => {
    await stack.settled()
    const found = await fetch(`${gateway.url}/api/v1/analytic/popularity/not%20waited%20for`)
    return found.ok && ((await found.json()) as { data: { view_count: number } }).data.view_count === 4
  }
  expect(await until(isCounted, 30_000)).toBe(true)
})

test('two gateways together hand over what a recorder may have waiting, and refuse the rest, of which nothing is recorded', async ({
  db,
  proxy,
  stack,
}) => {
  // Four calls of the smallest size.
  const limits = { recorderBytesMax: 64 * 1024 }
  const start = () => startGateway(proxy.url, stack, { ingress: createIngress({ url: stack.ingressUrl }), limits })
  const gateways = [await start(), await start()]
  const handOver = async (gateway: { url: string }, ref: string) => {
    const answer = await fetch(`${gateway.url}/api/v1/analytic/interaction`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'respond-async' },
      body: JSON.stringify({ interactions: [view(ref)] }),
    })
    return { ref, status: answer.status, text: await answer.text() }
  }
  const answers: Awaited<ReturnType<typeof handOver>>[] = []
  try {
    await proxy.cut()
    for (let index = 0; index < 8; index++) answers.push(await handOver(gateways[index % 2]!, `bounded ${index}`))
    await proxy.mend()
    const accepted = answers.filter(({ status }) => status === 202).map(({ ref }) => ref)
    expect(accepted).toHaveLength(4)
    const refused = answers.filter(({ status }) => status !== 202)
    expect(refused.map(({ status, text }) => [status, text.includes('nothing of this request was recorded')])).toEqual(
      refused.map(() => [503, true]),
    )
    const recorded = async () => {
      const { rows } = await sql<{ ref: string }>`
        select ref_id as ref from interaction where ref_id like 'bounded %' order by 1`.execute(db)
      return rows.map(({ ref }) => ref)
    }
    expect(await until(async () => (await recorded()).length === 4, 30_000)).toBe(true)
    expect(await recorded()).toEqual(accepted)
    // There is room again.
    expect(await until(async () => (await handOver(gateways[1]!, 'afterwards')).status === 202, 30_000)).toBe(true)
    await stack.settled()
    expect((await verify(db)).drift).toEqual([])
  } finally {
    for (const gateway of gateways) await gateway.stop()
  }
})

test('without Restate writes answer 503, and reads go on', async ({ proxy, stack }) => {
  const ingress = createIngress({ url: 'http://127.0.0.1:1', deadlineMs: 1_000 })
  const alone = await startGateway(proxy.url, stack, { ingress })
  expect(await post(alone.url, [view('x')])).toMatchObject({ status: 503, retryAfter: expect.any(String) })
  expect((await fetch(`${alone.url}/api/v1/analytic/popularity/top`)).status).toBe(200)
  expect(alone.log.filter(({ msg }) => msg === 'request').map(({ status }) => status)).toEqual([503, 200])
  await alone.stop()
})

test('an invocation without attempts left pauses, and completes after it is resumed', async ({ db }) => {
  const impatient = await startStack(db, {
    retryPolicy: { initialInterval: 10, maxInterval: 10, exponentiationFactor: 1, maxAttempts: 3, onMaxAttempts: 'pause' },
  })
  try {
    await sql`alter table product_hour rename to product_hour_away`.execute(db)
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
    await sql`alter table product_hour_away rename to product_hour`.execute(db)
    const resumed = await fetch(`${impatient.adminUrl}/invocations/${String(invocation!['id'])}/resume`, { method: 'PATCH' })
    expect(resumed.ok).toBe(true)
    await impatient.settled()
    expect((await verify(db)).drift).toEqual([])
  } finally {
    await impatient.stop()
  }
})
