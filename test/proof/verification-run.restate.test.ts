import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { TASKS } from '../../services/tasks/all.ts'
import { VERIFY_DAILY } from '../../services/tasks/verify-daily.ts'
import { WATCH_RUNS, watchSilentRuns } from '../../services/tasks/watch-runs.ts'
import type { RunStatus } from '../../src/contract/recompute-run.ts'
import { analyticApi, scheduleApi, verificationRunApi } from '../../src/contract/services.ts'
import type { LatestVerification, VerificationRun } from '../../src/contract/verification-run.ts'
import type { VerifyResponse } from '../../src/contract/verify.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { latestVerification } from '../../src/store/proof/run-list.ts'
import { requestVerification } from '../../src/store/proof/run-machine.ts'
import { PROOF_STEPS } from '../../src/store/proof/verification.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { makeKey } from '../harness/items/keys.ts'
import { clear } from '../harness/servers/database.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import { query, type Stack } from '../harness/servers/stack.ts'
import { gatewayTest } from '../harness/fixtures.ts'

const tasks = {
  ...TASKS,
  'watch at once': { ...WATCH_RUNS, everyMs: 100, run: watchSilentRuns(2_000) },
  'verify at once': { ...VERIFY_DAILY, everyMs: 100 },
}
const test = gatewayTest.extend('services', { scope: 'file' }, { deps: { tasks, verifyHour: 3 } })

const PATIENCE_MS = 20_000

test.beforeEach(async ({ db }) => {
  await clear(db)
  await recordAndCount(db, [interaction({ refId: 'lamp' }), interaction({ refId: 'desk' })])
})

const run = (stack: Stack, id: string) => stack.ingress.client(verificationRunApi, id)

async function eventually<T>(ask: () => Promise<T>, isIt: (answer: T) => boolean): Promise<T> {
  let last: T | undefined
  const came = await until(async () => isIt((last = await ask())), PATIENCE_MS)
  if (!came) throw new Error(`in vain: ${JSON.stringify(last)}`)
  return last!
}

const becomes = (stack: Stack, id: string, status: RunStatus) =>
  eventually(
    () => run(stack, id).Status({}),
    (now) => now.status === status,
  )

/** Keeps every proof waiting at a table until the work has ended. */
function withLocked<T>(db: Database, table: string, work: () => Promise<T>): Promise<T> {
  return db.transaction().execute(async (tx) => {
    await sql`lock table ${sql.table(table)} in access exclusive mode`.execute(tx)
    return work()
  })
}

async function actionsOf(db: Database, id: string): Promise<string[]> {
  const { rows } = await sql<{ entry: string }>`
    select actor || ' ' || action as entry from audit_entry where resource_id = ${id} order by audit_id`.execute(db)
  return rows.map(({ entry }) => entry)
}

interface Answer<Data> {
  status: number
  data: Data
  meta: { next_cursor: string | null }
  error: { code: string; message: string; details: { id: string } }
}

async function ask<Data = VerificationRun>(
  { url }: TestGateway,
  method: string,
  path: string,
  { body, ...headers }: Record<string, string> = {},
): Promise<Answer<Data>> {
  const type = { 'content-type': 'application/json' }
  const answer = await fetch(`${url}/api/v1/${path}`, {
    method,
    headers: { ...(method === 'POST' && type), ...headers },
    ...(body !== undefined && { body }),
  })
  return { status: answer.status, ...((await answer.json()) as Omit<Answer<Data>, 'status'>) }
}

