import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import type { LogTableName, Month } from '../log/month.ts'

/** The months of a table of the log after one, the oldest first; all for null. */
export async function monthsAfter(db: Queryable, table: LogTableName, after: Month | null): Promise<Month[]> {
  const { rows } = await sql<{ month: Month }>`
    select replace(right(c.relname, 7), '_', '-') as month from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = ${table}::regclass order by 1`.execute(db)
  return rows.map(({ month }) => month).filter((month) => after === null || month > after)
}

/** The first day of a month, as the functions of the log take it. */
export function firstDayOf(month: Month): string {
  return `${month}-01`
}
