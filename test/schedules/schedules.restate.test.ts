import { Registry } from 'prom-client'
import { afterAll, expect, inject } from 'vitest'
import type { RetentionSettings, Task } from '../../services/handler/deps.ts'
import { TASKS } from '../../services/tasks/all.ts'
import { type ScheduleState, TASK_NAMES } from '../../src/contract/schedule.ts'
import { scheduleApi } from '../../src/contract/services.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { pausedTasks } from '../../src/main/embedded/restate-queries.ts'
import { scheduleMetrics } from '../../src/main/metrics/schedules.ts'
import { startSchedules } from '../../src/main/start-schedules.ts'
import { createDatabase } from '../harness/servers/database.ts'
import { startGateway } from '../harness/servers/gateway.ts'
import { valueOf } from '../harness/clients/prometheus.ts'
import { query, type Stack, startStack } from '../harness/servers/stack.ts'
import { until } from '../../src/main/embedded/until.ts'
import { restateTest } from '../harness/fixtures.ts'

const EVERY_MS = 100
const PATIENCE_MS = 20_000

/** What each test task does next: nothing, fail, break in a way that Restate tries again, or wait. By its name. */
const fails = new Set<string>()
const broken = new Set<string>()
const held = new Map<string, PromiseWithResolvers<void>>()
/** The slots that each task began, and its largest number of concurrent runs. */
const begun = new Map<string, number[]>()
const underWay = new Map<string, Set<number>>()
let together = 0

const testTask: Task = {
  description: 'does what a test says',
  everyMs: EVERY_MS,
  isOn: () => true,
  run: async (_deps, ctx, slot) => {
    const name = ctx.key
    if (broken.has(name)) throw new Error(`${name} breaks outside its steps`)
    await ctx.run('test', () => work(name, slot), { maxRetryAttempts: 1 })
  },
}

async function work(name: string, slot: number): Promise<void> {
  begun.set(name, [...(begun.get(name) ?? []), slot])
  const own = underWay.get(name) ?? new Set()
  underWay.set(name, own.add(slot))
  together = Math.max(together, own.size)
  try {
    await held.get(name)?.promise
    if (fails.has(name)) throw new Error(`${name} has no luck`)
  } finally {
    own.delete(slot)
  }
}

const NAMES = ['plain', 'failing', 'slow', 'killed', 'lost', 'paused', 'given up', 'moved']
const tasks = { ...TASKS, ...Object.fromEntries(NAMES.map((name) => [name, testTask])) }
const test = restateTest.extend('services', { scope: 'file' }, { deps: { tasks } })

afterAll(() => {
  for (const { resolve } of held.values()) resolve()
})

const schedule = (stack: Stack, name: string) => stack.ingress.client(scheduleApi, name)
const slotsOf = (name: string) => [...new Set(begun.get(name))]

async function eventually<T>(ask: () => Promise<T>, isIt: (answer: T) => boolean): Promise<T> {
  let last: T | undefined
  const came = await until(async () => isIt((last = await ask())), PATIENCE_MS)
  if (!came) throw new Error(`in vain: ${JSON.stringify(last)}`)
  return last!
}

const lastRunOf = async (stack: Stack, name: string) => (await schedule(stack, name).Info({})).last_run

/** Invocations that Restate has of a task, by their handler. */
const invocationsOf = (stack: Stack, name: string, handler: string) =>
  query(
    stack,
    `select id, status from sys_invocation where target_service_key = '${name}' and target_handler_name = '${handler}' and status <> 'completed'`,
  )

async function tell(stack: Stack, id: unknown, what: 'kill' | 'pause' | 'resume'): Promise<void> {
  const answer = await fetch(`${stack.adminUrl}/invocations/${String(id)}/${what}`, { method: 'PATCH' })
  expect([id, what, answer.ok]).toEqual([id, what, true])
}

