import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, expect } from 'vitest'
import { REFRESH_SIMILARITY } from '../../services/tasks/refresh-similarity.ts'
import { TASKS } from '../../services/tasks/all.ts'
import { WATCH_RUNS, watchSilentRuns } from '../../services/tasks/watch-runs.ts'
import type { RunStatus } from '../../src/contract/recompute-run.ts'
import { catalogApi, scheduleApi, similarityRunApi } from '../../src/contract/services.ts'
import type { SimilaritySettings } from '../../src/contract/similarity-settings.ts'
import { SimilarityRun } from '../../src/contract/similarity-run.ts'
import { similarityCommand } from '../../src/cli/commands/similarity.ts'
import { runCommand } from '../harness/programs/command.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { VersionSettings } from '../../src/ranking/similarity/version-settings.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { VersionJob } from '../../src/store/similarity/make-version.ts'
import { rowsOf, versionInForce } from '../../src/store/similarity/rows.ts'
import { failSimilarityRun, requestSimilarityRun } from '../../src/store/similarity/run-machine.ts'
import { similarityVersions } from '../../src/store/similarity/version.ts'
import { interaction, record } from '../harness/items/events.ts'
import { makeKey } from '../harness/items/keys.ts'
import { addTuned } from '../harness/items/ranking-settings.ts'
import { madeVersion } from '../harness/items/similarity.ts'
import { clear } from '../harness/servers/database.ts'
import { TEST_DEPS } from '../harness/servers/deps.ts'
import { query, type Stack } from '../harness/servers/stack.ts'
import { gatewayTest } from '../harness/fixtures.ts'

/** Jobs wait for it before they count. */
let hold: PromiseWithResolvers<void> | undefined
/** Jobs fail with it. */
let failure: Error | undefined

function startJob(settings: VersionSettings): VersionJob {
  const job = TEST_DEPS.similarity.startJob(settings)
  const count: VersionJob['count'] = async (options) => {
    if (failure !== undefined) throw failure
    const aborted = new Promise((_, reject) =>
      options.signal.addEventListener('abort', () => reject(options.signal.reason as Error)),
    )
    await Promise.race([hold?.promise, aborted])
    return job.count(options)
  }
  return { ...job, count }
}

const tasks = {
  ...TASKS,
  'watch at once': { ...WATCH_RUNS, everyMs: 100, run: watchSilentRuns(2_000) },
  'refresh at once': { ...REFRESH_SIMILARITY, everyMs: 100 },
}
const test = gatewayTest.extend(
  'services',
  { scope: 'file' },
  {
    deps: { tasks, similarity: { ...TEST_DEPS.similarity, startJob } },
  },
)

const PATIENCE_MS = 20_000

afterAll(() => hold?.resolve())
test.beforeEach(async ({ db }) => {
  hold = failure = undefined
  await clear(db)
})

const run = (stack: Stack, id: string) => stack.ingress.client(similarityRunApi, id)

