import { sql } from 'kysely'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { LOG_TABLES, type LogTableName, type Month } from '../log/month.ts'

/** The rows of each month of each table of the log. */
export type LogCounts = Record<LogTableName, Record<Month, number>>

/** What the log of a database has. */
export interface LogFacts {
  /** The snapshot that was counted. */
  at: Date
  /** The newest file of sql/ that was applied. */
  schema: string
  /** The number of the newest batch of recorded events; 0 before the first. */
  lastBatch: string
  log: LogCounts
}

/**
 * Counts the log in one snapshot. `onSnapshot` is called when the snapshot is taken: all that it has was committed before that. Reads every
 * month once.
 */
export function readLogFacts(db: Database, onSnapshot: () => void = () => undefined): Promise<LogFacts> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const head = await sql<Omit<LogFacts, 'log'>>`
        select now() as at, (select max(name) from migration) as schema,
          (select coalesce(max(batch_id), 0)::text from interaction_batch) as "lastBatch"`.execute(tx)
      onSnapshot()
      return { ...onlyRow(head), log: await countLog(tx) }
    })
}

/** The rows of each month of the log. */
async function countLog(tx: Queryable): Promise<LogCounts> {
  const counts: [LogTableName, Record<Month, number>][] = []
  for (const table of LOG_TABLES) {
    // By partition, because a month of each row would have to be computed.
    const { rows } = await sql<{ month: Month; rows: string }>`
      select replace(right(c.relname, 7), '_', '-') as month, counted.rows
      from (select tableoid as oid, count(*) as rows from ${sql.table(table)} group by tableoid) counted join pg_class c using (oid)
      order by month`.execute(tx)
    counts.push([table, Object.fromEntries(rows.map(({ month, rows: count }) => [month, Number(count)]))])
  }
  return Object.fromEntries(counts) as LogCounts
}

/** A month that has fewer rows than it had. */
export interface ShorterMonth {
  table: string
  month: Month
  rows: number
  had: number
}

/**
 * The months of the log that have fewer rows than they had. Rows leave the log only with their month, when retention drops it: an erasure and an
 * archive change none of these counts. So months before the horizon are left out.
 */
export async function shorterMonths(db: Database, had: Readonly<Record<string, Record<Month, number>>>): Promise<ShorterMonth[]> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const firstMonth = await firstKeptMonth(tx)
      const has: Partial<Record<string, Record<Month, number>>> = await countLog(tx)
      return Object.entries(had).flatMap(([table, months]) =>
        Object.entries(months)
          .map(([month, rows]) => ({ table, month, rows: has[table]?.[month] ?? 0, had: rows }))
          .filter((one) => one.month >= firstMonth && one.rows < one.had),
      )
    })
}

/** The first month that retention has left. */
async function firstKeptMonth(db: Queryable): Promise<Month> {
  const result = await sql<{ month: Month }>`
    select to_char(horizon at time zone 'UTC', 'YYYY-MM') as month from log_horizon`.execute(db)
  return onlyRow(result).month
}
