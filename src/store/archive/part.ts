import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import type { LogTableName, Month } from '../log/month.ts'

/** A part of an archived month. */
export interface Part {
  /** The object that it is in. */
  name: string
  rows: number
  bytes: number
  /** Of its bytes, in hex. */
  sha256: string
  /** The keys of its first row and of its last one. */
  first_key: (string | number)[]
  last_key: (string | number)[]
  /** Rows by type of event, or for the other tables by what tells them apart. */
  counts: Record<string, number>
}

/** The parts that were written of a month without a manifest, in their order. */
export async function partsOf(db: Queryable, table: LogTableName, month: Month): Promise<Part[]> {
  const { rows } = await sql<Part & { rows: string; bytes: string }>`
    select name, rows, bytes, sha256, first_key, last_key, counts from archive_part
    where table_name = ${table} and month = ${month} order by part`.execute(db)
  return rows.map((part) => ({ ...part, rows: Number(part.rows), bytes: Number(part.bytes) }))
}

/** Notes a part that was written. @returns false when another attempt noted this part before. */
export async function notePart(db: Queryable, table: LogTableName, month: Month, no: number, part: Part): Promise<boolean> {
  const { rows } = await sql`
    insert into archive_part (table_name, month, part, name, rows, bytes, sha256, first_key, last_key, counts)
    values (${table}, ${month}, ${no}, ${part.name}, ${part.rows}, ${part.bytes}, ${part.sha256}, ${JSON.stringify(part.first_key)}::jsonb,
      ${JSON.stringify(part.last_key)}::jsonb, ${JSON.stringify(part.counts)}::jsonb)
    on conflict do nothing returning part`.execute(db)
  return rows.length > 0
}

/** Forgets the parts of a month whose manifest names them. */
export async function forgetParts(db: Queryable, table: LogTableName, month: Month): Promise<void> {
  await sql`delete from archive_part where table_name = ${table} and month = ${month}`.execute(db)
}
