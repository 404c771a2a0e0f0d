import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Queryable, Database } from '../database/connection.ts'
import { waitForTransactions, withSessionLock } from '../database/locks.ts'
import { LOG_TABLES, type LogTableName, type Month, monthAfter } from './month.ts'
import { isLockTimeout } from '../database/sql-state.ts'
import { onlyRow } from '../database/rows.ts'

/** How long one attempt waits: whoever came after it for what it waits for waits as long. */
const LOCK_MS_MAX = 30
/**
 * DETACH CONCURRENTLY waits for every transaction that uses the log, and beside full ingest one of them counts for 200 ms and more.
 * Meanwhile it is in the way of nobody but who adds a month to the log.
 */
const DETACH_MS_MAX = 1_000
const LOCK_PAUSE_MS = 100
/** A long read, of verify perhaps, holds a lock on every month. The next run tries again. */
const PATIENCE_MS = 6_000

export interface Dropped {
  /** The tables that are gone. */
  dropped: string[]
  /** Months before the horizon that wait: for their last events to be counted and fed, or for whoever reads them. */
  waiting: Month[]
}

/**
 * Drops the months of the log that ended more than so many days ago. The horizon moves first, so that nothing is recorded
 * before it any more; months whose events are not all counted and fed are left to the next run. Every step can be killed: a
 * month that is half detached is detached to its end, and a detached one is dropped, by the next run. Two at once: the second
 * does nothing.
 *
 * Nobody waits for it longer than a few milliseconds, but for an insert into a month that has no partition yet: DETACH
 * CONCURRENTLY takes no lock on the parent that other writers or readers would meet.
 */
export async function dropOldMonths(db: Database, retentionDays: number): Promise<Dropped> {
  return db.connection().execute(async (session) => {
    try {
      return (
        (await withSessionLock(session, 'retention', () => dropMonths(session, retentionDays))) ?? { dropped: [], waiting: [] }
      )
    } finally {
      await sql`set lock_timeout = default`.execute(session).catch(() => undefined)
    }
  })
}

async function dropMonths(db: Queryable, retentionDays: number): Promise<Dropped> {
  const horizonMonth = await moveHorizon(db, retentionDays)
  await waitForWriters(db)
  const dropped: string[] = []
  const waiting = new Set<Month>()
  for (const table of LOG_TABLES) {
    let isBlocked = false
    for (const old of await monthsBefore(db, table, horizonMonth)) {
      const isGone: boolean =
        !isBlocked &&
        (old.state !== 'attached' || !(await hasOpenBatches(db, old.month))) &&
        (await detach(db, table, old)) &&
        (await tryLocked(db, sql`select drop_log_month(${table}, ${`${old.month}-01`}::date)`, LOCK_MS_MAX))
      if (isGone) dropped.push(old.partition)
      else waiting.add(old.month)
      // Of each table one month at a time can be half detached.
      isBlocked ||= !isGone && (await isDetaching(db, old.partition))
    }
  }
  return { dropped, waiting: [...waiting] }
}

/** @returns the first month that is kept. The horizon is the start of a month, so that months go whole. */
async function moveHorizon(db: Queryable, retentionDays: number): Promise<Month> {
  await sql`
    update log_horizon set horizon = h.wanted
    from (select date_trunc('month', now() - ${retentionDays}::int * interval '1 day', 'UTC') as wanted) h
    where horizon < h.wanted`.execute(db)
  const result = await sql<{ month: Month }>`
    select to_char(horizon at time zone 'UTC', 'YYYY-MM') as month from log_horizon`.execute(db)
  return onlyRow(result).month
}

/**
 * Waits for the writers that are under way: a statement that began before the horizon moved may still record an event before
 * it. Each takes its lock on the table before it looks at the horizon, so that all of them are seen here.
 */
async function waitForWriters(db: Queryable): Promise<void> {
  await waitForTransactions(
    db,
    sql`locktype = 'relation' and mode = 'RowExclusiveLock' and relation = any(${LOG_TABLES.map(String)}::text[]::regclass[]::oid[])`,
  )
}

interface OldMonth {
  month: Month
  partition: string
  /** detaching: a run was killed on the way. detached: the table is left, and nothing leads to it. */
  state: 'attached' | 'detaching' | 'detached'
}

/** The months of a table that ended before the horizon, oldest first; one that is half detached before all, for there can be one. */
async function monthsBefore(db: Queryable, table: LogTableName, horizonMonth: Month): Promise<OldMonth[]> {
  const { rows } = await sql<OldMonth>`
    select c.relname as partition, replace(right(c.relname, 7), '_', '-') as month,
      case when i.inhrelid is null then 'detached' when i.inhdetachpending then 'detaching' else 'attached' end as state
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = ${table}::regclass
    where c.relkind = 'r' and c.relnamespace = (select relnamespace from pg_class where oid = ${table}::regclass)
      and c.relname ~ ${`^${table}_[0-9]{4}_[0-9]{2}$`}
    order by i.inhdetachpending desc nulls last, month`.execute(db)
  return rows.filter(({ month }) => monthAfter(month) <= horizonMonth)
}

/** Whether a batch that reaches into the month waits to be counted or fed. Costs a look at the batches that wait. */
async function hasOpenBatches(db: Queryable, month: Month): Promise<boolean> {
  const result = await sql<{ open: boolean }>`
    select exists (
      select from (
        select occurred_from, occurred_to from interaction_batch where scored_at is null
        union all
        select occurred_from, occurred_to from interaction_batch where fed_at is null
      ) b
      where b.occurred_from < ${`${monthAfter(month)}-01T00:00:00Z`}::timestamptz and b.occurred_to >= ${`${month}-01T00:00:00Z`}::timestamptz
    ) as open`.execute(db)
  return onlyRow(result).open
}

/** @returns whether the month's table stands alone. */
async function detach(db: Queryable, table: LogTableName, { partition, state }: OldMonth): Promise<boolean> {
  const alter = sql`alter table ${sql.table(table)} detach partition ${sql.table(partition)}`
  if (state === 'detached') return true
  if (state === 'attached') {
    if (await tryLocked(db, sql`${alter} concurrently`, DETACH_MS_MAX, () => isDetaching(db, partition))) return true
    if (!(await isDetaching(db, partition))) return false
  }
  return tryLocked(db, sql`${alter} finalize`, DETACH_MS_MAX)
}

/** Whether DETACH CONCURRENTLY got half the way: from then on the month is out of reach, and FINALIZE must do the rest. */
async function isDetaching(db: Queryable, partition: string): Promise<boolean> {
  const result = await sql<{ pending: boolean }>`
    select exists (select from pg_inherits where inhrelid = to_regclass(${partition}) and inhdetachpending) as pending`.execute(
    db,
  )
  return onlyRow(result).pending
}

/**
 * Runs a statement that waits for each lock for so long, again and again for some seconds, or until there is no more use in it.
 * @returns whether it got through.
 */
async function tryLocked(
  db: Queryable,
  statement: ReturnType<typeof sql>,
  lockMsMax: number,
  isUseless: () => Promise<boolean> = async () => false,
): Promise<boolean> {
  await sql`set lock_timeout = ${sql.lit(lockMsMax)}`.execute(db)
  for (const endMs = performance.now() + PATIENCE_MS; ;) {
    try {
      await statement.execute(db)
      return true
    } catch (error) {
      if (!isLockTimeout(error)) throw error
      if ((await isUseless()) || performance.now() > endMs) return false
      await sleep(LOCK_PAUSE_MS)
    }
  }
}
