import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'

/** The real schema in PostgreSQL: every table, view, column, index, constraint, type and function, as text for reviewers. */
export async function describeSchema(db: Database): Promise<string> {
  const { rows } = await sql<{ line: string }>`
    with own as (
      select c.oid, c.oid::regclass::text collate "C" as relname, c.relkind from pg_class c
      where c.relnamespace in ('public'::regnamespace, 'catalog'::regnamespace, 'secret'::regnamespace, 'access'::regnamespace) and c.relkind in ('r', 'p') and not c.relispartition
    )
    select line from (
      select relname as a, 0 as b, '' as c, format(E'\n%s %s%s', case relkind when 'p' then 'partitioned table' else 'table' end, relname,
        coalesce(' with ' || (select reloptions::text from pg_class x where x.oid = own.oid), '')) as line from own
      union all
      select relname, 1, lpad(attnum::text, 3, '0'), format('  %s %s%s%s%s', attname, format_type(atttypid, atttypmod),
        case when attcollation <> 0 and collname <> 'default' then ' collate ' || collname else '' end,
        case when attnotnull then ' not null' else '' end,
        case when attidentity <> '' then ' identity' else coalesce(' default ' || pg_get_expr(adbin, adrelid), '') end)
      from own join pg_attribute on attrelid = own.oid and attnum > 0 and not attisdropped
        left join pg_collation on pg_collation.oid = attcollation
        left join pg_attrdef on adrelid = own.oid and adnum = attnum
      union all
      select relname, 2, conname, format('  %s: %s', conname, pg_get_constraintdef(pg_constraint.oid))
      from own join pg_constraint on conrelid = own.oid and contype <> 'n'
      union all
      select relname, 3, indexrelid::regclass::text, '  ' || pg_get_indexdef(indexrelid) from own join pg_index on indrelid = own.oid
      union all
      select relname, 4, tgname, '  ' || pg_get_triggerdef(pg_trigger.oid) from own join pg_trigger on tgrelid = own.oid and not tgisinternal
      union all
      select viewname, 0, '', format(E'\nview %s as\n%s', viewname, definition) from pg_views where schemaname = 'public'
      union all
      select typname, 5, '', E'\n' || 'type ' || typname || ' as enum ' || (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = t.oid)
      from pg_type t where typtype = 'e' and typnamespace in ('public'::regnamespace, 'catalog'::regnamespace, 'secret'::regnamespace, 'access'::regnamespace)
      union all
      select proname, 6, '', E'\n' || pg_get_functiondef(p.oid) from pg_proc p where pronamespace in ('public'::regnamespace, 'catalog'::regnamespace, 'secret'::regnamespace, 'access'::regnamespace)
    ) everything order by a, b, c`.execute(db)
  return `${rows
    .map((row) => row.line)
    .join('\n')
    .trim()}\n`
}
