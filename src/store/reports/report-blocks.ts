import { type RawBuilder, sql } from 'kysely'
import type { ReportSlug } from '../../contract/report.ts'
import { BUCKET_DAYS, MONDAY } from '../../ranking/bucket.ts'
import type { Day } from '../../ranking/day.ts'
import type { Queryable } from '../database/connection.ts'
import { REPORTS } from './report-definition.ts'

/** Weeks that are added up for the reports with very many values. A year has five or six such blocks. */
export const BLOCK_WEEKS = 8
export const BLOCK_DAYS = BLOCK_WEEKS * BUCKET_DAYS.week

/** The first day of the block that a week is in. */
export function blockOf(week: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(${week} - (${week} - ${MONDAY}::date) % ${sql.lit(BLOCK_DAYS)})`
}

/** The reports that have blocks. */
export const REPORTS_IN_BLOCKS = (Object.keys(REPORTS) as ReportSlug[]).filter((slug) =>
  Object.values(REPORTS[slug].shapes).some(({ isRanked }) => isRanked),
)

/**
 * The blocks that are the sums of weeks as they are built now. A block is a bucket of the window `block`, which callers cannot ask for, and its `built_at` is
 * that of its week which was built last. So a week that is built again takes its block out of use, whichever release builds it.
 * @param weeks  buckets with their `built_at`
 */
export function blocksInUse(report: ReportSlug, weeks: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select b.bucket from (
      select ${blockOf(sql`bucket`)} as bucket, max(built_at) as built_at from (${weeks}) week group by 1 having count(*) = ${sql.lit(BLOCK_WEEKS)}
    ) w join report_bucket b on b.report_slug = ${report} and b.bucket_window = 'block' and b.bucket = w.bucket and b.built_at = w.built_at`
}

/** The weeks of a report that are built. */
export function builtWeeks(report: ReportSlug): RawBuilder<unknown> {
  return sql`select bucket, built_at, run_id from report_bucket where report_slug = ${report} and bucket_window = 'week'`
}

/** The numbers of each block, as sums of the snapshots of its weeks. */
export function sumsOfWeeks(report: ReportSlug, which: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select ${blockOf(sql`bucket`)} as bucket, dimension_key, dimension_value, metric,
      case metric when 'processing_ms_max' then max(value) else sum(value) end as value
    from metric_snapshot
    where report_slug = ${report} and bucket_window = 'week' and dimension_key = ${REPORTS[report].dimension} and ${which}
    group by 1, 2, 3, 4`
}

/** Takes the blocks with such weeks out of use. Needed for a clock that goes back: a week is built later otherwise. */
export async function dropBlocks(tx: Queryable, report: ReportSlug, { from, to }: { from: Day; to: Day }): Promise<void> {
  await sql`
    delete from report_bucket where report_slug = ${report} and bucket_window = 'block'
      and bucket > ${from}::date - ${sql.lit(BLOCK_DAYS)} and bucket <= ${to}::date`.execute(tx)
}

/** Deletes the blocks with weeks from before a day. */
export async function dropBlocksBefore(tx: Queryable, report: ReportSlug, first: Day): Promise<void> {
  const isOfBlock = sql`report_slug = ${report} and bucket_window = 'block' and bucket < ${first}::date`
  await sql`delete from metric_snapshot where ${isOfBlock}`.execute(tx)
  await sql`delete from report_bucket where ${isOfBlock}`.execute(tx)
}
