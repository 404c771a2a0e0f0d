import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { RUN_STATUSES, type RunStatus } from '../../src/contract/recompute-run.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { versionInForce } from '../../src/store/similarity/rows.ts'
import { requestDueRun } from '../../src/store/similarity/run-due.ts'
import { findSimilarityRun, listSimilarityRuns, silentSimilarityRuns } from '../../src/store/similarity/run-list.ts'
import {
  abandonSimilarityRun,
  advanceSimilarityRun,
  beginSimilarityRun,
  cancelSimilarityRun,
  type Command,
  COMMANDS,
  completeSimilarityRun,
  failSimilarityRun,
  requestSimilarityRun,
  RunHasEndedError,
  RunIsOpenError,
  SimilarityRunEndedError,
} from '../../src/store/similarity/run-machine.ts'
import { clear } from '../harness/servers/database.ts'
import { failingAt } from '../harness/servers/failing-store.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record } from '../harness/items/events.ts'
import { filledVersion, madeVersion } from '../harness/items/similarity.ts'

test.beforeEach(({ db }) => clear(db))

const REQUEST = { kind: 'requested', actor: 'ada', requested_by: 'shop' } as const

/** Every command on a run, with the version that completing it puts in force. A refusal is an answer too. */
const DO = {
  start: (store: Database, id: string) => requestSimilarityRun(store, id, REQUEST).then(() => 'fine', nameOf),
  begin: (store: Database, id: string) => beginSimilarityRun(store, id).then((isRunning) => (isRunning ? 'fine' : 'no')),
  advance: (store: Database, id: string) =>
    advanceSimilarityRun(store, id, { stage: 'counting', done: 1, total: 2 }).then(() => 'fine', nameOf),
  complete: (store: Database, id: string, version: number) =>
    completeSimilarityRun(store, id, version).then((status) => (status === 'completed' ? 'fine' : 'no')),
  fail: (store: Database, id: string) => failSimilarityRun(store, id, 'no luck').then(() => 'fine'),
  cancel: (store: Database, id: string) =>
    cancelSimilarityRun(store, id, { actor: 'bob' }).then((run) => (run === undefined ? 'none' : 'fine'), nameOf),
  abandon: (store: Database, id: string) => abandonSimilarityRun(store, id).then(() => 'fine'),
}
type Doing = keyof typeof DO

/** The name of a refusal. Any other error is the death of a process. */
function nameOf(error: unknown): string {
  if (error instanceof RunIsOpenError) return 'taken'
  if (error instanceof SimilarityRunEndedError) return 'ended'
  if (error instanceof RunHasEndedError) return 'no'
  throw error
}

async function entriesOf(db: Database, id: string): Promise<string[]> {
  const { rows } = await sql<{ action: string }>`
    select action from audit_entry where resource_type = 'similarity_run' and resource_id = ${id} order by audit_id`.execute(db)
  return rows.map(({ action }) => action)
}

type State = RunStatus | 'none'
const STATES: State[] = ['none', ...RUN_STATUSES]

/** The commands that bring a run into each state. */
const WAY: Record<State, Doing[]> = {
  none: [],
  pending: ['start'],
  running: ['start', 'begin', 'advance'],
  completed: ['start', 'begin', 'advance', 'complete'],
  failed: ['start', 'begin', 'advance', 'fail'],
  cancelled: ['start', 'begin', 'advance', 'cancel'],
}

/** The table of services/similarity-run.ts: the next state, the answer and the audit entry of each command. */
const NOTHING = (answer: string) => Object.fromEntries(STATES.map((state) => [state, [state, answer]]))
const ENDING = (status: RunStatus, action: string) => ({ pending: [status, 'fine', action], running: [status, 'fine', action] })
const TABLE: Record<Command | 'start', Record<string, string[]>> = {
  start: { ...NOTHING('fine'), none: ['pending', 'fine', 'similarity.request'] },
  begin: { ...NOTHING('no'), pending: ['running', 'fine', 'similarity.start'], running: ['running', 'fine'] },
  advance: { ...NOTHING('no'), running: ['running', 'fine'] },
  complete: {
    ...NOTHING('no'),
    running: ['completed', 'fine', 'similarity.complete'],
    completed: ['completed', 'fine'],
  },
  fail: { ...NOTHING('fine'), ...ENDING('failed', 'similarity.fail') },
  cancel: {
    ...NOTHING('ended'),
    none: ['none', 'none'],
    cancelled: ['cancelled', 'fine'],
    ...ENDING('cancelled', 'similarity.cancel'),
  },
  abandon: { ...NOTHING('fine'), running: ['failed', 'fine', 'similarity.fail'] },
}

