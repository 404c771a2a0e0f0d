import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { RUN_STATUSES, type RunStatus } from '../../../src/contract/recompute-run.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import {
  type Command,
  COMMANDS,
  RunEndedError,
  NotRunningError,
  RunIsOpenError,
  type SilentRun,
} from '../../../src/store/runs/run-machine.ts'
import { pgTest as test } from '../fixtures.ts'
import { clear } from '../servers/database.ts'
import { failingAt } from '../servers/failing-store.ts'

/** The commands of a kind of run. `made` is what completing a run needs, e.g. a version. */
export interface Commands<Run, Made> {
  start: (db: Database, id: string) => Promise<Run>
  begin: (db: Database, id: string) => Promise<boolean>
  advance: (db: Database, id: string) => Promise<void>
  complete: (db: Database, id: string, made: Made) => Promise<RunStatus | undefined>
  fail: (db: Database, id: string) => Promise<void>
  cancel: (db: Database, id: string) => Promise<Run | undefined>
  abandon: (db: Database, id: string) => Promise<void>
}

export interface Kind<Run, Made> {
  table: 'similarity_run' | 'verification_run'
  /** Before the names of its audit actions. */
  audited: 'similarity' | 'verification'
  commands: Commands<Run, Made>
  find: (db: Database, id: string) => Promise<Run | undefined>
  silent: (db: Database, silentMs: number) => Promise<SilentRun[]>
  make: (db: Database) => Promise<Made>
  /** What a completed run has put in force. */
  inForce?: (db: Database) => Promise<Made | undefined>
}

type Doing = Command | 'start'
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

/** The table of the services' files: the next state, the answer and the audit entry of each command. */
const NOTHING = (answer: string) => Object.fromEntries(STATES.map((state) => [state, [state, answer]]))
const ENDING = (status: RunStatus, entry: string) => ({ pending: [status, 'fine', entry], running: [status, 'fine', entry] })
const TABLE: Record<Doing, Record<string, string[]>> = {
  start: { ...NOTHING('fine'), none: ['pending', 'fine', 'request'] },
  begin: { ...NOTHING('no'), pending: ['running', 'fine', 'start'], running: ['running', 'fine'] },
  advance: { ...NOTHING('no'), running: ['running', 'fine'] },
  complete: { ...NOTHING('no'), running: ['completed', 'fine', 'complete'], completed: ['completed', 'fine'] },
  fail: { ...NOTHING('fine'), ...ENDING('failed', 'fail') },
  cancel: {
    ...NOTHING('ended'),
    none: ['none', 'none'],
    cancelled: ['cancelled', 'fine'],
    ...ENDING('cancelled', 'cancel'),
  },
  abandon: { ...NOTHING('fine'), running: ['failed', 'fine', 'fail'] },
}

/** The expected runs after completed commands. An open run blocks a start. */
type Model = Map<string, { status: RunStatus; entries: string[] }>

function apply(runs: Model, id: string, doing: Doing): string {
  const run = runs.get(id)
  if (doing === 'start') {
    if (run !== undefined) return 'fine'
    if ([...runs.values()].some(({ status }) => status === 'pending' || status === 'running')) return 'taken'
    runs.set(id, { status: 'pending', entries: ['request'] })
    return 'fine'
  }
  if (run === undefined) return TABLE[doing]['none']![1]!
  const [next, answer, entry] = TABLE[doing][run.status]! as [RunStatus, string, string?]
  run.status = next
  if (entry !== undefined) run.entries.push(entry)
  return answer
}

/** The answer of a command as the table names it. Any other error is the death of a process. */
async function answerOf(result: Promise<unknown>, doing: Doing): Promise<string> {
  try {
    const answer = await result
    if (doing === 'begin') return answer === true ? 'fine' : 'no'
    if (doing === 'complete') return answer === 'completed' ? 'fine' : 'no'
    if (doing === 'cancel') return answer === undefined ? 'none' : 'fine'
    return 'fine'
  } catch (error) {
    if (error instanceof RunIsOpenError) return 'taken'
    if (error instanceof RunEndedError) return 'ended'
    if (error instanceof NotRunningError) return 'no'
    throw error
  }
}

