import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { ACKNOWLEDGED_HEADER } from '../../src/contract/recorder.ts'
import { createRecorderRoom, DIRECT } from '../../src/gateway/recording/recorder-room.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { createRecorder } from '../../src/ingress/recorder.ts'
import { createWaitingCalls } from '../../src/main/endpoint/waiting-calls.ts'
import { waitingInRecorders } from '../../src/main/embedded/restate-queries.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'
import { clear } from '../harness/servers/database.ts'
import { query, type Stack, startStack } from '../harness/servers/stack.ts'
import type { TcpProxy } from '../harness/servers/tcp-proxy.ts'

/** The services reach PostgreSQL through a proxy. Two calls of each kind keep their places in an outage, and three direct ones may leave. */
const test = proxiedTest.extend('stack', { scope: 'file' }, async ({ proxied }, { onCleanup }) => {
  const stack = await startStack(proxied, { waitingCalls: createWaitingCalls({ placesMax: 2, leavingMax: 3 }) })
  onCleanup(stack.stop)
  return stack
})
test.beforeEach(({ db }) => clear(db))

const view = (ref_id: string) => ({ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id })
const identified = (ref_id: string) => ({ ...view(ref_id), event_id: randomUUID(), occurred_at: new Date().toISOString() })

async function post(stack: Stack, path: string, body: object, headers: Record<string, string> = {}) {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
  const answer = await fetch(`${stack.ingressUrl}/${path}`, init)
  return { status: answer.status, json: (await answer.json()) as Answer }
}
interface Answer {
  accepted?: number
  message?: string
  waiting?: { invocation_id: string }
  invocationId?: string
}

const record = (stack: Stack, ...refs: string[]) => post(stack, 'Analytic/CreateInteraction', { interactions: refs.map(view) })
/** Hands events to a recorder. */
const handOver = async (stack: Stack, recorder: string, interactions: object[]) =>
  (await post(stack, `Recorder/${recorder}/CreateInteraction/send`, { interactions })).json.invocationId!
const attach = async (stack: Stack, id: string) =>
  (await fetch(`${stack.ingressUrl}/restate/attach/${id}`)).json() as Promise<Answer>

const recorded = async (db: Database) =>
  (await sql<{ ref_id: string }>`select ref_id from interaction order by batch_id, ref_id`.execute(db)).rows.map(
    (row) => row.ref_id,
  )
/** Undefined for a moment after the start of Restate. */
const countOf = (stack: Stack, condition: string) =>
  query(stack, `select count(*) as n from sys_invocation where ${condition}`).then(
    ([row]) => Number(row!['n']),
    () => undefined,
  )
const IN_PLACES = "status = 'backing-off' and target_service_name = 'Analytic'"

/** Does the work while PostgreSQL is away. */
async function inOutage<T>(proxy: TcpProxy, work: () => Promise<T>): Promise<T> {
  await proxy.cut()
  try {
    return await work()
  } finally {
    await proxy.mend()
  }
}

/** Makes the two calls that keep their places. */
async function takePlaces(stack: Stack): Promise<{ answers: ReturnType<typeof record>[] }> {
  const answers = [record(stack, 'kept 1'), record(stack, 'kept 2')]
  expect(await until(async () => (await countOf(stack, IN_PLACES)) === 2, 20_000)).toBe(true)
  return { answers }
}

