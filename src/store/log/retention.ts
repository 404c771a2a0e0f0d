import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Queryable, Database } from '../database/connection.ts'
import { waitForTransactions, withSessionLock } from '../database/locks.ts'
import { LOG_TABLES, type LogTableName, type Month, monthAfter } from './month.ts'
import { isLockTimeout } from '../database/sql-state.ts'
import { onlyRow } from '../database/rows.ts'

/** Lock timeout of one attempt. Statements that queue behind it are delayed by the same time. */
const LOCK_MS_MAX = 30
/**
 * DETACH CONCURRENTLY waits for every transaction that uses the log. During full ingest a transaction that counts takes 200 ms and
 * more. While it waits, it blocks only the creation of new months.
 */
const DETACH_MS_MAX = 1_000
const LOCK_PAUSE_MS = 100
/** A long read, e.g. by `verify`, holds a lock on every month. The next run tries again. */
const PATIENCE_MS = 6_000

interface Dropped {
  /** The dropped tables. */
  dropped: string[]
  /** Months before the horizon that are left, because their events are not all counted and fed, or because they are being read. */
  waiting: Month[]
}

/**
 * Drops the months of the log that ended more than so many days ago. The horizon moves first, so that nothing more is recorded before
 * it. Months whose events are not all counted and fed are left to the next run. Every step can be killed: the next run finishes a
 * half-detached month and drops a detached one. While one run works, a second one does nothing.
 *
 * Other statements wait for it a few milliseconds at most, because DETACH CONCURRENTLY takes no lock on the parent that conflicts with
 * reading or writing. The exception is an insert into a month without a partition.
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
      // Each table can have one half-detached month at a time.
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
 * Waits for running writers, because a statement that began before the horizon moved may still record an event before it. Each writer
 * locks the table before it reads the horizon, so all of them are found here.
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
  /** detaching: a run was killed before it finished. detached: the table exists, but is no partition any more. */
  state: 'attached' | 'detaching' | 'detached'
}

/** The months of a table that ended before the horizon: the half-detached one first, if any, then the oldest first. */
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

/** Whether the month has a batch that is not counted or fed. Reads the waiting batches. */
async function hasOpenBatches(db: Queryable, month: Month): Promise<boolean> {
  const result = await sql<{ isOpen: boolean }>`
    select exists (
      select from (
        select occurred_from, occurred_to from interaction_batch where scored_at is null
        union all
        select occurred_from, occurred_to from interaction_batch where fed_at is null
      ) b
      where b.occurred_from < ${`${monthAfter(month)}-01T00:00:00Z`}::timestamptz and b.occurred_to >= ${`${month}-01T00:00:00Z`}::timestamptz
    ) as "isOpen"`.execute(db)
  return onlyRow(result).isOpen
}

/** @returns whether the month is no partition any more. */
async function detach(db: Queryable, table: LogTableName, { partition, state }: OldMonth): Promise<boolean> {
  const alter = sql`alter table ${sql.table(table)} detach partition ${sql.table(partition)}`
  if (state === 'detached') return true
  if (state === 'attached') {
    if (await tryLocked(db, sql`${alter} concurrently`, DETACH_MS_MAX, () => isDetaching(db, partition))) return true
    if (!(await isDetaching(db, partition))) return false
  }
  return tryLocked(db, sql`${alter} finalize`, DETACH_MS_MAX)
}

/** Whether DETACH CONCURRENTLY stopped half-way. Then queries no longer see the month, and FINALIZE must do the rest. */
async function isDetaching(db: Queryable, partition: string): Promise<boolean> {
  const result = await sql<{ isPending: boolean }>`
    select exists (select from pg_inherits where inhrelid = to_regclass(${partition}) and inhdetachpending) as "isPending"`.execute(
    db,
  )
  return onlyRow(result).isPending
}

/**
 * Runs a statement with a lock timeout, and repeats it for 6 s or until repeating is useless.
 * @returns whether it succeeded.
 */
async function tryLocked(
  db: Queryable,
  statement: ReturnType<typeof sql>,
  lockMsMax: number,
  isUseless: () => Promise<boolean> = async () => false,
): Promise<boolean> {
  await sql`set lock_timeout = ${sql.lit(lockMsMax)}`.execute(db)
  const endMs = performance.now() + PATIENCE_MS
  for (;;) {
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