/** Tests that hold for every kind of run of which at most one is open. */
export function describeRuns<Run extends { status: RunStatus }, Made>(kind: Kind<Run, Made>): void {
  const { table, commands, find, silent, make, inForce = async () => undefined } = kind
  const act = (doing: Doing, db: Database, id: string, made: Made) => answerOf(commands[doing](db, id, made), doing)
  const entriesOf = async (db: Database, id: string) => {
    const { rows } = await sql<{ action: string }>`
      select action from audit_entry where resource_type = ${table} and resource_id = ${id} order by audit_id`.execute(db)
    return rows.map(({ action }) => action.replace(`${kind.audited}.`, ''))
  }

  describe.each(['start', ...COMMANDS] as const)('%s', (command) => {
    test.for(STATES)('for a run that is %s', async (state, { db }) => {
      const made = await make(db)
      const id = randomUUID()
      for (const doing of WAY[state]) expect([doing, await act(doing, db, id, made)]).toEqual([doing, 'fine'])
      const before = { run: await find(db, id), entries: await entriesOf(db, id) }
      expect(before.run?.status ?? 'none').toBe(state)
      const [after, answer, entry] = TABLE[command][state]!
      expect(await act(command, db, id, made)).toBe(answer)
      // A repeat, as after a crash, gives the same answer where it can and writes nothing twice.
      const run = await find(db, id)
      await act(command, db, id, made)
      expect(await find(db, id)).toEqual(run)
      expect(run?.status ?? 'none').toBe(after)
      expect(await entriesOf(db, id)).toEqual([...before.entries, ...(entry === undefined ? [] : [entry])])
      if (entry === undefined) expect(run).toEqual(before.run)
      expect(await inForce(db)).toEqual(after === 'completed' ? made : undefined)
    })
  })

  test('one run is open at a time; other requests are told which one', async ({ db }) => {
    const ids = Array.from({ length: 8 }, () => randomUUID())
    const answers = await Promise.all(ids.map((id) => commands.start(db, id).catch((error: unknown) => error)))
    const runs = (await Promise.all(ids.map((id) => find(db, id)))).flatMap((run, n) => (run ? [{ id: ids[n], run }] : []))
    expect(runs).toHaveLength(1)
    for (const answer of answers) {
      if (answer instanceof RunIsOpenError) expect(answer.details).toEqual({ run_id: runs[0]!.id })
      else expect(answer).toEqual(runs[0]!.run)
    }
    expect(answers.filter((answer) => answer instanceof RunIsOpenError)).toHaveLength(7)
  })

  test('a run is silent when it is open and has done nothing for a long time', async ({ db }) => {
    const id = randomUUID()
    const age = () => sql`update ${sql.table(table)} set active_at = active_at - interval '2 minutes'`.execute(db)
    await commands.start(db, id)
    expect(await silent(db, 60_000)).toEqual([])
    await age()
    expect(await silent(db, 60_000)).toEqual([{ id, isPending: true }])
    await commands.begin(db, id)
    expect(await silent(db, 60_000)).toEqual([])
    await age()
    expect(await silent(db, 60_000)).toEqual([{ id, isPending: false }])
    await commands.advance(db, id)
    expect(await silent(db, 60_000)).toEqual([])
  })

  test(
    'the table of transitions holds for any order of commands that die and are repeated',
    { timeout: 120_000 },
    async ({ db }) => {
      const action = fc.record({
        run: fc.nat(2),
        doing: fc.constantFrom(...(Object.keys(TABLE) as Doing[])),
        // Dies after this number of answers and is repeated, or runs twice concurrently, or once.
        diesAt: fc.option(fc.integer({ min: 1, max: 9 })),
        isTwice: fc.boolean(),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: 14 }), async (actions) => {
          await clear(db)
          const ids = [randomUUID(), randomUUID(), randomUUID()]
          const made = [await make(db), await make(db), await make(db)]
          const model: Model = new Map()
          for (const { run, doing, diesAt, isTwice } of actions) {
            const [id, its] = [ids[run]!, made[run]!]
            if (diesAt !== null) await act(doing, failingAt(db, diesAt), id, its).catch(() => undefined)
            const answers = await Promise.all(Array.from({ length: isTwice ? 2 : 1 }, () => act(doing, db, id, its)))
            const expected = apply(model, id, doing)
            expect([doing, answers]).toEqual([doing, answers.map(() => expected)])
            for (const each of ids) {
              expect((await find(db, each))?.status).toEqual(model.get(each)?.status)
              expect(await entriesOf(db, each)).toEqual(model.get(each)?.entries ?? [])
            }
          }
        }),
        { numRuns: 40 },
      )
    },
  )
}