/** A complete version of some run that has ended, which another run may put in force. */
async function completeVersion(db: Database): Promise<number> {
  const { runId, version } = await filledVersion(db, 1)
  await cancelSimilarityRun(db, runId, { actor: 'ada' })
  return version
}

describe.each(['start', ...COMMANDS] as const)('%s', (command) => {
  test.for(STATES)('for a run that is %s', async (state, { db }) => {
    const version = await completeVersion(db)
    const id = randomUUID()
    for (const doing of WAY[state]) expect([doing, await DO[doing](db, id, version)]).toEqual([doing, 'fine'])
    const before = { run: await findSimilarityRun(db, id), entries: await entriesOf(db, id) }
    expect(before.run?.status ?? 'none').toBe(state)
    const [after, answer, entry] = TABLE[command][state]!
    expect(await DO[command](db, id, version)).toBe(answer)
    // A repeat, as after a crash, gives the same answer where it can and writes nothing twice.
    const run = await findSimilarityRun(db, id)
    await DO[command](db, id, version)
    expect(await findSimilarityRun(db, id)).toEqual(run)
    expect(run?.status ?? 'none').toBe(after)
    expect(await entriesOf(db, id)).toEqual([...before.entries, ...(entry === undefined ? [] : [entry])])
    if (entry === undefined) expect(run).toEqual(before.run)
    expect((await versionInForce(db))?.version).toBe(after === 'completed' ? version : undefined)
  })
})

test('one run is open at a time; other requests are told which one', async ({ db }) => {
  const ids = Array.from({ length: 8 }, () => randomUUID())
  const answers = await Promise.all(ids.map((id) => requestSimilarityRun(db, id, REQUEST).catch((error: unknown) => error)))
  const { runs, total } = await listSimilarityRuns(db, { status: 'pending', limit: 10, offset: 0 })
  expect(total).toBe(1)
  for (const answer of answers) {
    if (answer instanceof RunIsOpenError) expect(answer.details).toEqual({ run_id: runs[0]!.id })
    else expect(answer).toEqual(runs[0])
  }
  expect(answers.filter((answer) => answer instanceof RunIsOpenError)).toHaveLength(7)
})

test('a run is silent when it is open and has done nothing for a long time', async ({ db }) => {
  const id = randomUUID()
  await DO.start(db, id)
  expect(await silentSimilarityRuns(db, 60_000)).toEqual([])
  await sql`update similarity_run set active_at = active_at - interval '2 minutes'`.execute(db)
  expect(await silentSimilarityRuns(db, 60_000)).toEqual([{ id, isPending: true }])
  await DO.begin(db, id)
  expect(await silentSimilarityRuns(db, 60_000)).toEqual([])
  await sql`update similarity_run set active_at = active_at - interval '2 minutes'`.execute(db)
  expect(await silentSimilarityRuns(db, 60_000)).toEqual([{ id, isPending: false }])
  await DO.advance(db, id)
  expect(await silentSimilarityRuns(db, 60_000)).toEqual([])
})

test('a version without its totals cannot be put in force', async ({ db }) => {
  const { runId, version } = await filledVersion(db, 1)
  await sql`update similarity_version set content_weight = null`.execute(db)
  await expect(completeSimilarityRun(db, runId, version)).rejects.toThrow('is not complete')
  expect(await findSimilarityRun(db, runId)).toMatchObject({ status: 'running' })
})