async function start(stack: Stack): Promise<string> {
  const id = randomUUID()
  await run(stack, id).Start({ actor: 'ada' })
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

/** Two shoppers who go from the lamp to the desk. */
async function recordVisits(db: Database): Promise<void> {
  const events = ['a', 'b'].flatMap((accountId) =>
    ['lamp', 'desk'].map((refId, at) => interaction({ accountId, refId, occurredAtMs: Date.now() - 10_000 + at })),
  )
  await record(db, events)
}

test('a run makes a version, puts it in force and completes', async ({ db, stack }) => {
  await recordVisits(db)
  const id = await start(stack)
  const ended = await becomes(stack, id, 'completed')
  const [version] = await similarityVersions(db)
  expect(ended).toMatchObject({ id, kind: 'requested', actor: 'ada', version: version!.version })
  expect(version).toMatchObject({ is_in_force: true, run_id: id, products: 2, events: 4, shoppers: 2, pairs: 2 })
  const [desk] = await rowsOf(db, version!.version, [0])
  expect([desk!.neighbours, desk!.counts]).toEqual([Int32Array.of(1), Uint32Array.of(2)])
  expect(await actionsOf(db, id)).toEqual(['ada similarity.request', 'footfall similarity.start', 'footfall similarity.complete'])
})

test('a run counts with the ranking settings in force when it begins, and its version names them', async ({ db, stack }) => {
  await recordVisits(db)
  const number = await addTuned(db, { rho: 1, kappa: 4, decay: 0.9 })
  const catalog = stack.ingress.client(catalogApi)
  const answer = await catalog.PromoteSimilaritySettings({ settings_version: number, actor: 'ada' })
  expect(answer).toMatchObject({ settings_version: number, is_in_force: true, promoted_by: 'ada' })
  await becomes(stack, await start(stack), 'completed')
  const [tuned] = await similarityVersions(db)
  expect(tuned).toMatchObject({ settings_version: number, settings: { rho: 1, kappa: 4, decay: 0.9, alpha: 0.5, window: 20 } })
  expect(await versionInForce(db)).toMatchObject({ decay: 0.9 })
  const scoreOf = async (version: number) => (await rowsOf(db, version, [0]))[0]!.scores[0]!
  // Two pairs, against the order, next to each other; each product has two events.
  const scoreBy = (rho: number, kappa: number) => (((2 * rho) / 2 ** 0.7) * 2) / (2 + kappa)
  expect(await scoreOf(tuned!.version)).toBeCloseTo(scoreBy(1, 4), 5)
  await catalog.PromoteSimilaritySettings({ settings_version: 0, actor: 'ada' })
  await becomes(stack, await start(stack), 'completed')
  const [newest] = await similarityVersions(db)
  expect(newest).toMatchObject({ settings_version: 0, settings: { rho: 0.3, decay: 0.6 } })
  expect(await scoreOf(newest!.version)).toBeCloseTo(scoreBy(0.3, 1), 5)
  await catalog.PromoteSimilarity({ version: tuned!.version, actor: 'ada' })
  expect(await versionInForce(db)).toMatchObject({ version: tuned!.version, decay: 0.9 })
  const unknown = catalog.PromoteSimilaritySettings({ settings_version: number + 1, actor: 'ada' })
  await expect(unknown).rejects.toMatchObject({ status: 404 })
})

test('cancelling ends a run that counts, and the version in force stays', async ({ db, stack }) => {
  const { version } = await madeVersion(db, 1)
  hold = Promise.withResolvers()
  const id = await start(stack)
  await eventually(
    () => run(stack, id).Status({}),
    ({ stage }) => stage === 'reading',
  )
  await expect(start(stack)).rejects.toMatchObject({ status: 409, responseText: expect.stringContaining(id) as string })
  expect(await run(stack, id).Cancel({ actor: 'bob' })).toMatchObject({ status: 'cancelled' })
  // Its work ends, and what it wrote goes.
  await eventually(
    () => query(stack, `select id from sys_invocation where target_service_key = '${id}' and status <> 'completed'`),
    (rows) => rows.length === 0,
  )
  expect(await versionInForce(db)).toMatchObject({ version })
  const { rows } = await sql`select version from similarity_version`.execute(db)
  expect(rows).toEqual([{ version: String(version) }])
  expect(await actionsOf(db, id)).toEqual(['ada similarity.request', 'footfall similarity.start', 'bob similarity.cancel'])
  await expect(run(stack, randomUUID()).Cancel({ actor: 'bob' })).rejects.toMatchObject({ status: 404 })
  await expect(run(stack, randomUUID()).Status({})).rejects.toMatchObject({ status: 404 })
  await expect(run(stack, 'no id').Status({})).rejects.toMatchObject({ status: 400 })
})

test('a run whose threads fail is tried again from the beginning, and completes once', async ({ db, stack }) => {
  await recordVisits(db)
  failure = new Error('out of memory')
  const id = await start(stack)
  const versions = async () => (await sql`select version from similarity_version`.execute(db)).rows.length
  await eventually(versions, (count) => count >= 2)
  failure = undefined
  await becomes(stack, id, 'completed')
  expect(await actionsOf(db, id)).toEqual(['ada similarity.request', 'footfall similarity.start', 'footfall similarity.complete'])
  await eventually(versions, (count) => count === 1)
})

test('a run whose invocation was killed fails, and one whose start was lost is started', async ({ db, stack }) => {
  const watch = stack.ingress.client(scheduleApi, 'watch at once')
  await watch.Start({ every_ms: 100 })
  hold = Promise.withResolvers()
  const killed = await start(stack)
  await becomes(stack, killed, 'running')
  const [row] = await query(
    stack,
    `select id from sys_invocation where target_service_key = '${killed}' and target_handler_name = 'Execute'`,
  )
  const answer = await fetch(`${stack.adminUrl}/invocations/${String(row!['id'])}/kill`, { method: 'PATCH' })
  expect(answer.ok).toBe(true)
  // Its work goes on to its end in the process, and nothing takes what it made.
  hold.resolve()
  expect(await becomes(stack, killed, 'failed')).toMatchObject({ error_message: expect.stringContaining('killed') as string })
  expect(await versionInForce(db)).toBeUndefined()
  const id = randomUUID()
  await requestSimilarityRun(db, id, { kind: 'requested', actor: 'ada' })
  await becomes(stack, id, 'completed')
  await watch.Stop({})
})

test('the task makes the first version of a shop with 1,000 interactions, and no second one', async ({ db, stack }) => {
  await record(
    db,
    Array.from({ length: 1_000 }, (_, n) => interaction({ accountId: `a${n % 10}`, refId: `p${n % 7}` })),
  )
  const refresh = stack.ingress.client(scheduleApi, 'refresh at once')
  await refresh.Start({ every_ms: 100 })
  const version = await eventually(
    () => versionInForce(db),
    (inForce) => inForce !== undefined,
  )
  expect(version).toMatchObject({ products: 7 })
  const { next_at: nextAt } = await refresh.Info({})
  await eventually(
    () => refresh.Info({}),
    ({ last_run: last }) => last?.outcome === 'completed' && last.slot > nextAt!,
  )
  await refresh.Stop({})
  const { rows } = await sql`select kind, status, actor from similarity_run`.execute(db)
  expect(rows).toEqual([{ kind: 'scheduled', status: 'completed', actor: 'footfall' }])
})

test('the command makes a version, lists versions, and goes back and forward', async ({ db, database, stack }) => {
  await recordVisits(db)
  const footfall = (...args: string[]) =>
    runCommand(similarityCommand(), args, {
      ...{ RESTATE_INGRESS_URL: stack.ingressUrl, RESTATE_ADMIN_URL: stack.adminUrl },
      DATABASE_URL: database.url,
    })
  expect(await footfall('--versions')).toMatchObject({ code: 0, text: expect.stringContaining('no version yet') })
  expect(await footfall('--rollback')).toMatchObject({ code: 1, text: expect.stringContaining('no version before') })
  const done = await footfall('--wait')
  expect(done).toMatchObject({ code: 0, text: expect.stringContaining('completed. Version ') })
  const second = SimilarityRun.parse(JSON.parse((await footfall('--json')).text))
  expect(second).toMatchObject({ status: 'completed' })
  const [, one] = await similarityVersions(db)
  expect((await footfall('--versions')).text).toContain(`Version ${second.version}, in force`)
  expect((await footfall('--rollback')).text).toContain(`Version ${one!.version}, in force`)
  expect((await footfall('--rollback')).text).toContain(`Version ${second.version}, in force`)
  hold = Promise.withResolvers()
  const { id } = SimilarityRun.parse(JSON.parse((await footfall('--no-wait', '--json')).text))
  expect((await footfall('--no-wait')).text).toContain(`similarity run ${id} is open`)
  expect(await footfall('--cancel', id)).toMatchObject({ code: 0, text: expect.stringContaining('cancelled') })
  hold.resolve()
})

test('the command lists ranking settings and puts them in force', async ({ db, database, stack }) => {
  const number = await addTuned(db, { decay: 0.9 })
  const footfall = (...args: string[]) =>
    runCommand(similarityCommand(), ['settings', ...args], {
      ...{ RESTATE_INGRESS_URL: stack.ingressUrl, RESTATE_ADMIN_URL: stack.adminUrl },
      DATABASE_URL: database.url,
    })
  expect((await footfall()).text).toContain('0.1000 → 0.1500')
  const inForce = async () =>
    (JSON.parse((await footfall('--json')).text) as SimilaritySettings[]).filter((each) => each.is_in_force)
  expect(await inForce()).toMatchObject([{ settings_version: 0 }])
  expect(await footfall('promote', String(number))).toMatchObject({
    code: 0,
    text: expect.stringContaining(`Ranking settings ${number} are in force`) as string,
  })
  expect(await inForce()).toMatchObject([{ settings_version: number, settings: { decay: 0.9 } }])
  expect(await footfall('promote', '0', '--json')).toMatchObject({
    code: 0,
    text: expect.stringContaining('"is_in_force": true'),
  })
  expect(await inForce()).toMatchObject([{ settings_version: 0 }])
  const unknown = await footfall('promote', String(number + 1))
  expect(unknown).toMatchObject({ code: 1, text: expect.stringContaining('no similarity settings') as string })
  expect(await footfall('promote', '-1')).toMatchObject({ code: 2 })
  const none = await runCommand(similarityCommand(), ['settings', 'promote', '0'], { RESTATE_INGRESS_URL: 'http://127.0.0.1:1' })
  expect(none).toMatchObject({ code: 1, text: expect.stringContaining('does not answer') as string })
})

test('the gateway requests, lists and cancels runs, and promotes versions', async ({ db, stack, gateway }) => {
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${gateway.url}/api/v1/${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return {
      status: answer.status,
      ...((await answer.json()) as { data: SimilarityRun & SimilarityRun[]; error: unknown; meta: unknown }),
    }
  }
  const refused = (status: number, code: string, message: string) => ({
    status,
    error: { code, message: expect.stringContaining(message) as string },
  })
  const one = await madeVersion(db, 1)
  const two = await madeVersion(db, 2)
  expect(await ask('POST', 'similarity-runs', { nonsense: 1 })).toMatchObject(refused(400, 'invalid_request', 'nonsense'))
  expect(await ask('GET', 'similarity-runs?limit=101')).toMatchObject(refused(400, 'invalid_request', 'limit'))
  expect(await ask('GET', `similarity-runs/${randomUUID()}`)).toMatchObject(refused(404, 'not_found', 'no similarity run'))
  hold = Promise.withResolvers()
  const { status, data } = await ask('POST', 'similarity-runs', undefined, {
    'x-actor': 'shop',
    'content-type': 'application/json',
  })
  expect([status, data]).toEqual([202, expect.objectContaining({ actor: 'local', requested_by: 'shop', status: 'pending' })])
  expect(await ask('POST', 'similarity-runs', {})).toMatchObject({ status: 409, error: { details: { id: data.id } } })
  await becomes(stack, data.id, 'running')
  expect(await ask('GET', 'similarity-runs?status=running')).toMatchObject({ data: [{ id: data.id }], meta: { total: 1 } })
  expect(await ask('DELETE', `similarity-runs/${data.id}`)).toMatchObject({ status: 200, data: { status: 'cancelled' } })
  expect(await ask('GET', `similarity-runs/${data.id}`)).toMatchObject({ data: { status: 'cancelled' } })
  hold.resolve()

  const versions = await ask('GET', 'similarity-versions')
  expect(versions).toMatchObject({ data: [{ version: two.version, is_in_force: true }, { version: one.version }] })
  // Clients name a content type also where they send nothing.
  const promote = (version: number | string) =>
    ask('POST', `similarity-versions/${version}/promote`, undefined, { 'content-type': 'application/json' })
  expect(await promote(one.version)).toMatchObject({ status: 200, data: { version: one.version, is_in_force: true } })
  expect(await promote(two.version + 1)).toMatchObject(refused(404, 'not_found', 'none of the last two'))
  expect(await promote('x')).toMatchObject(refused(400, 'invalid_request', 'version'))
  expect(await versionInForce(db)).toMatchObject({ version: one.version })
  expect(await actionsOf(db, String(one.version))).toContain('local similarity.promote')

  const number = await addTuned(db, { decay: 0.9 })
  const settings = await ask('GET', 'similarity-settings')
  expect(settings).toMatchObject({ data: [{ settings_version: number }, { settings_version: 0, is_in_force: true }] })
  expect(settings.meta).toEqual({ total: 2 })
  const use = (wanted: number | string) => ask('POST', `similarity-settings/${wanted}/promote`, undefined, { 'x-actor': 'shop' })
  expect(await use(number)).toMatchObject({ status: 200, data: { settings_version: number, is_in_force: true } })
  expect(await use(0)).toMatchObject({ status: 200, data: { settings_version: 0, promoted_by: 'local' } })
  expect(await use(number + 1)).toMatchObject(refused(404, 'not_found', 'no similarity settings'))
  expect(await use('-1')).toMatchObject(refused(400, 'invalid_request', 'settings_version'))

  const reads = await makeKey(db, { scopes: ['read'] })
  const manages = await makeKey(db, { name: 'nightly', scopes: ['manage'] })
  const with_ = ({ text }: { text: string }) => ({ authorization: `Bearer ${text}` })
  await eventually(
    () => ask('GET', 'similarity-runs'),
    ({ status: now }) => now === 401,
  )
  expect((await ask('GET', 'similarity-versions', undefined, with_(reads))).status).toBe(200)
  expect((await ask('GET', 'similarity-settings', undefined, with_(reads))).status).toBe(200)
  for (const path of ['similarity-runs', `similarity-versions/${two.version}/promote`, 'similarity-settings/0/promote']) {
    expect(await ask('POST', path, undefined, with_(reads))).toMatchObject(refused(403, 'forbidden', 'scope manage'))
  }
  const started = await ask('POST', 'similarity-runs', { requested_by: 'bot' }, with_(manages))
  expect(started.data).toMatchObject({ actor: 'nightly', requested_by: 'bot' })
  await failSimilarityRun(db, started.data.id, 'the test ends')
})
