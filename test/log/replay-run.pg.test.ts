import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { RUN_STATUSES, type RunStatus } from '../../src/contract/recompute-run.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { encodeCursor } from '../../src/store/database/cursor.ts'
import { findReplayRun, listReplayRuns, silentReplayRuns } from '../../src/store/log/replay-run-list.ts'
import {
  abandonReplayRun,
  advanceReplayRun,
  beginReplayRun,
  cancelReplayRun,
  completeReplayRun,
  failReplayRun,
  replayPage,
  requestReplayRun,
} from '../../src/store/log/replay-run-machine.ts'
import { type Command, COMMANDS, RunEndedError, RunIsOpenError } from '../../src/store/runs/run-machine.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { record } from '../harness/items/events.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const REQUEST = { code: 'invalid', set: { account_id: 'ada' }, actor: 'ada', requested_by: 'shop' } as const
const TALLY = { accepted: 1, duplicates: 0, rejected: 1, skipped: 0 }
const LAST = { batch_id: '1', index: 0 }

/** Every command on a run. A refusal is an answer too. */
const DO = {
  start: (db: Database, id: string) => requestReplayRun(db, id, REQUEST).then(() => 'fine', nameOf),
  begin: (db: Database, id: string) => beginReplayRun(db, id).then((isRunning) => (isRunning ? 'fine' : 'no')),
  advance: (db: Database, id: string) => advanceReplayRun(db, id, LAST, TALLY).then((goesOn) => (goesOn ? 'fine' : 'no')),
  complete: (db: Database, id: string) => completeReplayRun(db, id).then(() => 'fine'),
  fail: (db: Database, id: string) => failReplayRun(db, id, 'no luck').then(() => 'fine'),
  cancel: (db: Database, id: string) =>
    cancelReplayRun(db, id, { actor: 'bob' }).then((run) => (run === undefined ? 'none' : 'fine'), nameOf),
  abandon: (db: Database, id: string) => abandonReplayRun(db, id, 0).then(() => 'fine'),
}
type Doing = keyof typeof DO

/** The name of a refusal. Any other error is the death of a process. */
function nameOf(error: unknown): string {
  if (error instanceof RunIsOpenError) return 'taken'
  if (error instanceof RunEndedError) return 'ended'
  throw error
}