test('a task runs slot by slot on its grid, reports each outcome, and stops', async ({ stack }) => {
  const before = await schedule(stack, 'plain').Info({})
  expect(before).toEqual({ task: 'plain', running: false, every_ms: null, next_at: null, last_run: null })
  await schedule(stack, 'plain').Start({ every_ms: EVERY_MS })
  await eventually(
    async () => slotsOf('plain'),
    (slots) => slots.length >= 5,
  )
  // Starting it again, as every deploy does, changes neither its grid nor what it did.
  await schedule(stack, 'plain').Start({ every_ms: EVERY_MS })
  const so = slotsOf('plain').length
  await eventually(
    async () => slotsOf('plain'),
    (slots) => slots.length >= so + 3,
  )
  await schedule(stack, 'plain').Stop({})
  await eventually(
    () => invocationsOf(stack, 'plain', 'Run'),
    (rows) => rows.length === 0,
  )
  const run = await lastRunOf(stack, 'plain')
  expect(run).toMatchObject({ outcome: 'completed', attempts: 1, error: null, duration_ms: expect.any(Number) })
  const slots = slotsOf('plain')
  expect(new Set(slots.map((slot) => (slot - slots[0]!) % EVERY_MS))).toEqual(new Set([0]))
  expect(slots).toEqual(slots.toSorted((one, other) => one - other))
  expect(await schedule(stack, 'plain').Info({})).toMatchObject({ running: false, next_at: null, last_run: run })
})

test('a failing run says why and how often, its schedule continues, and a retry completes it', async ({ stack }) => {
  fails.add('failing')
  await schedule(stack, 'failing').Start({ every_ms: EVERY_MS })
  const failing = await eventually(
    () => lastRunOf(stack, 'failing'),
    (run) => (run?.attempts ?? 0) >= 3,
  )
  expect(failing).toMatchObject({ outcome: 'failing', duration_ms: null, error: 'failing has no luck' })
  const { next_at: nextAt } = await schedule(stack, 'failing').Info({})
  await eventually(
    async () => (await schedule(stack, 'failing').Info({})).next_at,
    (next) => next! > nextAt!,
  )
  fails.delete('failing')
  const completed = await eventually(
    () => lastRunOf(stack, 'failing'),
    (run) => run?.outcome === 'completed' && run.slot > failing!.slot,
  )
  expect(completed).toMatchObject({ attempts: 1, error: null })
  await schedule(stack, 'failing').Stop({})
})

test('a task never overlaps itself: of the waiting slots the last one runs; Info still answers', async ({ stack }) => {
  const hold = Promise.withResolvers<void>()
  held.set('slow', hold)
  await schedule(stack, 'slow').Start({ every_ms: EVERY_MS })
  const run = await eventually(
    () => lastRunOf(stack, 'slow'),
    (last) => last !== null,
  )
  expect(run).toMatchObject({ outcome: 'running', duration_ms: null })
  await eventually(
    () => invocationsOf(stack, 'slow', 'Run'),
    (rows) => rows.length >= 5,
  )
  const stopped = await schedule(stack, 'slow').Info({})
  expect(stopped.last_run).toEqual(run)
  expect(slotsOf('slow')).toEqual([Date.parse(run!.slot)])
  together = 0
  held.delete('slow')
  hold.resolve()
  await eventually(
    async () => slotsOf('slow'),
    (slots) => slots.length >= 3,
  )
  await schedule(stack, 'slow').Stop({})
  const [first, second] = slotsOf('slow')
  // The slots in between were dropped.
  expect(second! - first!).toBeGreaterThanOrEqual(4 * EVERY_MS)
  expect(together).toBeLessThanOrEqual(1)
})

test('a killed run is reported as killed, and the next slot runs', async ({ stack }) => {
  const hold = Promise.withResolvers<void>()
  held.set('killed', hold)
  await schedule(stack, 'killed').Start({ every_ms: 3_600_000 })
  await eventually(
    () => lastRunOf(stack, 'killed'),
    (run) => run?.outcome === 'running',
  )
  await eventually(
    async () => slotsOf('killed'),
    (slots) => slots.length === 1,
  )
  const [row] = await invocationsOf(stack, 'killed', 'Run')
  await tell(stack, row!['id'], 'kill')
  const run = await eventually(
    () => lastRunOf(stack, 'killed'),
    (last) => last?.outcome === 'killed',
  )
  expect(run).toMatchObject({ duration_ms: null, attempts: 1 })
  held.delete('killed')
  hold.resolve()
  await schedule(stack, 'killed').Stop({})
  await schedule(stack, 'killed').Start({ every_ms: 3_600_000 })
  await eventually(
    () => lastRunOf(stack, 'killed'),
    (last) => last?.outcome === 'completed' && last.slot > run!.slot,
  )
  await schedule(stack, 'killed').Stop({})
})

