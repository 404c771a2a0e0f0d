import { sql } from 'kysely'
import { kindsWith, type KindWith } from '../../contract/kinds.ts'
import { takeLock } from '../database/locks.ts'
import type { Database } from '../database/connection.ts'

/** A month as `2026-11`. */
export type Month = string

export function monthOf(milliseconds: number): Month {
  return new Date(milliseconds).toISOString().slice(0, 7)
}

export type LogTableName = KindWith<'isLogged'>

/** The tables of the log, each of them partitioned by month of occurred_at. */
export const LOG_TABLES: readonly LogTableName[] = kindsWith('isLogged')

/** Creates the missing partitions of the months in every table of the log. A lock makes concurrent callers take turns. */
export async function makePartitions(db: Database, months: readonly Month[]): Promise<void> {
  for (const month of [...new Set(months)].sort()) {
    await db.transaction().execute(async (tx) => {
      await takeLock(tx, 'partitions', 'exclusive')
      for (const table of LOG_TABLES) await sql`select make_log_month(${table}, ${`${month}-01`}::date)`.execute(tx)
    })
  }
}

/** The current month by the database's clock, and the `ahead` months after it. */
export async function comingMonths(db: Database, ahead: number): Promise<Month[]> {
  const { rows } = await sql<{ month: Month }>`
    select to_char(date_trunc('month', now() at time zone 'UTC') + n * interval '1 month', 'YYYY-MM') as month
    from generate_series(0, ${ahead}::int) as n order by n`.execute(db)
  return rows.map((row) => row.month)
}

export function monthAfter(month: Month): Month {
  const [year, number] = month.split('-').map(Number) as [number, number]
  return monthOf(Date.UTC(year, number, 1))
}