async function entriesOf(db: Database, id: string): Promise<string[]> {
  const { rows } = await sql<{ action: string }>`
    select action from audit_entry where resource_type = 'replay_run' and resource_id = ${id} order by audit_id`.execute(db)
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

/** The table of services/replay-run.ts: the next state, the answer and the audit entry of each command. */
const NOTHING = (answer: string) => Object.fromEntries(STATES.map((state) => [state, [state, answer]]))
const ENDING = (status: RunStatus, action: string) => ({ pending: [status, 'fine', action], running: [status, 'fine', action] })
const TABLE: Record<Command | 'start', Record<string, string[]>> = {
  start: { ...NOTHING('fine'), none: ['pending', 'fine', 'rejected_replay.request'] },
  begin: { ...NOTHING('no'), pending: ['running', 'fine', 'rejected_replay.start'], running: ['running', 'fine'] },
  advance: { ...NOTHING('no'), running: ['running', 'fine'] },
  complete: { ...NOTHING('fine'), running: ['completed', 'fine', 'rejected_replay.complete'] },
  fail: { ...NOTHING('fine'), ...ENDING('failed', 'rejected_replay.fail') },
  cancel: {
    ...NOTHING('ended'),
    none: ['none', 'none'],
    cancelled: ['cancelled', 'fine'],
    ...ENDING('cancelled', 'rejected_replay.cancel'),
  },
  abandon: { ...NOTHING('fine'), running: ['failed', 'fine', 'rejected_replay.fail'] },
}

describe.each(['start', ...COMMANDS] as const)('%s', (command) => {
  test.for(STATES)('for a run that is %s', async (state, { db }) => {
    const id = randomUUID()
    for (const doing of WAY[state]) expect([doing, await DO[doing](db, id)]).toEqual([doing, 'fine'])
    const before = { run: await findReplayRun(db, id), entries: await entriesOf(db, id) }
    expect(before.run?.status ?? 'none').toBe(state)
    const [after, answer, entry] = TABLE[command][state]!
    expect(await DO[command](db, id)).toBe(answer)
    // A repeat, as after a crash, writes nothing twice.
    const run = await findReplayRun(db, id)
    await DO[command](db, id)
    expect(await findReplayRun(db, id)).toEqual(run)
    expect(run?.status ?? 'none').toBe(after)
    expect(await entriesOf(db, id)).toEqual([...before.entries, ...(entry === undefined ? [] : [entry])])
    if (entry === undefined) expect(run).toEqual(before.run)
    const isOpen = after === 'pending' || after === 'running'
    expect(run?.set).toEqual(isOpen ? REQUEST.set : undefined)
  })
})

test('a run that went on before it was to be abandoned stays', async ({ db }) => {
  const id = randomUUID()
  for (const doing of WAY.running) await DO[doing](db, id)
  await abandonReplayRun(db, id, 60_000)
  expect((await findReplayRun(db, id))!.status).toBe('running')
  await sql`update replay_run set active_at = active_at - interval '1 minute'`.execute(db)
  await abandonReplayRun(db, id, 60_000)
  expect((await findReplayRun(db, id))!.status).toBe('failed')
})

test('one run of a code is open at a time; other requests are told which one', async ({ db }) => {
  const other = randomUUID()
  await requestReplayRun(db, other, { ...REQUEST, code: 'too_old' })
  const ids = Array.from({ length: 8 }, () => randomUUID())
  const answers = await Promise.all(ids.map((id) => requestReplayRun(db, id, REQUEST).catch((error: unknown) => error)))
  const { data } = (await listReplayRuns(db, { status: 'pending', limit: 10 }))!
  expect(data).toHaveLength(2)
  const open = data.find(({ code }) => code === 'invalid')!
  for (const answer of answers) {
    if (answer instanceof RunIsOpenError) expect(answer.details).toEqual({ run_id: open.id })
    else expect(answer).toEqual(open)
  }
  expect(answers.filter((answer) => answer instanceof RunIsOpenError)).toHaveLength(7)
})

test('a run replays what there is of its code when it begins, whole and no webhook, the oldest first', async ({ db }) => {
  const rejection = (index: number, code: 'invalid' | 'too_old') => ({ index, code, field: null, message: 'is wrong', item: {} })
  const first = await record(
    db,
    [],
    [rejection(0, 'invalid'), rejection(1, 'too_old'), rejection(2, 'invalid'), rejection(3, 'invalid')],
  )
  const second = await record(db, [], [rejection(0, 'invalid'), rejection(1, 'invalid'), rejection(2, 'invalid')])
  await sql`update rejected_interaction set cut_from_bytes = 9 where batch_id = ${second.batchId} and index = 0`.execute(db)
  await sql`update rejected_interaction set kind = 'webhook' where batch_id = ${second.batchId} and index = 1`.execute(db)
  const id = randomUUID()
  await DO.start(db, id)
  expect(await replayPage(db, id, 10)).toBeUndefined()
  await DO.begin(db, id)
  await record(db, [], [rejection(0, 'invalid')])
  expect((await findReplayRun(db, id))!.progress).toEqual({ done: 0, total: 4 })
  const key = (batch_id: string, index: number) => ({ batch_id, index })
  const [one, two, three, four] = [key(first.batchId, 0), key(first.batchId, 2), key(first.batchId, 3), key(second.batchId, 2)]
  expect(await replayPage(db, id, 2)).toEqual({ keys: [one, two], set: REQUEST.set, actor: 'ada' })

  const page = { accepted: 1, duplicates: 0, rejected: 1, skipped: 0 }
  expect(await advanceReplayRun(db, id, two, page)).toBe(true)
  expect(await advanceReplayRun(db, id, two, page)).toBe(true)
  expect((await findReplayRun(db, id))!).toMatchObject({ ...page, progress: { done: 2, total: 4 } })
  expect((await replayPage(db, id, 10))!.keys).toEqual([three, four])
  // Another call has replayed one, which the run never sees.
  await sql`update rejected_interaction set replayed_at = now(), replay_batch_id = batch_id where batch_id = ${second.batchId}`.execute(
    db,
  )
  expect((await replayPage(db, id, 10))!.keys).toEqual([three])
  expect(await advanceReplayRun(db, id, three, { accepted: 0, duplicates: 1, rejected: 0, skipped: 0 })).toBe(true)
  expect((await replayPage(db, id, 10))!.keys).toEqual([])
  await completeReplayRun(db, id)
  const outcome = { accepted: 1, duplicates: 1, rejected: 1, skipped: 1 }
  expect(await findReplayRun(db, id)).toMatchObject({ status: 'completed', ...outcome, progress: { done: 4, total: 4 } })
})

test('a run is silent when it is open and has done nothing for a long time', async ({ db }) => {
  const id = randomUUID()
  const age = () => sql`update replay_run set active_at = active_at - interval '2 minutes'`.execute(db)
  await DO.start(db, id)
  expect(await silentReplayRuns(db, 60_000)).toEqual([])
  await age()
  expect(await silentReplayRuns(db, 60_000)).toEqual([{ id, isPending: true }])
  await DO.begin(db, id)
  expect(await silentReplayRuns(db, 60_000)).toEqual([])
  await age()
  expect(await silentReplayRuns(db, 60_000)).toEqual([{ id, isPending: false }])
  await DO.cancel(db, id)
  expect(await silentReplayRuns(db, 60_000)).toEqual([])
})

test('the list is paged by a cursor, the newest first', async ({ db }) => {
  const ids = Array.from({ length: 5 }, () => randomUUID())
  for (const [n, id] of ids.entries()) await requestReplayRun(db, id, { code: `code ${n}`, actor: 'ada' })
  const seen: string[] = []
  for (let cursor: string | undefined; ;) {
    const { data, meta } = (await listReplayRuns(db, { limit: 2, cursor }))!
    seen.push(...data.map(({ id }) => id))
    if (meta.next_cursor === null) break
    cursor = meta.next_cursor
  }
  expect(seen).toEqual(ids.toReversed())
  for (const after of ['nonsense', '2026-02-31 23:00:00+00']) {
    expect(await listReplayRuns(db, { limit: 2, cursor: encodeCursor('replay runs', [after, ids[0]!]) })).toBeUndefined()
  }
})
