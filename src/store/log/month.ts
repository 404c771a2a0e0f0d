import { sql } from 'kysely'
import { kindsWith, type KindWith } from '../../contract/kinds.ts'
import type { Database } from '../database/connection.ts'

/** A month as `2026-11`. */
export type Month = string

export function monthOf(milliseconds: number): Month {
  return new Date(milliseconds).toISOString().slice(0, 7)
}

export type LogTableName = KindWith<'isLogged'>

/** The tables of the log, each of them partitioned by month of occurred_at. */
export const LOG_TABLES: readonly LogTableName[] = kindsWith('isLogged')

/** Months that one transaction makes. A killed caller keeps what was made before, and others get their turn in between. */
const MONTHS_AT_ONCE = 24

/** A month is attached, then all sessions are told of it, and then it opens: each in a transaction that begins after the one before. */
const STEPS_AFTER_ATTACH = 2

/**
 * Makes the missing partitions of the months in these tables, and opens them. Concurrent callers take turns, and no other statement
 * waits. For each table it waits up to a second for transactions that use it. In a transaction it leaves the months closed.
 */
export async function makePartitions(
  db: Database,
  months: readonly Month[],
  tables: readonly LogTableName[] = LOG_TABLES,
): Promise<void> {
  const firstDays = [...new Set(months)].sort().map((month) => `${month}-01`)
  for (const table of tables) {
    const takeStep = (days: readonly string[]) => sql`select make_log_months(${table}, ${days}::date[])`.execute(db)
    for (let place = 0; place < firstDays.length; place += MONTHS_AT_ONCE) {
      await takeStep(firstDays.slice(place, place + MONTHS_AT_ONCE))
    }
    for (let step = 1; step <= STEPS_AFTER_ATTACH; step++) await takeStep(firstDays)
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
