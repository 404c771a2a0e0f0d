import { type RawBuilder, sql } from 'kysely'
import type { Breakdown, ReportDefinition, ReportSlug, ReportsRequest } from '../../contract/report.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** What the rows of a breakdown are. */
export interface Shape {
  /** Which snapshots they are made of; null for the snapshots of all events of a bucket. */
  dimension: 'source' | 'status' | 'entity' | null
  /** Whether each bucket has its own rows; totals of the range otherwise. */
  isPerBucket: boolean
  /** The field of a row with the value of the dimension. */
  field?: 'source' | 'status' | 'entity_id'
  /** Whether rows with the most events come first. */
  isRanked?: boolean
}

interface Report {
  /** Besides the snapshots of all events, a report has a snapshot per value of its dimension. */
  dimension: NonNullable<Shape['dimension']>
  /** The column of analytics_event that events are grouped by. */
  column: RawBuilder<unknown>
  /** The value of the dimension in a snapshot, for a value `part` of the column. */
  value: RawBuilder<unknown>
  /** The breakdowns, the default first. A report without breakdowns has the shape `none` alone. */
  shapes: Partial<Record<Breakdown | 'none', Shape>>
}

/** Every report. Its name, windows and filters are the rows of report_definition and aggregate_window. */
export const REPORTS: Record<ReportSlug, Report> = {
  'volume-by-period': {
    dimension: 'source',
    column: sql`source_id`,
    value: sql`(select slug from event_source s where s.source_id = part)`,
    shapes: {
      period: { dimension: null, isPerBucket: true },
      source: { dimension: 'source', isPerBucket: true, field: 'source' },
    },
  },
  'status-counts': {
    dimension: 'status',
    column: sql`status`,
    value: sql`part`,
    shapes: {
      status: { dimension: 'status', isPerBucket: false, field: 'status' },
      period: { dimension: 'status', isPerBucket: true, field: 'status' },
    },
  },
  'top-entities': {
    dimension: 'entity',
    column: sql`entity_id`,
    value: sql`part`,
    shapes: { none: { dimension: 'entity', isPerBucket: false, field: 'entity_id', isRanked: true } },
  },
}

/** The shape of a breakdown, or of the default one; undefined when the report does not have it. */
export function shapeOf(slug: ReportSlug, breakdown: Breakdown | undefined): Shape | undefined {
  const { shapes } = REPORTS[slug]
  return breakdown === undefined ? Object.values(shapes)[0] : shapes[breakdown]
}

/** The breakdowns that a request can name. */
export function breakdownsOf(slug: ReportSlug): string[] {
  return Object.keys(REPORTS[slug].shapes).filter((name) => name !== 'none')
}

/** One report; undefined when it does not exist. */
export async function reportDefinition(db: Queryable, slug: string): Promise<ReportDefinition | undefined> {
  const { rows } = await sql<ReportDefinition>`
    select ${COLUMNS} from report_definition r where slug = ${slug}`.execute(db)
  return rows[0]
}

/** A page of the reports, and how many reports all pages have. */
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

/** The fields of a ReportDefinition, for a row r of report_definition. */
const COLUMNS = sql.raw(`r.slug, r.name, r.description, r.cache_ttl_seconds, r.default_window, r.supported_filters,
  (select coalesce(json_agg(json_build_object('window', w.bucket_window, 'retention_days', w.retention_days,
      'refresh_interval_minutes', w.refresh_interval_minutes) order by w.bucket_window), '[]')
    from aggregate_window w where w.report_slug = r.slug) as allowed_windows`)