test('a run compares every number, says how far it is, and stores what it found', async ({ db, stack, gateway }) => {
  expect(await ask(gateway, 'GET', 'verifications/latest')).toMatchObject({ status: 200, data: null })
  const started = await withLocked(db, 'seller_day', async () => {
    const { status, data } = await ask(gateway, 'POST', 'verifications', { body: '{"requested_by":"ada"}' })
    expect([status, data]).toEqual([202, expect.objectContaining({ status: 'pending', actor: 'local', requested_by: 'ada' })])
    const running = await eventually(
      () => ask(gateway, 'GET', `verifications/${data.id}`),
      (answer) => answer.data.progress.step === 'seller_day',
    )
    expect(running.data).toMatchObject({ status: 'running' })
    const { done, total } = running.data.progress
    expect([done, total]).toEqual([PROOF_STEPS.indexOf('seller_day'), PROOF_STEPS.length])
    return data
  })
  const ended = await becomes(stack, started.id, 'completed')
  expect(ended.progress).toEqual({ done: PROOF_STEPS.length, total: PROOF_STEPS.length })
  expect(ended.result).toMatchObject({ drift: [], drift_count: 0, events: 2 })
  const { cells } = ended.result!
  const latest = await ask<LatestVerification>(gateway, 'GET', 'verifications/latest')
  expect(latest.data).toEqual({
    ...{ id: started.id, finished_at: ended.finished_at, events: 2, analytics_events: 0, cells, drift_count: 0 },
  })
  expect(await actionsOf(db, started.id)).toEqual([
    ...['local verification.request', 'footfall verification.start', 'footfall verification.complete'],
  ])
})

test('one run is open at a time, and cancelling ends it', async ({ db, stack, gateway }) => {
  const { id } = await withLocked(db, 'seller_day', async () => {
    const { data } = await ask(gateway, 'POST', 'verifications')
    expect(await ask(gateway, 'POST', 'verifications')).toMatchObject({ status: 409, error: { details: { id: data.id } } })
    await becomes(stack, data.id, 'running')
    const cancelled = await ask(gateway, 'DELETE', `verifications/${data.id}`, { 'x-actor': 'bob' })
    expect(cancelled).toMatchObject({ status: 200, data: { status: 'cancelled' } })
    // Its statement is cancelled, though the table is still locked.
    await eventually(
      () => query(stack, `select id from sys_invocation where target_service_key = '${data.id}' and status <> 'completed'`),
      (rows) => rows.length === 0,
    )
    return data
  })
  expect(await ask(gateway, 'GET', `verifications/${id}`)).toMatchObject({ data: { status: 'cancelled' } })
  expect(await ask(gateway, 'DELETE', `verifications/${id}`)).toMatchObject({ status: 200, data: { status: 'cancelled' } })
  const done = await ask(gateway, 'POST', 'verifications')
  await becomes(stack, done.data.id, 'completed')
  expect(await ask(gateway, 'DELETE', `verifications/${done.data.id}`)).toMatchObject({
    ...{ status: 409, error: { code: 'conflict', details: { id: done.data.id } } },
  })
  expect(await ask(gateway, 'DELETE', `verifications/${randomUUID()}`)).toMatchObject({ status: 404 })
  expect(await ask(gateway, 'GET', `verifications/${randomUUID()}`)).toMatchObject({ status: 404 })
  const first = await ask<VerificationRun[]>(gateway, 'GET', 'verifications?limit=1')
  expect(first.data.map((each) => each.id)).toEqual([done.data.id])
  const second = await ask<VerificationRun[]>(gateway, 'GET', `verifications?limit=1&cursor=${first.meta.next_cursor}`)
  expect([second.data.map((each) => each.id), second.meta.next_cursor]).toEqual([[id], null])
  expect(await ask(gateway, 'GET', 'verifications?cursor=abc')).toMatchObject({ status: 400 })
})

