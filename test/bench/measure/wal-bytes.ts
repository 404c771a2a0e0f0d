import { sql } from 'kysely'
import type { Queryable } from '../../../src/store/database/connection.ts'
import { onlyRow } from '../../../src/store/database/rows.ts'

/** Bytes of the write-ahead log, without the whole pages that a checkpoint leads to. */
export interface WalBytes {
  total: number
  /** What is about tables of these names, and their indexes. */
  ofTables: number
}

/** A place in the write-ahead log. */
export async function walPlace(db: Queryable): Promise<string> {
  return onlyRow(await sql<{ place: string }>`select pg_current_wal_insert_lsn()::text as place`.execute(db)).place
}

/** What was written between two places, which the server must still have. It needs the extension pg_walinspect. */
export async function walBytesBetween(db: Queryable, from: string, to: string, tables: readonly string[]): Promise<WalBytes> {
  const result = await sql<WalBytes>`
    with block as (
      select relfilenode, case when block_id = 0 then record_length else 0 end as bytes, block_fpi_length as page
      from pg_get_wal_block_info(${from}::pg_lsn, ${to}::pg_lsn, false)
    ), node as (
      select pg_relation_filenode(t.oid) as id from pg_class t where t.relname = any(${tables}::text[])
      union all
      select pg_relation_filenode(i.indexrelid) from pg_index i join pg_class t on t.oid = i.indrelid where t.relname = any(${tables}::text[])
    )
    select (pg_wal_lsn_diff(${to}::pg_lsn, ${from}::pg_lsn) - coalesce(sum(page), 0))::float8 as total,
      coalesce(sum(bytes - page) filter (where relfilenode in (select id from node)), 0)::float8 as "ofTables"
    from block`.execute(db)
  return onlyRow(result)
}
