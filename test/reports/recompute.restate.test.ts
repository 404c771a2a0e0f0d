import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, expect } from 'vitest'
import { recomputeCommand } from '../../src/cli/commands/recompute.ts'
import { TASKS } from '../../services/tasks/all.ts'
import { WATCH_RUNS, watchSilentRuns } from '../../services/tasks/watch-runs.ts'
import { RecomputeRun, type RunStatus, type StartRun } from '../../src/contract/recompute-run.ts'
import { recomputeRunApi, scheduleApi } from '../../src/contract/services.ts'
import { failRun } from '../../src/store/reports/run-machine.ts'
import { requestRun } from '../../src/store/reports/run-request.ts'
import { runCommand } from '../harness/programs/command.ts'
import { clear } from '../harness/servers/database.ts'
import { makeKey } from '../harness/items/keys.ts'
import { analyticsEvent, day, recordEvents, startOf, storedSnapshots } from '../harness/items/recomputed.ts'
import { query, type Stack } from '../harness/servers/stack.ts'
import { until } from '../../src/main/embedded/until.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const tasks = { ...TASKS, 'watch at once': { ...WATCH_RUNS, everyMs: 100, run: watchSilentRuns(50) } }
const test = gatewayTest.extend('services', { scope: 'file' }, { deps: { tasks } })

const PATIENCE_MS = 20_000

/** Every step of a rebuild waits for it. */
let hold: PromiseWithResolvers<void> | undefined

test.beforeAll(async ({ db }) => {
  // The clock builds no bucket by itself.
  await sql`update aggregate_window set refresh_interval_minutes = 1000000`.execute(db)
  await keptFew(db)
})
afterAll(() => hold?.resolve())
test.beforeEach(({ db }) => clear(db))

/** Only one report keeps more than the last day. */
async function keptFew(db: Database): Promise<void> {
  await sql`
    update aggregate_window set retention_days = case report_slug when 'volume-by-period' then 400 else 1 end`.execute(db)
}

const REQUEST = { report_slug: 'volume-by-period', window: 'day', date_from: day(20), date_to: day(1) } as const
const run = (stack: Stack, id: string) => stack.ingress.client(recomputeRunApi, id)

async function start(stack: Stack, changes: Partial<StartRun> = {}): Promise<string> {
  const id = randomUUID()
  await run(stack, id).Start({ ...REQUEST, actor: 'ada', ...changes })
  return id
}

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

async function actionsOf(db: Database, id: string): Promise<string[]> {
  const { rows } = await sql<{ entry: string }>`
    select actor || ' ' || action as entry from audit_entry where resource_id = ${id} order by audit_id`.execute(db)
  return rows.map(({ entry }) => entry)
}

/** Keeps the buckets of every report from being rebuilt. */
async function whileHeld<T>(db: Database, work: () => Promise<T>): Promise<T> {
  hold = Promise.withResolvers<void>()
  const holds = Promise.withResolvers<void>()
  const holding = db.transaction().execute(async (tx) => {
    await sql`select horizon from log_horizon for update`.execute(tx)
    holds.resolve()
    await hold!.promise
  })
  await holds.promise
  try {
    return await work()
  } finally {
    hold.resolve()
    await holding
  }
}

test('a run rebuilds its buckets step by step and completes', async ({ db, stack }) => {
  await recordEvents(
    db,
    [1, 5, 20].map((daysAgo) => analyticsEvent({ occurredAtMs: startOf(day(daysAgo)) })),
  )
  const id = await start(stack, { requested_by: 'finance' })
  const ended = await becomes(stack, id, 'completed')
  expect(ended).toMatchObject({
    ...REQUEST,
    ...{ id, kind: 'requested', actor: 'ada', requested_by: 'finance', progress: { done: 20, total: 20 } },
    summary: { rows_deleted: 0, rows_inserted: 6, bucket_count: 20 },
  })
  expect(await actionsOf(db, id)).toEqual(['ada run.request', 'footfall run.start', 'footfall run.complete'])
  expect(Object.keys(await storedSnapshots(db))).toHaveLength(6)
})

