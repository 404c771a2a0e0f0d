import { sql } from 'kysely'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { LOG_TABLES, type LogTableName, type Month } from '../log/month.ts'
import { lockKeys } from './shopper-key.ts'

/** The table that a month is restored into. */
export function restoredTable(table: LogTableName, month: Month): string {
  return `restored.${table}_${month.replace('-', '_')}`
}

/** Makes the table of a month, which has the columns and the primary key of the log. A table that an operator has dropped is made again. */
export async function prepareRestored(db: Database, table: LogTableName, month: Month): Promise<void> {
  const name = restoredTable(table, month)
  await db.transaction().execute(async (tx) => {
    await sql`lock table restored_month in share row exclusive mode`.execute(tx)
    const answer = await sql<{ exists: boolean }>`select to_regclass(${name}) is not null as exists`.execute(tx)
    if (onlyRow(answer).exists) return
    await sql`create table ${sql.table(name)} (like ${sql.table(table)} including defaults including constraints including indexes)`.execute(
      tx,
    )
    await sql`delete from restored_part where table_name = ${table} and month = ${month}`.execute(tx)
    await sql`delete from restored_month where table_name = ${table} and month = ${month}`.execute(tx)
    await sql`insert into restored_month (table_name, month) values (${table}, ${month})`.execute(tx)
    await grantToVerifiers(tx, name)
  })
}

/** `verify` reads the table as the user of the endpoint, which is a user that may count. The gateway's user may not read it. */
async function grantToVerifiers(tx: Queryable, name: string): Promise<void> {
  const { rows } = await sql<{ user: string }>`
    select distinct a.grantee::regrole::text as user from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = 'shopper_product'::regclass and a.privilege_type = 'INSERT' and a.grantee not in (c.relowner, 0)`.execute(tx)
  for (const { user } of rows) {
    await sql`grant usage on schema restored to ${sql.raw(user)}`.execute(tx)
    await sql`grant select on ${sql.table(name)} to ${sql.raw(user)}`.execute(tx)
  }
}

/** A row to restore: what PostgreSQL wrote, and what is put over it. Each is one line. */
export interface RestoredRow {
  line: string
  /** A JSON object with the ids and the personal columns. */
  over: string
}

/**
 * Restores a part in one transaction, once. The keys of the shoppers stay locked until its end, so that an erasure finds all of its rows.
 * `work` inserts the rows, and throws when the part is not what its manifest says.
 * @returns whether it was restored now.
 */
export async function restorePart(
  db: Database,
  at: { table: LogTableName; month: Month; part: number; sha256: string },
  work: (tx: Queryable, insert: (rows: readonly RestoredRow[]) => Promise<void>) => Promise<void>,
): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    await lockKeys(tx, 'to use')
    const { rows } = await sql`
      insert into restored_part (table_name, month, part, sha256) values (${at.table}, ${at.month}, ${at.part}, ${at.sha256})
      on conflict do nothing returning part`.execute(tx)
    if (rows.length === 0) return false
    await work(tx, (restored) => insertRows(tx, restoredTable(at.table, at.month), restored))
    return true
  })
}

/** Texts with all lines are half the work of arrays, whose every quotation mark would be escaped. */
async function insertRows(tx: Queryable, name: string, rows: readonly RestoredRow[]): Promise<void> {
  const lines = (field: keyof RestoredRow) => sql`string_to_array(${rows.map((row) => row[field]).join('\n')}, E'\\n')`
  await sql`
    insert into ${sql.table(name)}
    select r.* from unnest(${lines('line')}, ${lines('over')}) as n(line, over)
      cross join lateral json_populate_record(json_populate_record(null::${sql.table(name)}, n.line::json), n.over::json) r`.execute(
    tx,
  )
}

/** Notes that a month is restored when its table has so many rows. @returns how many it has. */
export async function completeRestored(db: Database, table: LogTableName, month: Month, expected: number): Promise<number> {
  const name = sql.table(restoredTable(table, month))
  await sql`analyze ${name}`.execute(db)
  const rows = Number(onlyRow(await sql<{ rows: string }>`select count(*) as rows from ${name}`.execute(db)).rows)
  if (rows === expected)
    await sql`
      update restored_month set restored_at = now() where table_name = ${table} and month = ${month} and restored_at is null`.execute(
      db,
    )
  return rows
}

/** A month of a table that is wholly restored. */
export interface RestoredMonth {
  table: LogTableName
  month: Month
}

/** The months that are wholly restored, whose tables are still there, and which this database user may read, as the owner and the endpoint may. */
export async function restoredMonths(db: Queryable): Promise<RestoredMonth[]> {
  const { rows } = await sql<RestoredMonth>`
    select table_name as "table", month from restored_month
      join pg_namespace n on n.nspname = 'restored' and has_schema_privilege(n.oid, 'usage')
      join pg_class c on c.relnamespace = n.oid and c.relname = table_name || '_' || replace(month, '-', '_') and has_table_privilege(c.oid, 'select')
    where restored_at is not null and table_name = any(${LOG_TABLES.map(String)}::text[])
    order by month, table_name`.execute(db)
  return rows
}

/** Gives the rows of a run's shoppers in restored months its pseudonyms. @returns how many. */
export async function eraseRestored(tx: Queryable, runId: string): Promise<number> {
  return Number(onlyRow(await sql<{ erased: string }>`select erase_restored(${runId}::uuid) as erased`.execute(tx)).erased)
}
