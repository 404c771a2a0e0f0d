import { sql } from 'kysely'
import type { Queryable } from '../../../src/store/database/connection.ts'

export interface RelationSize {
  table: string
  /** `heap`, `toast`, or the index's name. */
  part: string
  bytes: number
}

/** The sizes of every table's heap (with free space and visibility maps), toast and indexes; a partition's add to its parent's. */
export async function relationSizes(db: Queryable): Promise<RelationSize[]> {
  const { rows } = await sql<RelationSize>`
    with recursive root (oid, root) as (
      select c.oid, c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'p', 'i', 'I') and not c.relispartition
      union all
      select i.inhrelid, root.root from root join pg_inherits i on i.inhparent = root.oid
    ), part as (
      select t.oid, t.relname, 'heap' as part, pg_table_size(r.oid) - coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) as bytes
      from root r join pg_class c on c.oid = r.oid join pg_class t on t.oid = r.root where c.relkind in ('r', 'p')
      union all
      select t.oid, t.relname, 'toast', pg_total_relation_size(c.reltoastrelid)
      from root r join pg_class c on c.oid = r.oid join pg_class t on t.oid = r.root where c.reltoastrelid <> 0
      union all
      select t.oid, t.relname, x.relname, pg_relation_size(r.oid)
      from root r join pg_class c on c.oid = r.oid and c.relkind in ('i', 'I') join pg_class x on x.oid = r.root
        join pg_index i on i.indexrelid = r.root join pg_class t on t.oid = i.indrelid
    )
    select relname as "table", part, sum(bytes)::float8 as bytes from part
    group by relname, part having sum(bytes) > 0
    order by relname, array_position(array['heap', 'toast'], part), part`.execute(db)
  return rows
}

export function totalBytes(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0)
}