test('one run is open for the same buckets, and cancelling ends it between two steps', async ({ db, stack }) => {
  const id = await whileHeld(db, async () => {
    const first = await start(stack)
    await becomes(stack, first, 'running')
    await expect(start(stack)).rejects.toMatchObject({ status: 409, responseText: expect.stringContaining(first) as string })
    const cancelled = await run(stack, first).Cancel({ actor: 'bob' })
    expect(cancelled).toMatchObject({ status: 'cancelled', progress: { done: 0, total: 20 } })
    // The scope is free, although the step has not ended.
    const second = await start(stack)
    expect((await run(stack, second).Status({})).status).not.toBe('cancelled')
    return { first, second }
  })
  await becomes(stack, id.second, 'completed')
  expect(await run(stack, id.first).Status({})).toMatchObject({ status: 'cancelled', progress: { done: 0 } })
  expect(await actionsOf(db, id.first)).toEqual(['ada run.request', 'footfall run.start', 'bob run.cancel'])
  await expect(run(stack, id.second).Cancel({ actor: 'bob' })).rejects.toMatchObject({ status: 409 })
  await expect(run(stack, randomUUID()).Cancel({ actor: 'bob' })).rejects.toMatchObject({ status: 404 })
  await expect(run(stack, randomUUID()).Status({})).rejects.toMatchObject({ status: 404 })
  await expect(run(stack, 'no id').Status({})).rejects.toMatchObject({ status: 400 })
  await expect(run(stack, randomUUID().toUpperCase()).Start({ ...REQUEST, actor: 'ada' })).rejects.toMatchObject({ status: 400 })
})

test('an error that a retry cannot cure fails the run with the reason', async ({ db, stack }) => {
  const occurredAtMs = startOf(day(3))
  const events = Array.from({ length: 3 }, () => analyticsEvent({ occurredAtMs, amount: 2 ** 53 - 1, currency: 'EUR' }))
  await recordEvents(db, events)
  await sql`update analytics_event set amount = 9223372036854775807`.execute(db)
  const ended = await becomes(stack, await start(stack), 'failed')
  expect(ended.error_message).toMatch(/cannot be rebuilt: .*out of range/)
})

test('a run whose invocation was killed fails, and a run that waits for its turn does not', async ({ db, stack }) => {
  const watch = stack.ingress.client(scheduleApi, 'watch at once')
  await whileHeld(db, async () => {
    const killed = await start(stack)
    await becomes(stack, killed, 'running')
    const waiting = await start(stack, { date_to: day(2) })
    await becomes(stack, waiting, 'running')
    await watch.Start({ every_ms: 100 })
    const [row] = await query(
      stack,
      `select id from sys_invocation where target_service_key = '${killed}' and target_handler_name = 'Execute'`,
    )
    // Abandon waits for the key.
    await eventually(
      () => query(stack, "select id from sys_invocation where target_handler_name = 'Abandon' and status <> 'completed'"),
      (rows) => rows.length === 2,
    )
    expect((await run(stack, killed).Status({})).status).toBe('running')
    const answer = await fetch(`${stack.adminUrl}/invocations/${String(row!['id'])}/kill`, { method: 'PATCH' })
    expect(answer.ok).toBe(true)
    expect(await becomes(stack, killed, 'failed')).toMatchObject({ error_message: expect.stringContaining('killed') as string })
    expect(await actionsOf(db, killed)).toEqual(['ada run.request', 'footfall run.start', 'footfall run.fail'])
    expect((await run(stack, waiting).Status({})).status).toBe('running')
    hold!.resolve()
    await becomes(stack, waiting, 'completed')
  })
  await watch.Stop({})
})