test('a killed tick returns with the next start, for the same slot', async ({ stack }) => {
  await schedule(stack, 'lost').Start({ every_ms: 3_600_000 })
  const { next_at: nextAt } = await eventually(
    () => schedule(stack, 'lost').Info({}),
    ({ last_run: run }) => run?.outcome === 'completed',
  )
  const scheduled = () => invocationsOf(stack, 'lost', 'Tick')
  const [tick] = await eventually(scheduled, (rows) => rows.length === 1)
  await tell(stack, tick!['id'], 'kill')
  await eventually(scheduled, (rows) => rows.length === 0)
  await schedule(stack, 'lost').Start({ every_ms: 3_600_000 })
  await eventually(scheduled, (rows) => rows.length === 1)
  expect(await schedule(stack, 'lost').Info({})).toMatchObject({ running: true, next_at: nextAt })
  await schedule(stack, 'lost').Stop({})
})

test('/ready names a paused task and stays 200', async ({ database, stack }) => {
  broken.add('paused')
  await schedule(stack, 'paused').Start({ every_ms: 3_600_000 })
  const [row] = await eventually(
    () => invocationsOf(stack, 'paused', 'Run'),
    (rows) => rows[0]?.['status'] === 'backing-off',
  )
  await tell(stack, row!['id'], 'pause')
  await eventually(
    () => pausedTasks(stack.adminUrl),
    (tasks) => tasks.includes('paused'),
  )
  const paused = () => pausedTasks(stack.adminUrl)
  const readiness = async () => ({
    ...{ postgresql: true, restate: true, endpoint: true, registration: true },
    paused_tasks: await paused(),
  })
  const gateway = await startGateway(database.url, stack, { readiness })
  const ready = await fetch(`${gateway.url}/ready`)
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok', details: { paused_tasks: ['paused'] } }])
  await gateway.stop()
  broken.delete('paused')
  await tell(stack, row!['id'], 'resume')
  await eventually(
    () => lastRunOf(stack, 'paused'),
    (run) => run?.outcome === 'completed',
  )
  expect(await paused()).toEqual([])
  await schedule(stack, 'paused').Stop({})
})

test.each([
  [
    'fails in its steps',
    fails,
    { outcome: 'failed', attempts: 2, error: 'given up has no luck', duration_ms: expect.any(Number) },
  ],
  ['keeps breaking with its process', broken, { outcome: 'killed', attempts: 1, error: null, duration_ms: null }],
])('a task that %s is given up after some attempts, and its next slot runs', async (_how, luckless, ended) => {
  const own = await createDatabase(inject('postgresUrl'))
  const limited = await startStack(own.db, {
    tasks: { 'given up': testTask },
    retryPolicy: { initialInterval: 10, maxInterval: 20, maxAttempts: 2, onMaxAttempts: 'pause' },
  })
  const info = () => limited.ingress.client(scheduleApi, 'given up').Info({})
  luckless.add('given up')
  await limited.ingress.client(scheduleApi, 'given up').Start({ every_ms: 1_500 })
  const { last_run: run } = await eventually(info, (state) => state.last_run?.outcome === ended.outcome)
  expect(run).toMatchObject(ended)
  luckless.delete('given up')
  await eventually(info, (state) => state.last_run?.outcome === 'completed')
  await limited.stop()
  await own.drop()
})

