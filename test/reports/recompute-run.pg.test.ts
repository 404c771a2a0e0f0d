import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { RUN_STATUSES, type RunStatus, type StartRun } from '../../src/contract/recompute-run.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { RunEndedError } from '../../src/store/runs/run-machine.ts'
import { findRun, listRuns, silentRuns } from '../../src/store/reports/run-list.ts'
import { abandonRun, cancelRun, type Command, COMMANDS, completeRun, failRun } from '../../src/store/reports/run-machine.ts'
import { requestRun, ScopeTakenError } from '../../src/store/reports/run-request.ts'
import { beginRun, rebuildStep } from '../../src/store/reports/run-step.ts'
import { clear } from '../harness/servers/database.ts'
import { failingAt } from '../harness/servers/failing-store.ts'
import { day } from '../harness/items/recomputed.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(({ db }) => clear(db))

const REQUEST: StartRun = {
  ...{ report_slug: 'volume-by-period', window: 'day', date_from: day(3), date_to: day(2) },
  ...{ actor: 'ada', requested_by: 'finance' },
}
const BY = { actor: 'bob' }
const FIRST = { from: day(3), to: day(3) }
const LAST = { from: day(2), to: day(2) }

/** Every command on a run. A refusal is an answer too. */
const DO = {
  start: (store: Database, id: string) => requestRun(store, id, REQUEST).then(() => 'fine', nameOf),
  begin: (store: Database, id: string) => beginRun(store, id).then((plan) => (plan === undefined ? 'no' : 'fine')),
  step: (store: Database, id: string) => rebuildStep(store, id, FIRST).then(({ done }) => (done === undefined ? 'no' : 'fine')),
  'last step': (store: Database, id: string) =>
    rebuildStep(store, id, LAST).then(({ done }) => (done === undefined ? 'no' : 'fine')),
  complete: (store: Database, id: string) => completeRun(store, id).then((status) => (status === 'completed' ? 'fine' : 'no')),
  fail: (store: Database, id: string) => failRun(store, id, 'no luck').then(() => 'fine'),
  cancel: (store: Database, id: string) => cancelRun(store, id, BY).then((run) => (run === undefined ? 'none' : 'fine'), nameOf),
  abandon: (store: Database, id: string) => abandonRun(store, id).then(() => 'fine'),
}
type Doing = keyof typeof DO

/** The name of a refusal. Any other error is the death of a process. */
function nameOf(error: unknown): string {
  if (error instanceof ScopeTakenError) return 'taken'
  if (error instanceof RunEndedError) return 'ended'
  throw error
}

async function entriesOf(db: Database, id: string): Promise<string[]> {
  const { rows } = await sql<{ action: string }>`
    select action from audit_entry where resource_type = 'recompute_run' and resource_id = ${id} order by audit_id`.execute(db)
  return rows.map(({ action }) => action)
}

type State = RunStatus | 'none'
const STATES: State[] = ['none', ...RUN_STATUSES]

/** The commands that bring a run into each state, with all of its steps. */
const WAY: Record<State, Doing[]> = {
  none: [],
  pending: ['start'],
  running: ['start', 'begin', 'step', 'last step'],
  completed: ['start', 'begin', 'step', 'last step', 'complete'],
  failed: ['start', 'begin', 'step', 'last step', 'fail'],
  cancelled: ['start', 'begin', 'step', 'last step', 'cancel'],
}

/** The table of services/recompute-run.ts: the next state, the answer and the audit entry of each command. */
const START = { none: ['pending', 'fine', 'run.request'] }
const NOTHING = (answer: string) => Object.fromEntries(STATES.map((state) => [state, [state, answer]]))
const ENDING = (status: RunStatus, action: string) => ({ pending: [status, 'fine', action], running: [status, 'fine', action] })
const TABLE: Record<Command | 'start', Record<string, string[]>> = {
  start: { ...NOTHING('fine'), ...START },
  begin: { ...NOTHING('no'), pending: ['running', 'fine', 'run.start'], running: ['running', 'fine'] },
  step: { ...NOTHING('no'), running: ['running', 'fine'] },
  complete: { ...NOTHING('no'), running: ['completed', 'fine', 'run.complete'], completed: ['completed', 'fine'] },
  fail: { ...NOTHING('fine'), ...ENDING('failed', 'run.fail') },
  cancel: {
    ...NOTHING('ended'),
    none: ['none', 'none'],
    cancelled: ['cancelled', 'fine'],
    ...ENDING('cancelled', 'run.cancel'),
  },
  abandon: { ...NOTHING('fine'), running: ['failed', 'fine', 'run.fail'] },
}