test('in an outage two direct calls keep their places, three are sent to recorders, and further ones are refused', async ({
  db,
  proxy,
  stack,
}) => {
  const { kept, left, refused } = await inOutage(proxy, async () => {
    const { answers } = await takePlaces(stack)
    const sentOn = [await record(stack, 'left 1', 'left 1 too'), await record(stack, 'left 2'), await record(stack, 'left 3')]
    const tooMany = await record(stack, 'refused')
    const body = { interactions: [view('acknowledged')] }
    const acknowledged = await post(stack, 'Analytic/CreateInteraction', body, { [ACKNOWLEDGED_HEADER]: '1' })
    return { kept: answers, left: [...sentOn, acknowledged], refused: tooMany }
  })
  expect(left.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  const waiting = { invocation_id: expect.any(String) }
  expect(left.map(({ json }) => json)).toEqual(
    left.map(() => ({ accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [], waiting })),
  )
  expect(refused.status).toBe(503)
  expect(refused.json.message).toContain('nothing of this call was recorded')

  expect((await Promise.all(kept)).map(({ json }) => json.accepted)).toEqual([1, 1])
  const answers = await Promise.all(left.map(({ json }) => attach(stack, json.waiting!.invocation_id)))
  expect(answers.map(({ accepted }) => accepted)).toEqual([2, 1, 1, 1])
  expect((await recorded(db)).toSorted()).toEqual(
    ['acknowledged', 'kept 1', 'kept 2', 'left 1', 'left 1 too', 'left 2', 'left 3'].toSorted(),
  )
  await stack.settled()
  expect((await verify(db)).drift).toEqual([])
})

test('a repeated key of a call that left its place gets the same answer, and its events count once', async ({
  db,
  proxy,
  stack,
}) => {
  const key = { 'idempotency-key': randomUUID() }
  const send = (ref: string) => post(stack, 'Analytic/CreateInteraction', { interactions: [view(ref)] }, key)
  const { first, kept } = await inOutage(proxy, async () => {
    const { answers } = await takePlaces(stack)
    const answer = await send('with a key')
    expect(await send('with a key')).toEqual(answer)
    return { first: answer, kept: answers }
  })
  await Promise.all(kept)
  expect(await attach(stack, first.json.waiting!.invocation_id)).toMatchObject({ accepted: 1 })
  expect((await recorded(db)).filter((ref) => ref === 'with a key')).toHaveLength(1)
})

test('a recorder records the calls that came in an outage in their order, and a repeated event once', async ({
  db,
  proxy,
  stack,
}) => {
  const again = identified('2')
  const ids = await inOutage(proxy, async () => {
    const sent: string[] = []
    for (const ref of ['1', '3', '4', '5'])
      sent.push(await handOver(stack, '0', [identified(ref), ...(ref === '1' ? [] : [again])]))
    const waiting = () => waitingInRecorders(stack.adminUrl).catch(() => [])
    await expect.poll(waiting, { timeout: 20_000 }).toEqual([{ recorder: '0', calls: 3 }])
    return sent
  })
  const answers = await Promise.all(ids.map((id) => attach(stack, id)))
  expect(answers.map(({ accepted }) => accepted)).toEqual([1, 2, 1, 1])
  expect(await recorded(db)).toEqual(['1', '2', '3', '4', '5'])
})

test('a call keeps the time at which it came first, however long it waits in a recorder', async ({ db, proxy, stack }) => {
  const cameAt = Date.now()
  const { kept, waiting, mendedAt } = await inOutage(proxy, async () => {
    const { answers } = await takePlaces(stack)
    const { json } = await record(stack, 'without a time')
    const leftAt = Date.now()
    await until(async () => Date.now() - leftAt > 200, 5_000)
    return { kept: answers, waiting: json.waiting!, mendedAt: Date.now() }
  })
  await Promise.all(kept)
  await attach(stack, waiting.invocation_id)
  const { rows } = await sql<{ at: Date }>`
    select occurred_at as at from interaction where ref_id = 'without a time'`.execute(db)
  expect(rows[0]!.at.getTime()).toBeGreaterThanOrEqual(cameAt)
  expect(rows[0]!.at.getTime()).toBeLessThan(mendedAt - 150)
})

/**
 * Lets every event of the product `poison` fail until `cure` is called. The trigger stays, because dropping it locks the log's
 * months before the log and so deadlocks with whoever reads it.
 */
async function poisonLog(db: Database) {
  await sql`create table if not exists cause ()`.execute(db)
  await sql`create or replace function reject_poison() returns trigger language plpgsql as $$
    begin if new.ref_id = 'poison' and exists (select from cause) then raise exception 'poison'; end if; return new; end $$`.execute(
    db,
  )
  await sql`create or replace trigger poison before insert on interaction for each row execute function reject_poison()`.execute(
    db,
  )
  await sql`insert into cause default values`.execute(db)
  return { cure: () => sql`delete from cause`.execute(db) }
}

const isPaused = async (stack: Stack, invocationId: string) =>
  (await countOf(stack, `id = '${invocationId}' and status = 'paused' and target_service_name = 'SetAside'`)) === 1

test('a call that fails for another reason is set aside, holds up no other, and is recorded when it is resumed', async ({
  db,
  stack,
}) => {
  const { cure } = await poisonLog(db)
  const [poison, next] = [await handOver(stack, '1', [view('poison')]), await handOver(stack, '1', [view('next')])]
  expect(await attach(stack, next)).toMatchObject({ accepted: 1 })
  const { waiting } = await attach(stack, poison)
  expect(await until(() => isPaused(stack, waiting!.invocation_id), 20_000)).toBe(true)
  expect(await recorded(db)).toEqual(['next'])

  await cure()
  const resumed = await fetch(`${stack.adminUrl}/invocations/${waiting!.invocation_id}/resume`, { method: 'PATCH' })
  expect(resumed.ok).toBe(true)
  expect(await attach(stack, waiting!.invocation_id)).toMatchObject({ accepted: 1 })
  expect(await recorded(db)).toEqual(['next', 'poison'])
  await stack.settled()
  expect((await verify(db)).drift).toEqual([])
})

test('a call that is set aside holds no room in its gateway, whether it was handed to a recorder or left its place', async ({
  db,
  proxy,
  stack,
}) => {
  const { cure } = await poisonLog(db)
  const ingress = createIngress({ url: stack.ingressUrl })
  const room = createRecorderRoom({ ingress, bytesMax: 1024 * 1024 })
  const client = createRecorder(ingress, 'interaction')
  const body = Buffer.from(JSON.stringify({ interactions: [view('poison')] }))
  const ended = await inOutage(proxy, async () => {
    const { answers } = await takePlaces(stack)
    const handedOver = (await room.take('2', 1)).sent((await client.submitTo('2', body)).invocationId)
    const { invocationId } = await client.submit(body)
    await ingress.waitForEnd(invocationId, AbortSignal.timeout(20_000), 0)
    return [...answers, handedOver, (await room.take(DIRECT, 1)).sent(invocationId)]
  })
  await Promise.all(ended)
  expect(room.lengths().map(({ calls }) => calls)).toEqual([0, 0])
  const setAside = async () =>
    (await query(stack, "select id from sys_invocation where target_service_name = 'SetAside' and status <> 'completed'")) ?? []
  await expect.poll(setAside, { timeout: 30_000 }).toHaveLength(2)

  room.stop()
  const ids = (await setAside()).map(({ id }) => String(id))
  for (const id of ids) expect(await until(() => isPaused(stack, id), 20_000)).toBe(true)
  await cure()
  for (const id of ids) {
    await fetch(`${stack.adminUrl}/invocations/${id}/resume`, { method: 'PATCH' })
  }
  await stack.settled()
})