test('the watch starts a run that was requested and never started', async ({ db, stack }) => {
  const id = randomUUID()
  await requestRun(db, id, { ...REQUEST, actor: 'ada' })
  const watch = stack.ingress.client(scheduleApi, 'watch at once')
  await watch.Start({ every_ms: 100 })
  expect(await becomes(stack, id, 'completed')).toMatchObject({ progress: { done: 20, total: 20 } })
  await watch.Stop({})
})

test('a bucket that cannot be rebuilt keeps its mark, and the other buckets are rebuilt', async ({ db, stack }) => {
  await sql`update aggregate_window set retention_days = 5 where bucket_window = 'day'`.execute(db)
  const [bad, good] = [day(3), day(2)]
  await recordEvents(db, [
    ...Array.from({ length: 2 }, () => analyticsEvent({ occurredAtMs: startOf(bad), amount: 1, currency: 'EUR' })),
    analyticsEvent({ occurredAtMs: startOf(good) }),
  ])
  await sql`update analytics_event set amount = 9223372036854775807 where amount is not null`.execute(db)
  await sql`delete from dirty_mark where report_slug <> 'status-counts' or bucket_window <> 'day'`.execute(db)
  await sql`update dirty_mark set marked_at = marked_at - interval '30 seconds'`.execute(db)
  const refresh = stack.ingress.client(scheduleApi, 'refresh-reports')
  await refresh.Start({ every_ms: 100 })
  await eventually(
    () => storedSnapshots(db),
    (snapshots) => snapshots[`status-counts day ${good} all event_count`] === 1,
  )
  const { last_run: last } = await eventually(
    () => refresh.Info({}),
    ({ last_run: ended }) => ended?.outcome === 'failed',
  )
  expect(last).toMatchObject({ attempts: 1, error: expect.stringContaining('out of range') as string })
  await refresh.Stop({})
  const { rows } = await sql`select distinct day::text from dirty_mark`.execute(db)
  expect(rows).toEqual([{ day: bad }])
  await keptFew(db)
})

test('a late event is in its reports after the next slots of the task', async ({ db, stack }) => {
  await sql`update aggregate_window set retention_days = 20`.execute(db)
  await recordEvents(db, [analyticsEvent({ occurredAtMs: startOf(day(2)) })])
  // As if the event had arrived half a minute ago.
  await sql`update dirty_mark set marked_at = marked_at - interval '30 seconds'`.execute(db)
  const refresh = stack.ingress.client(scheduleApi, 'refresh-reports')
  await refresh.Start({ every_ms: 100 })
  await eventually(
    () => storedSnapshots(db),
    (snapshots) => snapshots[`top-entities day ${day(2)} entity order-1 event_count`] === 1,
  )
  await eventually(
    async () => (await sql`select from dirty_mark`.execute(db)).rows,
    (rows) => rows.length === 0,
  )
  await refresh.Stop({})
  const { rows } = await sql<{ runId: string }>`
    select distinct run_id as "runId" from metric_snapshot
    where report_slug = 'top-entities' and bucket_window = 'day'`.execute(db)
  expect(rows).toHaveLength(1)
  // Missing buckets are built as well, perhaps including this one.
  const { kind, status } = await run(stack, rows[0]!.runId).Status({})
  expect([['refresh', 'scheduled'].includes(kind), status]).toEqual([true, 'completed'])
  expect(await actionsOf(db, rows[0]!.runId)).toEqual(['footfall run.complete'])
  await keptFew(db)
})