test('the metrics say which task is overdue, failing and paused', async () => {
  const registry = new Registry()
  const state = { running: true, every_ms: 60_000, next_at: new Date(Date.now() - 300_000).toISOString() }
  const run = { slot: state.next_at, started_at: state.next_at, duration_ms: 1_500, attempts: 3, error: 'no luck' }
  scheduleMetrics(registry, {
    schedules: async () => [
      { task: 'sweep', ...state, last_run: { ...run, outcome: 'failed' } },
      { task: 'roll-up', running: false, every_ms: null, next_at: null, last_run: null },
    ],
    paused: async () => ['make-partitions'],
  })
  const text = await registry.metrics()
  const of = (name: string, task: string) => valueOf(text, `footfall_schedule_${name}`, { task })
  expect(of('overdue_seconds', 'sweep')).toBeCloseTo(300, -1)
  expect([of('failing', 'sweep'), of('run_seconds', 'sweep')]).toEqual([1, 1.5])
  expect([of('paused', 'make-partitions'), of('paused', 'sweep')]).toEqual([1, 0])
  expect(text).not.toMatch(/overdue_seconds\{task="roll-up"/)
})

test('a deploy starts tasks that are on, stops tasks that are off, and REST lists every task', async ({ database, stack }) => {
  const deploy = (retentionDays: number | undefined) =>
    startSchedules(createIngress({ url: stack.ingressUrl }), {
      retentionDays,
      rollUpAfterDays: undefined,
      rejectedDays: 90,
      ignoredWebhookDays: 7,
      impressionDays: 90,
      deliveryDays: 30,
    } satisfies RetentionSettings)
  const gateway = await startGateway(database.url, stack)
  const list = async () => {
    const answer = await fetch(`${gateway.url}/api/v1/schedules`)
    expect(answer.status).toBe(200)
    const { data } = (await answer.json()) as { data: ScheduleState[] }
    return data
  }
  const isOn = (schedules: ScheduleState[]) => schedules.filter(({ running }) => running).map(({ task }) => task)
  await deploy(90)
  const usual = TASK_NAMES.filter((name) => !['retention', 'roll-up'].includes(name))
  const on = TASK_NAMES.filter((name) => name !== 'roll-up')
  const done = await eventually(
    list,
    (all) => all.filter(({ last_run: run }) => run?.outcome === 'completed').length === on.length,
  )
  expect(done.map(({ task }) => task)).toEqual([...TASK_NAMES])
  expect(isOn(done)).toEqual(on)
  expect(done.map((one) => one.every_ms)).toEqual(TASK_NAMES.map((name) => (name === 'roll-up' ? null : TASKS[name].everyMs)))
  await deploy(undefined)
  const after = await eventually(list, (all) => isOn(all).length === usual.length)
  expect(isOn(after)).toEqual(usual)
  expect(after.slice(0, 3).map((one) => one.next_at)).toEqual(done.slice(0, 3).map((one) => one.next_at))
  for (const name of usual) await schedule(stack, name).Stop({})
  await gateway.stop()
})

test('while Restate is down the schedules are answered 503, in time', async ({ database, stack }) => {
  const ingress = createIngress({ url: 'http://127.0.0.1:1', deadlineMs: 500 })
  const gateway = await startGateway(database.url, stack, { ingress })
  const answer = await fetch(`${gateway.url}/api/v1/schedules`)
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({ error: { code: 'unavailable', message: expect.stringContaining('Restate') } })
  await gateway.stop()
})

test('a schedule continues at the next release, each slot once, and the old release is drained', async ({ stack }) => {
  await schedule(stack, 'moved').Start({ every_ms: EVERY_MS })
  await eventually(
    async () => slotsOf('moved'),
    (slots) => slots.length >= 3,
  )
  const after: number[] = []
  const next: Task = {
    ...testTask,
    run: async (_deps, ctx, slot) => {
      await ctx.run('test', () => void after.push(slot))
    },
  }
  const release = await stack.release({ tasks: { ...TASKS, moved: next } })
  await eventually(
    async () => after,
    (slots) => slots.length >= 3,
  )
  await stack.drain(PATIENCE_MS)
  const so = after.length
  await eventually(
    async () => after,
    (slots) => slots.length >= so + 3,
  )
  await schedule(stack, 'moved').Stop({})
  await eventually(
    () => invocationsOf(stack, 'moved', 'Run'),
    (rows) => rows.length === 0,
  )
  const slots = [...begun.get('moved')!, ...after]
  expect(slots).toEqual([...new Set(slots)].sort((one, other) => one - other))
  expect(slots.every((slot) => (slot - slots[0]!) % EVERY_MS === 0)).toBe(true)
  await release.drain(0)
})
