import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { instantOf } from '../../../src/contract/fields/time.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import type { TestDatabase } from '../../harness/servers/database.ts'
import type { BenchStack } from '../servers/bench-stack.ts'
import { countsOf } from '../measure/row-counts.ts'
import { entrancesOf } from './ingest-run.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'

const CONNECTIONS = 32
const REQUEST_EVENTS = 1_000
/** PostgreSQL logs lock waits that are longer than this, with their holder and their end. */
const LOGGED_WAIT_MS = 5
/** The work begins this much later, so that it does not meet the first requests. */
const HEAD_START_MS = 500

export interface DuringIngest {
  /** The longest time between a request and its answer, in milliseconds. */
  longestAnswerMs: number
  /** One entry for each time that the work was done. */
  times: WorkTime[]
  /** The longest wait for a lock of the work's session, in milliseconds; 0 when none took 5 ms. */
  longestWaitMs: number
}

/** The work and a pause of the same length: their milliseconds, and the events that were counted in each. */
export interface WorkTime {
  workMs: number
  workEvents: number
  restMs: number
  restEvents: number
}

/** The work of a schedule on a session of its own. It is repeated while events come in, until it answers `isOver`. */
export type Work = (background: Database) => Promise<{ isOver: boolean }>

/** Makes PostgreSQL log lock waits. */
export async function logLockWaits(db: Database): Promise<void> {
  await sql`alter system set log_lock_waits = on`.execute(db)
  await sql`alter system set deadlock_timeout = ${sql.lit(LOGGED_WAIT_MS)}`.execute(db)
  await sql`select pg_reload_conf()`.execute(db)
}

/** Ingests at full load for `seconds` with or without concurrent work of a schedule. Each event must be counted once. */
export async function workDuringIngest(
  stack: BenchStack,
  { db, url }: Pick<TestDatabase, 'db' | 'url'>,
  seconds: number,
  work?: Work,
): Promise<DuringIngest> {
  const { endpoint, load, postgres } = stack
  const before = await countsOf(db)
  await endpoint.use(url)
  const job = { connections: CONNECTIONS, requestEvents: REQUEST_EVENTS, secondsMax: seconds }
  const go = await load.prepare({ kind: 'ingest', ...entrancesOf(stack).gateway, ...job })
  const background = connect({ url, name: 'bench background', connectionsMax: 1 })
  try {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(background)
    let isGoing = true
    const sent = go().finally(() => (isGoing = false))
    const done = work ? await repeatWork(background, work, () => isGoing) : []
    const { events, latency } = await sent
    await waitUntil(() => isSettled(db))
    await endpoint.use(null)
    // The log is not compared, because the work may have dropped a month of it.
    const after = await countsOf(db)
    if (after.hours - before.hours !== events || after.fed - before.fed !== events) {
      throw new Error(`of ${events} events were counted: ${JSON.stringify({ before, after })}`)
    }
    const times = await Promise.all(done.map((time) => timeOf(db, time)))
    const longestWaitMs = longestWaitFor(rows[0]!.pid, await readFile(postgres.logFile, 'utf8'))
    return { longestAnswerMs: latency.max, times, longestWaitMs }
  } finally {
    await background.destroy()
  }
}

/** Instants in milliseconds. */
interface Done {
  beganAt: number
  endedAt: number
  restedUntil: number
}

async function repeatWork(background: Database, work: Work, isGoing: () => boolean): Promise<Done[]> {
  const done: Done[] = []
  await sleep(HEAD_START_MS)
  for (let isOver = false; !isOver && isGoing();) {
    const beganAt = Date.now()
    ;({ isOver } = await work(background))
    const endedAt = Date.now()
    await sleep(endedAt - beganAt)
    done.push({ beganAt, endedAt, restedUntil: Date.now() })
  }
  // Events may have ended during the last repetition, so it is left out.
  return isGoing() || done.length === 1 ? done : done.slice(0, -1)
}

async function timeOf(db: Database, { beganAt, endedAt, restedUntil }: Done): Promise<WorkTime> {
  const counted = async (fromMs: number, toMs: number) => {
    const { rows } = await sql<{ events: number }>`
      select coalesce(sum(events), 0)::int as events from interaction_batch
      where scored_at >= ${instantOf(fromMs)}::timestamptz and scored_at < ${instantOf(toMs)}::timestamptz`.execute(db)
    return rows[0]!.events
  }
  const [workEvents, restEvents] = [await counted(beganAt, endedAt), await counted(endedAt, restedUntil)]
  return { workMs: endedAt - beganAt, workEvents, restMs: restedUntil - endedAt, restEvents }
}

/** The longest logged wait for a lock that this process held, or waited for first, when the wait was logged; 0 without any. */
export function longestWaitFor(holder: number, log: string): number {
  let longestMs = 0
  const waiters = new Set<string>()
  let logged: string | undefined
  for (const line of log.split('\n')) {
    logged = /process (\d+) still waiting for/.exec(line)?.[1] ?? logged
    const [, held, queue] = /Process(?:es)? holding the lock: ([\d, ]+)\. Wait queue: ([\d, ]*)\./.exec(line) ?? []
    if (logged !== undefined && held !== undefined) {
      const queued = queue!.split(', ')
      const before = queued.slice(0, queued.indexOf(logged))
      if ([...held.split(', '), ...before].includes(String(holder))) waiters.add(logged)
    }
    const [, waiter, ms] = /process (\d+) acquired .* after ([\d.]+) ms/.exec(line) ?? []
    if (waiter !== undefined && waiters.delete(waiter)) longestMs = Math.max(longestMs, Number(ms))
  }
  return longestMs
}
