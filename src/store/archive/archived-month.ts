import { sql } from 'kysely'
import type { ArchivesRequest, ArchivesResponse } from '../../contract/archived-month.ts'
import type { Queryable } from '../database/connection.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import { onlyRow } from '../database/rows.ts'
import type { LogTableName, Month } from '../log/month.ts'

/** What an archive has of a month. */
export interface NewArchivedMonth {
  table: LogTableName
  month: Month
  rows: number
  bytes: number
  parts: number
  place: string
}

/** Notes that an archive has a month. Noted again, e.g. because the month could not be dropped, it keeps its time while it is the same, in the same place. */
export async function noteArchived(db: Queryable, { table, month, rows, bytes, parts, place }: NewArchivedMonth): Promise<void> {
  await sql`
    insert into archived_month as known (table_name, month, rows, bytes, parts, place, archived_at)
    values (${table}, ${month}, ${rows}, ${bytes}, ${parts}, ${place}, now())
    on conflict (month, table_name) do update
      set rows = excluded.rows, bytes = excluded.bytes, parts = excluded.parts, place = excluded.place, archived_at = excluded.archived_at
      where (known.rows, known.bytes, known.parts, known.place) is distinct from (excluded.rows, excluded.bytes, excluded.parts, excluded.place)`.execute(
    db,
  )
}

/** Whether this database has archived a month, or is about to. A state from before does not know the keys of its shoppers. */
export async function knowsArchive(db: Queryable, table: LogTableName, month: Month): Promise<boolean> {
  const result = await sql<{ isKnown: boolean }>`
    select exists (select from archive_part where table_name = ${table} and month = ${month})
      or exists (select from archived_month where table_name = ${table} and month = ${month}) as "isKnown"`.execute(db)
  return onlyRow(result).isKnown
}

const LIST = 'archives'

interface StoredMonth {
  table: string
  month: string
  rows: string
  bytes: string
  parts: number
  place: string
  archivedAt: Date
  restoredAt: Date | null
}

/** A page of the archived months, the latest first. @returns undefined for a cursor of another list. */
export async function listArchives(db: Queryable, { limit, cursor }: ArchivesRequest): Promise<ArchivesResponse | undefined> {
  const after = cursor === undefined ? undefined : decodeCursor(LIST, cursor)
  if (cursor !== undefined && after?.length !== 2) return undefined
  const isBeyond = after === undefined ? sql`true` : sql`(a.month, a.table_name) < (${after[0]}, ${after[1]})`
  const { rows } = await sql<StoredMonth>`
    select a.table_name as "table", a.month, a.rows, a.bytes, a.parts, a.place, a.archived_at as "archivedAt",
      case when exists (
        select from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'restored'
        where c.relname = a.table_name || '_' || replace(a.month, '-', '_')) then r.restored_at end as "restoredAt"
    from archived_month a left join restored_month r using (table_name, month)
    where ${isBeyond} order by a.month desc, a.table_name desc limit ${limit + 1}`.execute(db)
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return {
    data: shown.map(({ rows: count, bytes, archivedAt, restoredAt, ...month }) => ({
      ...month,
      rows: Number(count),
      bytes: Number(bytes),
      archived_at: archivedAt.toISOString(),
      restored_at: restoredAt?.toISOString() ?? null,
    })),
    meta: { next_cursor: last ? encodeCursor(LIST, [last.month, last.table]) : null },
  }
}
