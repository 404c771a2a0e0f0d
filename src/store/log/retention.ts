import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Queryable, Database } from '../database/connection.ts'
import { haveTransactionsEnded, waitForTransactions, withSessionLock } from '../database/locks.ts'
import { LOG_TABLES, type LogTableName, type Month, monthAfter } from './month.ts'
import { isLockTimeout } from '../database/sql-state.ts'
import { onlyRow } from '../database/rows.ts'

/** A long read, e.g. by `verify`, holds a lock on every month. The next run tries again. */
const PATIENCE_MS = 6_000
/**
 * Lock timeouts of the attempts to drop a month. Statements that use its table queue behind an attempt, so the first ones are short.
 * During full ingest a transaction that counts takes 200 ms and more.
 */
const LOCK_MS = [50, 200, 1_000]
const LOCK_PAUSE_MS = 100

interface Dropped {
  /** The dropped tables. */
  dropped: string[]
  /** Months before the horizon that are left, because their events are not all counted and fed, or because they are being read. */
  waiting: Month[]
  /** Whether an archive stopped half-way, and the next run goes on. Absent otherwise. */
  isArchiving?: true
}

/** Archives a month of a table before it is dropped. @returns false when there is more to do. */
export type ArchiveMonth = (table: LogTableName, month: Month) => Promise<boolean>

/**
 * Drops the months of the log that ended more than so many days ago. The horizon moves first, so that nothing more is recorded before
 * it. Months whose events are not all counted and fed are left to the next run. Each of the others is archived first, when there is an
 * archive. Every step can be killed: the next run goes on. While one run works, a second one does nothing.
 *
 * A statement that uses the log can wait for it up to a second: until the transactions that were open before it have ended.
 */
export async function dropOldMonths(db: Database, retentionDays: number, archive?: ArchiveMonth): Promise<Dropped> {
  return db.connection().execute(async (session) => {
    try {
      return (
        (await withSessionLock(session, 'retention', () => dropMonths(session, retentionDays, archive))) ?? {
          dropped: [],
          waiting: [],
        }
      )
    } finally {
      await sql`set lock_timeout = default`.execute(session).catch(() => undefined)
    }
  })
}

async function dropMonths(db: Queryable, retentionDays: number, archive?: ArchiveMonth): Promise<Dropped> {
  const horizonMonth = await moveHorizon(db, retentionDays)
  await waitForWriters(db)
  const dropped: string[] = []
  const waiting = new Set<Month>()
  for (const table of LOG_TABLES) {
    let isInUse = false
    for (const old of await monthsBefore(db, table, horizonMonth)) {
      const isDone = !old.isAttached || !(await hasOpenBatches(db, old.month))
      // A detached month was to be dropped by the release before, which has no archive.
      if (isDone && old.isAttached && archive !== undefined && !(await archive(table, old.month)))
        return { dropped, waiting: [...waiting, old.month], isArchiving: true }
      const isGone: boolean = !isInUse && isDone && (await tryToDrop(db, table, old))
      if (isGone) dropped.push(old.partition)
      else waiting.add(old.month)
      isInUse ||= isDone && !isGone
    }
  }
  return { dropped, waiting: [...waiting] }
}

/** @returns the first month that is kept. The horizon is the start of a month, so that months go whole. */
async function moveHorizon(db: Queryable, retentionDays: number): Promise<Month> {
  await sql`select move_log_horizon(${retentionDays})`.execute(db)
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
  /** Its name without a schema. */
  partition: string
  oid: number
  /** False for a month that the release before detached without dropping it. */
  isAttached: boolean
}

/** The months of a table that ended before the horizon, the oldest first. */
async function monthsBefore(db: Queryable, table: LogTableName, horizonMonth: Month): Promise<OldMonth[]> {
  const { rows } = await sql<OldMonth>`
    select c.oid, c.relname as partition, replace(right(c.relname, 7), '_', '-') as month, i.inhrelid is not null as "isAttached"
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = ${table}::regclass
    where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'log_month'::regnamespace)
      and c.relname ~ ${`^${table}_[0-9]{4}_[0-9]{2}$`}
    order by month`.execute(db)
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

/**
 * Drops a month unless its table is being read for long. First it waits for the transactions that are open now, which delays none: the
 * transactions that an attempt must then wait for are young, so that what queues behind it goes on soon.
 * @returns whether the month is gone.
 */
async function tryToDrop(db: Queryable, table: LogTableName, { month, oid }: OldMonth): Promise<boolean> {
  const uses = sql`locktype = 'relation' and relation in (${table}::regclass, ${oid}::oid)`
  if (!(await haveTransactionsEnded(db, uses, PATIENCE_MS))) return false
  for (const lockMs of LOCK_MS) {
    await sql`set lock_timeout = ${sql.lit(lockMs)}`.execute(db)
    try {
      await sql`select drop_log_month(${table}, ${`${month}-01`}::date)`.execute(db)
      return true
    } catch (error) {
      if (!isLockTimeout(error)) throw error
      await sleep(LOCK_PAUSE_MS)
    }
  }
  return false
}
