import { type RawBuilder, sql } from 'kysely'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../../src/store/log/month.ts'
import { addUpWeeks } from '../../../src/store/reports/report-block-sums.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

export interface ReportData {
  events: number
  days: number
  entities: number
}

const RUN = sql`'00000000-0000-4000-8000-000000000001'::uuid`
const DIMENSIONS = [
  ['volume-by-period', 'source', sql`source`],
  ['status-counts', 'status', sql`status`],
  ['top-entities', 'entity', sql`entity_id`],
] as const

/** Stores events, the same number every day until now, and the snapshots of every report and window. */
export async function storeReportData(db: Database, { events, days, entities }: ReportData): Promise<void> {
  const nowMs = Date.now()
  await makePartitions(
    db,
    Array.from({ length: days + 1 }, (_, ago) => monthOf(nowMs - ago * DAY_MS)),
  )
  await withoutTimeout(db, async (unlimited) => {
    await sql`insert into event_source (slug) values ('erp'), ('crm'), ('warehouse')`.execute(unlimited)
    await sql`
      insert into analytics_event (occurred_at, amount, source_id, processing_ms, external_ref, entity_id, status, currency)
      select now() - n::float8 / ${events} * ${days}::int * interval '1 day', floor(random() * 100000), 1 + n % 3, floor(random() * 2000),
        'ref-' || n, 'entity-' || floor(random() * ${entities}::int), (array['success', 'failed', 'pending'])[1 + floor(random() * 3)],
        'EUR'
      from generate_series(0, ${events}::int - 1) n`.execute(unlimited)
    await sql`
      create table bench_cell as
      select (occurred_at at time zone 'UTC')::date as day, slug as source, status, entity_id, count(*) as events,
        sum(amount) as amount, sum(processing_ms) as ms, max(processing_ms) as ms_max
      from analytics_event join event_source using (source_id) group by 1, 2, 3, 4`.execute(unlimited)
    for (const window of ['day', 'week']) {
      for (const [slug, dimension, column] of DIMENSIONS) {
        await storeSnapshots(unlimited, { slug, window, dimension, column })
      }
    }
    await sql`drop table bench_cell`.execute(unlimited)
    while ((await addUpWeeks(unlimited, 0)) > 0);
    await sql`delete from dirty_mark`.execute(unlimited)
    await sql`update report_definition set cache_ttl_seconds = 0`.execute(unlimited)
    await sql`vacuum (analyze)`.execute(unlimited)
  })
}

interface Snapshots {
  slug: string
  window: string
  dimension: string
  column: RawBuilder<unknown>
}

async function storeSnapshots(db: Database, { slug, window, dimension, column }: Snapshots): Promise<void> {
  await sql`
    insert into metric_snapshot (report_slug, bucket_window, run_id, bucket, dimension_key, dimension_value, metric, value)
    select ${slug}, ${window}, ${RUN}, bucket, key, name, metric, value
    from (
      select date_trunc(${window}::text, day::timestamp)::date as bucket, d.key, d.name, sum(events) as events, sum(amount) as amount,
        sum(ms) as ms, max(ms_max) as ms_max
      from bench_cell cross join lateral (values (null, null), (${dimension}::text, ${column})) d (key, name)
      group by 1, 2, 3
    ) b cross join lateral (values ('event_count', events), ('processing_ms_count', events), ('processing_ms_sum', ms),
      ('processing_ms_max', ms_max), ('amount:EUR', amount)) m (metric, value)
    order by bucket`.execute(db)
  await sql`
    insert into report_bucket (report_slug, bucket_window, run_id, built_at, bucket)
    select distinct ${slug}, ${window}, ${RUN}, now(), date_trunc(${window}::text, day::timestamp)::date as bucket
    from bench_cell order by bucket`.execute(db)
}