test('the first run is due with 1,000 interactions, and the next one after the hours', async ({ db }) => {
  const due = async (hours = 24) => {
    const id = randomUUID()
    const isDue = await requestDueRun(db, id, hours)
    // A repeated attempt gives the same answer.
    expect(await requestDueRun(db, id, hours)).toBe(isDue)
    if (isDue) await failSimilarityRun(db, id, 'of the test')
    return isDue
  }
  await record(
    db,
    Array.from({ length: 999 }, () => interaction()),
  )
  expect(await due()).toBe(false)
  await record(db, [interaction()])
  expect(await due(0)).toBe(false)
  expect(await due()).toBe(true)
  const { runs } = await listSimilarityRuns(db, { limit: 10, offset: 0 })
  expect(runs).toMatchObject([{ kind: 'scheduled', actor: 'footfall' }])
  // A run that failed is tried again an hour later.
  expect(await due()).toBe(false)
  await sql`update similarity_run set requested_at = requested_at - interval '2 hours'`.execute(db)
  expect(await due()).toBe(true)
  await madeVersion(db, 1)
  await sql`update similarity_version set batch_to = (select max(batch_id) from interaction_batch)`.execute(db)
  await sql`update similarity_run set requested_at = requested_at - interval '2 hours'`.execute(db)
  expect(await due()).toBe(false)
  await sql`update similarity_version set made_at = made_at - interval '24 hours'`.execute(db)
  expect(await due(25)).toBe(false)
  expect(await due()).toBe(true)
  await sql`update similarity_run set requested_at = requested_at - interval '2 hours'`.execute(db)
  await requestSimilarityRun(db, randomUUID(), REQUEST)
  expect(await due()).toBe(false)
})

test('a version of a log without its first 1,000 interactions is made again when they are there', async ({ db }) => {
  const isDue = () => requestDueRun(db, randomUUID(), 24)
  await record(
    db,
    Array.from({ length: 900 }, () => interaction()),
  )
  await madeVersion(db, 1)
  await sql`update similarity_version set batch_to = (select max(batch_id) from interaction_batch)`.execute(db)
  await record(
    db,
    Array.from({ length: 99 }, () => interaction()),
  )
  expect(await isDue()).toBe(false)
  await record(db, [interaction()])
  expect(await isDue()).toBe(true)
  await sql`update similarity_run set status = 'cancelled', finished_at = now() where status = 'pending'`.execute(db)
  // A version that has them may have few events that count, e.g. because most are of categories.
  await sql`update similarity_version set batch_to = (select max(batch_id) from interaction_batch)`.execute(db)
  await sql`update similarity_run set requested_at = requested_at - interval '2 hours'`.execute(db)
  expect(await isDue()).toBe(false)
})

/** The expected runs after completed commands. An open run blocks a start. */
type Model = Map<string, { status: RunStatus; entries: string[] }>

function apply(runs: Model, id: string, doing: Doing): string {
  const run = runs.get(id)
  if (doing === 'start') {
    if (run !== undefined) return 'fine'
    if ([...runs.values()].some(({ status }) => status === 'pending' || status === 'running')) return 'taken'
    runs.set(id, { status: 'pending', entries: ['similarity.request'] })
    return 'fine'
  }
  if (run === undefined) return TABLE[doing]['none']![1]!
  const [next, answer, entry] = TABLE[doing][run.status]! as [RunStatus, string, string?]
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
        const versions = [await completeVersion(db), await completeVersion(db), await completeVersion(db)]
        const model: Model = new Map()
        for (const { run, doing, diesAt, isTwice } of actions) {
          const [id, version] = [ids[run]!, versions[run]!]
          if (diesAt !== null) await DO[doing](failingAt(db, diesAt), id, version).catch(() => undefined)
          const answers = await Promise.all(Array.from({ length: isTwice ? 2 : 1 }, () => DO[doing](db, id, version)))
          const expected = apply(model, id, doing)
          expect([doing, answers]).toEqual([doing, answers.map(() => expected)])
          for (const each of ids) {
            expect((await findSimilarityRun(db, each))?.status).toEqual(model.get(each)?.status)
            expect(await entriesOf(db, each)).toEqual(model.get(each)?.entries ?? [])
          }
        }
      }),
      { numRuns: 40 },
    )
  },
)
