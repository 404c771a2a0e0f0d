import { sql } from 'kysely'
import type { Database } from '../database/connection.ts'
import type { LogTable } from './log-table.ts'
import type { LogRow, NewRejection } from '../../admission/rows.ts'
import { isMissingPartition, isDataError } from '../database/sql-state.ts'

/** Halves the rows until each row that PostgreSQL rejects is alone. Every trial is rolled back. */
export async function findRejected<Row extends LogRow>(
  db: Database,
  table: LogTable<Row>,
  rows: readonly Row[],
): Promise<NewRejection[]> {
  const error = await trial(db, table, rows)
  if (error === undefined || rows.length === 0) return []
  if (!isDataError(error) || isMissingPartition(error)) throw error
  if (rows.length === 1) {
    const [{ index, item }] = rows as [Row]
    return [{ index, code: 'refused', field: null, message: `refused by PostgreSQL: ${(error as Error).message}`, item }]
  }
  const middle = rows.length >> 1
  return [...(await findRejected(db, table, rows.slice(0, middle))), ...(await findRejected(db, table, rows.slice(middle)))]
}

async function trial<Row extends LogRow>(db: Database, table: LogTable<Row>, rows: readonly Row[]): Promise<unknown> {
  const tx = await db.startTransaction().execute()
  try {
    await sql`
      with given as (${table.rowsAsTable(rows)})
      insert into ${sql.table(table.kind)} (${table.columns})
      select ${table.values(sql`0`)} from given ${table.joins}
      where given.occurred_at >= (select horizon from log_horizon)
      order by given.occurred_at, given.event_id, given.index
      on conflict (occurred_at, event_id) do nothing`.execute(tx)
    return undefined
  } catch (error) {
    return error
  } finally {
    await tx.rollback().execute()
  }
}