test('GET verify and Analytic.Verify start a run or join the open one, and answer what it found', async ({
  db,
  stack,
  gateway,
}) => {
  const verify = () => ask<VerifyResponse>(gateway, 'GET', 'analytic/verify')
  const alone = await verify()
  expect(alone).toMatchObject({ status: 200, data: { drift: [], drift_count: 0, events: 2 } })
  await sql`update product_popularity set purchase_count = purchase_count + 1 where product_id = 'lamp'`.execute(db)
  const answers = await withLocked(db, 'seller_day', async () => {
    const { data } = await ask(gateway, 'POST', 'verifications')
    const joined = [verify(), verify(), stack.ingress.client(analyticApi).Verify({})] as const
    await becomes(stack, data.id, 'running')
    return { id: data.id, joined: Promise.all(joined) }
  })
  const [one, other, handler] = await answers.joined
  const drift = [{ aggregate: 'product_popularity', key: { product_id: 'lamp' }, column: 'purchase_count' }]
  expect(one).toMatchObject({ status: 200, data: { drift, drift_count: 1 } })
  expect(other.data).toEqual(one.data)
  expect(handler).toEqual(one.data)
  const { rows } = await sql<{ runs: number }>`select count(*)::int as runs from verification_run`.execute(db)
  expect(rows).toEqual([{ runs: 2 }])
  expect(await ask(gateway, 'GET', 'verifications/latest')).toMatchObject({ data: { id: answers.id, drift_count: 1 } })
})

test('GET verify of a run that is cancelled is answered 503, with a time to try again', async ({ db, stack, gateway }) => {
  const answer = await withLocked(db, 'seller_day', async () => {
    const waiting = fetch(`${gateway.url}/api/v1/analytic/verify`)
    const { data } = await eventually(
      () => ask<VerificationRun[]>(gateway, 'GET', 'verifications'),
      ({ data: runs }) => runs[0]?.status === 'running',
    )
    await run(stack, data[0]!.id).Cancel({ actor: 'bob' })
    return waiting
  })
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('30')
  expect(await answer.json()).toMatchObject({ error: { code: 'unavailable', message: expect.stringContaining('cancelled') } })
})

test('a run whose invocation was killed fails, and one whose start was lost is started', async ({ db, stack }) => {
  const watch = stack.ingress.client(scheduleApi, 'watch at once')
  await watch.Start({ every_ms: 100 })
  const killed = await withLocked(db, 'seller_day', async () => {
    const id = randomUUID()
    await run(stack, id).Start({ actor: 'ada' })
    await becomes(stack, id, 'running')
    const [row] = await query(
      stack,
      `select id from sys_invocation where target_service_key = '${id}' and target_handler_name = 'Execute'`,
    )
    const answer = await fetch(`${stack.adminUrl}/invocations/${String(row!['id'])}/kill`, { method: 'PATCH' })
    expect(answer.ok).toBe(true)
    return id
  })
  // Its work may go on to its end in the process: then it has completed.
  await eventually(
    () => run(stack, killed).Status({}),
    ({ status }) => status === 'completed' || status === 'failed',
  )
  const lost = randomUUID()
  await requestVerification(db, lost, { actor: 'ada' })
  await becomes(stack, lost, 'completed')
  await watch.Stop({})
})

test('the task verifies once after the hour of the day', async ({ db, stack }) => {
  const daily = stack.ingress.client(scheduleApi, 'verify at once')
  await daily.Start({ every_ms: 100 })
  await eventually(
    () => latestVerification(db),
    (latest) => latest !== undefined,
  )
  const { next_at: nextAt } = await daily.Info({})
  await eventually(
    () => daily.Info({}),
    ({ last_run: last }) => last?.outcome === 'completed' && last.slot > nextAt!,
  )
  await daily.Stop({})
  const { rows } = await sql`select actor, status from verification_run`.execute(db)
  expect(rows).toEqual([{ actor: 'footfall', status: 'completed' }])
})

test('the last verification is for reading; the rest needs the scope manage', async ({ db, gateway }) => {
  const reads = { authorization: `Bearer ${(await makeKey(db, { scopes: ['read'] })).text}` }
  await eventually(
    () => ask(gateway, 'GET', 'verifications'),
    ({ status }) => status === 401,
  )
  expect((await ask(gateway, 'GET', 'verifications/latest', reads)).status).toBe(200)
  for (const [method, path] of [
    ['POST', 'verifications'],
    ['GET', 'verifications'],
    ['GET', `verifications/${randomUUID()}`],
    ['DELETE', `verifications/${randomUUID()}`],
    ['GET', 'analytic/verify'],
  ] as const) {
    expect([path, (await ask(gateway, method, path, reads)).status]).toEqual([path, 403])
  }
})