describe.each(['start', ...COMMANDS] as const)('%s', (command) => {
  test.for(STATES)('for a run that is %s', async (state, { db }) => {
    const id = randomUUID()
    for (const doing of WAY[state]) expect([doing, await DO[doing](db, id)]).toEqual([doing, 'fine'])
    const before = { run: await findRun(db, id), entries: await entriesOf(db, id) }
    expect(before.run?.status ?? 'none').toBe(state)
    const [after, answer, entry] = TABLE[command][state]!
    expect(await DO[command](db, id)).toBe(answer)
    // A repeat, as after a crash, gives the same answer where it can and writes nothing twice.
    const run = await findRun(db, id)
    await DO[command](db, id)
    expect(await findRun(db, id)).toEqual(run)
    expect(run?.status ?? 'none').toBe(after)
    expect(await entriesOf(db, id)).toEqual([...before.entries, ...(entry === undefined ? [] : [entry])])
    if (entry === undefined) expect(run).toEqual(before.run)
  })
})

test('a run is complete when all of its buckets are rebuilt, and not earlier', async ({ db }) => {
  const id = randomUUID()
  for (const doing of ['start', 'begin', 'step'] as const) await DO[doing](db, id)
  expect(await DO.complete(db, id)).toBe('no')
  expect(await DO['last step'](db, id)).toBe('fine')
  expect(await DO.complete(db, id)).toBe('fine')
  expect(await findRun(db, id)).toMatchObject({ status: 'completed', progress: { done: 2, total: 2 }, actor: 'ada' })
})

test('a run that is cancelled within a step discards the step', async ({ db }) => {
  const id = randomUUID()
  for (const doing of ['start', 'begin'] as const) await DO[doing](db, id)
  const held = Promise.withResolvers<void>()
  const holds = Promise.withResolvers<void>()
  // Another transaction locks the buckets, so the step waits.
  const other = db.transaction().execute(async (tx) => {
    await sql`select horizon from log_horizon for update`.execute(tx)
    holds.resolve()
    await held.promise
  })
  await holds.promise
  const step = rebuildStep(db, id, FIRST)
  await waiting(db)
  expect(await cancelRun(db, id, BY)).toMatchObject({ status: 'cancelled', progress: { done: 0 } })
  held.resolve()
  await other
  expect(await step).toMatchObject({ done: undefined })
  expect((await sql`select from report_bucket`.execute(db)).rows).toEqual([])
  expect(await entriesOf(db, id)).toEqual(['run.request', 'run.start', 'run.cancel'])
})

