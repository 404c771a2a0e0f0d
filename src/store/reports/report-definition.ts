import { sql } from 'kysely'
import type { ReportDefinition, ReportsRequest } from '../../contract/report.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** A report; undefined when there is none. */
export async function reportDefinition(db: Queryable, slug: string): Promise<ReportDefinition | undefined> {
  const { rows } = await sql<ReportDefinition>`
    select ${COLUMNS} from report_definition r where slug = ${slug}`.execute(db)
  return rows[0]
}

/** A page of the reports, and how many there are on all pages. */
export async function reportDefinitions(
  db: Queryable,
  { search, sort, order, limit, offset }: ReportsRequest,
): Promise<{ data: ReportDefinition[]; total: number }> {
  const [direction, text] = [sql.raw(order), (search ?? '').toLowerCase()]
  const result = await sql<{ data: ReportDefinition[] | null; total: number }>`
    select * from (
      with found as (
        select r.*, row_number() over (order by ${sql.ref(sort)} ${direction}, slug) as place from report_definition r
        where strpos(lower(concat_ws(E'\n', slug, name, description)), ${text}) > 0
      )
      select (select count(*)::int from found) as total, (
        select json_agg(definition order by place) from (
          select place, (select row_to_json(d) from (select ${COLUMNS}) d) as definition from found r
          order by place limit ${limit} offset ${offset}
        ) page) as data
    ) reports`.execute(db)
  const { data, total } = onlyRow(result)
  return { data: data ?? [], total }
}

/** The fields of a ReportDefinition, of a report_definition r. */
const COLUMNS = sql.raw(`r.slug, r.name, r.description, r.cache_ttl_seconds, r.default_window, r.supported_filters,
  (select coalesce(json_agg(json_build_object('window', w.bucket_window, 'retention_days', w.retention_days,
      'refresh_interval_minutes', w.refresh_interval_minutes) order by w.bucket_window), '[]')
    from aggregate_window w where w.report_slug = r.slug) as allowed_windows`)