test('the command requests a run, waits for it, and prints its outcome', async ({ db, stack }) => {
  const footfall = (...args: string[]) =>
    runCommand(recomputeCommand(), args, { RESTATE_INGRESS_URL: stack.ingressUrl, RESTATE_ADMIN_URL: stack.adminUrl })
  const range = ['volume-by-period', '--from', day(3), '--to', day(2)]
  const done = await footfall(...range, '--json')
  expect(RecomputeRun.parse(JSON.parse(done.text))).toMatchObject({ status: 'completed', progress: { done: 2, total: 2 } })
  expect(await footfall('profit')).toMatchObject({ code: 1, text: 'there is no report profit\n' })
  expect(await footfall('volume-by-period', '--from', 'May')).toMatchObject({
    code: 2,
    text: expect.stringContaining('--from'),
  })
  expect(await footfall('volume-by-period', '--to', 'May')).toMatchObject({ code: 2, text: expect.stringContaining('--to') })
  await whileHeld(db, async () => {
    const asked = await footfall(...range, '--no-wait', '--json')
    const { id } = RecomputeRun.parse(JSON.parse(asked.text))
    const waiting = footfall('--cancel', id)
    expect((await waiting).text).toContain(`cancelled. 0 of 2 buckets, 0 rows for 0. Run ${id}.`)
  })
})

/** The last test: after the first key is created, every request needs one. */
test('the gateway requests, shows and cancels runs, and refuses with the reason', async ({ db, stack, gateway }) => {
  const ask = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${gateway.url}/api/v1/recomputations${path}`, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: answer.status, ...((await answer.json()) as { data: RecomputeRun; error: unknown; meta: unknown }) }
  }
  const refused = (status: number, code: string, message: string) => ({
    status,
    error: { code, message: expect.stringContaining(message) as string },
  })
  expect(await ask('POST', '', { ...REQUEST, report_slug: 'profit' })).toMatchObject(
    refused(404, 'not_found', 'no report profit'),
  )
  expect(await ask('POST', '', { ...REQUEST, window: 'month' })).toMatchObject(refused(400, 'invalid_request', 'window'))
  expect(await ask('POST', '', { ...REQUEST, date_from: day(0) })).toMatchObject(
    refused(400, 'invalid_request', 'date_from: must not be after the last day'),
  )
  expect(await ask('POST', '', { ...REQUEST, date_from: day(380) })).toMatchObject(refused(400, 'invalid_request', 'at most 366'))
  expect(await ask('POST', '', { ...REQUEST, nonsense: 1 })).toMatchObject(refused(400, 'invalid_request', 'nonsense'))
  expect(await ask('GET', '?limit=101')).toMatchObject(refused(400, 'invalid_request', 'limit'))
  expect(await ask('GET', `/${randomUUID()}`)).toMatchObject(refused(404, 'not_found', 'there is no run'))
  await whileHeld(db, async () => {
    const { status, data } = await ask('POST', '', REQUEST, { 'x-actor': 'finance' })
    expect([status, data]).toEqual([202, expect.objectContaining({ actor: 'local', requested_by: 'finance', status: 'pending' })])
    expect(await ask('POST', '', REQUEST)).toMatchObject({ status: 409, error: { code: 'conflict', details: { id: data.id } } })
    await becomes(stack, data.id, 'running')
    expect(await ask('GET', '?status=running')).toMatchObject({ status: 200, data: [{ id: data.id }], meta: { total: 1 } })
    expect(await ask('DELETE', `/${data.id}`)).toMatchObject({ status: 200, data: { status: 'cancelled' } })
    expect(await ask('GET', `/${data.id}`)).toMatchObject({ data: { status: 'cancelled' } })
  })
  const reads = await makeKey(db, { scopes: ['read'] })
  const manages = await makeKey(db, { name: 'nightly', scopes: ['manage'] })
  const with_ = ({ text }: { text: string }) => ({ authorization: `Bearer ${text}` })
  await eventually(
    () => ask('GET', ''),
    ({ status }) => status === 401,
  )
  expect((await ask('GET', '', undefined, with_(reads))).status).toBe(200)
  expect(await ask('POST', '', REQUEST, with_(reads))).toMatchObject(refused(403, 'forbidden', 'scope manage'))
  const { data } = await ask('POST', '', REQUEST, with_(manages))
  expect(data).toMatchObject({ actor: 'nightly', requested_by: null })
  await failRun(db, data.id, 'the test ends')
})