/** Resolves when a session waits for a lock. */
async function waiting(db: Database): Promise<void> {
  for (;;) {
    const { rows } = await sql`
      select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(db)
    if (rows.length > 0) return
  }
}

test('one run at a time is open for the same buckets; other requests are told which one', async ({ db }) => {
  const ids = Array.from({ length: 8 }, () => randomUUID())
  const answers = await Promise.all(ids.map((id) => requestRun(db, id, REQUEST).catch((error: unknown) => error)))
  const { runs } = await listRuns(db, { status: 'pending', limit: 10, offset: 0 })
  expect(runs).toHaveLength(1)
  for (const answer of answers) {
    if (answer instanceof ScopeTakenError) expect(answer.details).toEqual({ run_id: runs[0]!.id })
    else expect(answer).toEqual(runs[0])
  }
  expect(answers.filter((answer) => answer instanceof ScopeTakenError)).toHaveLength(7)
  // The same week, requested by other days.
  const week = { ...REQUEST, window: 'week' } as const
  const first = await requestRun(db, randomUUID(), { ...week, date_from: day(2), date_to: day(2) })
  const again = requestRun(db, randomUUID(), { ...week, date_from: day(2), date_to: day(2) })
  await expect(again).rejects.toMatchObject({ details: { run_id: first.id } })
})

test('an id stays with the buckets of its first request', async ({ db }) => {
  const id = randomUUID()
  const run = await requestRun(db, id, REQUEST)
  expect(await requestRun(db, id, { ...REQUEST, actor: 'eve' })).toEqual(run)
  for (const other of [{ report_slug: 'top-entities' }, { window: 'week' }, { date_to: day(3) }] as const) {
    await expect(requestRun(db, id, { ...REQUEST, ...other })).rejects.toThrow(`run ${id} recomputes other buckets`)
  }
})

test('runs are found by state and kind', async ({ db }) => {
  const id = randomUUID()
  await requestRun(db, id, REQUEST)
  const page = { limit: 50, offset: 0 }
  expect(await listRuns(db, { kind: 'requested', status: 'pending', ...page })).toMatchObject({ runs: [{ id }], total: 1 })
  expect(await listRuns(db, { kind: 'refresh', ...page })).toEqual({ runs: [], total: 0 })
  expect(await listRuns(db, { kind: 'requested', status: 'failed', ...page })).toEqual({ runs: [], total: 0 })
})

test('a request for buckets that cannot be rebuilt is refused with the reason', async ({ db }) => {
  const ask = (changes: Partial<StartRun>) => requestRun(db, randomUUID(), { ...REQUEST, ...changes })
  await expect(ask({ report_slug: 'profit' })).rejects.toThrow('there is no report profit')
  await expect(ask({ date_from: day(1), date_to: day(2) })).rejects.toThrow('must not be after the last day')
  await expect(ask({ date_to: day(-3) })).rejects.toThrow('is in the future')
  await expect(ask({ date_from: day(366), date_to: day(0) })).rejects.toThrow(
    'date_to: makes a range of 367 days, and at most 366 are possible',
  )
  expect(await ask({ date_from: day(365), date_to: day(0) })).toMatchObject({ progress: { done: 0, total: 366 } })
  await expect(ask({ date_from: day(1_102), date_to: day(1_101) })).rejects.toThrow('are not kept')
  await expect(ask({ date_from: '0001-01-01', date_to: '0001-01-02' })).rejects.toThrow('must be from 2000-01-01')
})

test('a run is silent when it is open and has done nothing for a long time', async ({ db }) => {
  const ids = Object.fromEntries(RUN_STATUSES.map((state) => [state, randomUUID()]))
  for (const state of RUN_STATUSES.toReversed()) {
    for (const doing of WAY[state]) await DO[doing](db, ids[state]!)
    // So that the next run is not blocked.
    await sql`update recompute_run set bucket_to = bucket_to + ${RUN_STATUSES.indexOf(state)}::int`.execute(db)
  }
  expect(await silentRuns(db, 60_000)).toEqual([])
  await sql`update recompute_run set active_at = active_at - interval '2 minutes'`.execute(db)
  const silent = await silentRuns(db, 60_000)
  expect(silent.toSorted((one) => (one.isPending ? -1 : 1))).toEqual([
    { id: ids['pending'], isPending: true },
    { id: ids['running'], isPending: false },
  ])
})

/** The expected run after completed commands. A run of the same buckets blocks a start. */
interface Model {
  runs: Map<string, { status: RunStatus; done: number; entries: string[] }>
}

function apply({ runs }: Model, id: string, doing: Doing): string {
  const run = runs.get(id)
  if (doing === 'start') {
    if (run !== undefined) return 'fine'
    if ([...runs.values()].some(({ status }) => status === 'pending' || status === 'running')) return 'taken'
    runs.set(id, { status: 'pending', done: 0, entries: ['run.request'] })
    return 'fine'
  }
  if (run === undefined) return { cancel: 'none', fail: 'fine', abandon: 'fine' }[doing as string] ?? 'no'
  if (doing === 'step' || doing === 'last step') {
    const [before, after] = doing === 'step' ? [0, 1] : [1, 2]
    if (run.status !== 'running' || run.done < before) return 'no'
    run.done = Math.max(run.done, after)
    return 'fine'
  }
  const [next, answer, entry] = TABLE[doing][run.status]! as [RunStatus, string, string?]
  if (doing === 'complete' && run.status === 'running' && run.done < 2) return 'no'
  run.status = next
  if (entry !== undefined) run.entries.push(entry)
  return answer
}

test(
  'the table of transitions holds for any order of commands that die and are repeated',
  { timeout: 120_000 },
  async ({ db }) => {
    const action = fc.record({
      run: fc.nat(2),
      doing: fc.constantFrom(...(Object.keys(DO) as Doing[])),
      // Dies after this number of answers and is repeated, or runs twice concurrently, or once.
      diesAt: fc.option(fc.integer({ min: 1, max: 9 })),
      isTwice: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: 14 }), async (actions) => {
        await clear(db)
        const ids = [randomUUID(), randomUUID(), randomUUID()]
        const model: Model = { runs: new Map() }
        for (const { run, doing, diesAt, isTwice } of actions) {
          const id = ids[run]!
          if (diesAt !== null) await DO[doing](failingAt(db, diesAt), id).catch(() => undefined)
          const answers = await Promise.all(Array.from({ length: isTwice ? 2 : 1 }, () => DO[doing](db, id)))
          const expected = apply(model, id, doing)
          expect([doing, answers]).toEqual([doing, answers.map(() => expected)])
          for (const each of ids) {
            const stored = await findRun(db, each)
            const known = model.runs.get(each)
            expect([stored?.status, stored?.progress.done]).toEqual([known?.status, known?.done])
            expect(await entriesOf(db, each)).toEqual(known?.entries ?? [])
            expect(stored?.finished_at !== undefined).toBe(!['pending', 'running', undefined].includes(known?.status))
          }
        }
      }),
      { numRuns: 40 },
    )
  },
)
