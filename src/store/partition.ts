import { sql } from 'kysely'
import { lockFor } from './locks.ts'
import type { Database, Store } from './database.ts'

/** A month as `2026-11`. */
export type Month = string

export function monthOf(milliseconds: number): Month {
  return new Date(milliseconds).toISOString().slice(0, 7)
}

/** The tables of the log: each is partitioned by month of occurred_at. */
export const LOG_TABLES = ['interaction', 'search'] as const

export type LogTableName = (typeof LOG_TABLES)[number]

/** A month's partition of a table of the log. */
export function partitionOf(table: LogTableName, month: Month): string {
  return `${table}_${month.replace('-', '_')}`
}

/** Makes the partitions of the given months that are missing, of every table of the log. The lock makes two makers take turns. */
export async function makePartitions(db: Store, months: readonly Month[]): Promise<void> {
  for (const month of [...new Set(months)].sort()) {
    await db.transaction().execute(async (tx) => {
      await lockFor(tx, 'partitions', 'exclusive')
      for (const table of LOG_TABLES) await makePartition(tx, table, month)
    })
  }
}

/** Created beside the table and then attached: ATTACH does not wait for open inserts, CREATE … PARTITION OF does. */
async function makePartition(tx: Database, table: LogTableName, month: Month): Promise<void> {
  const name = partitionOf(table, month)
  const { rows } = await sql<{ attached: boolean }>`
    select exists (select from pg_inherits where inhparent = ${table}::regclass
      and inhrelid = to_regclass(${name})) as attached`.execute(tx)
  if (rows[0]?.attached) return
  const from = sql.lit(`${month}-01 00:00:00+00`)
  const to = sql.lit(`${monthAfter(month)}-01 00:00:00+00`)
  await sql`create table ${sql.table(name)} (like ${sql.table(table)} including defaults including constraints)`.execute(tx)
  await sql`alter table ${sql.table(table)} attach partition ${sql.table(name)} for values from (${from}) to (${to})`.execute(tx)
}

/** The month of the database's clock and the `ahead` months after it. */
export async function comingMonths(db: Store, ahead: number): Promise<Month[]> {
  const { rows } = await sql<{ month: Month }>`
    select to_char(date_trunc('month', now() at time zone 'UTC') + n * interval '1 month', 'YYYY-MM') as month
    from generate_series(0, ${ahead}::int) as n order by n`.execute(db)
  return rows.map((row) => row.month)
}

export function monthAfter(month: Month): Month {
  const [year, number] = month.split('-').map(Number) as [number, number]
  return monthOf(Date.UTC(year, number, 1))
}
