import { sql } from 'kysely'
import type { ReportSlug } from '../../contract/report.ts'
import type { Day } from '../../ranking/day.ts'
import type { Database } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { BLOCK_DAYS, BLOCK_WEEKS, blockOf, blocksInUse, builtWeeks, REPORTS_IN_BLOCKS, sumsOfWeeks } from './report-blocks.ts'
import { takeScopeLock } from './report-buckets.ts'

/** Most blocks that one call adds up, of each report. */
const BLOCKS_MAX = 4
const BIGINT_MAX = 2n ** 63n - 1n

/**
 * Adds up weeks where all of a block are built and none was built in the last `quietMs`, so that a block whose weeks get late events again and again is not
 * added up each time. @returns how many blocks.
 */
export async function addUpWeeks(db: Database, quietMs: number): Promise<number> {
  let count = 0
  for (const report of REPORTS_IN_BLOCKS) {
    const { rows } = await sql<{ first: Day }>`
      select bucket::text as first from (
        select ${blockOf(sql`bucket`)} as bucket, max(built_at) as built_at from (${builtWeeks(report)}) week
        group by 1 having count(*) = ${sql.lit(BLOCK_WEEKS)}
      ) block
      where built_at < clock_timestamp() - ${quietMs}::float8 * interval '1 millisecond'
        and bucket not in (${blocksInUse(report, builtWeeks(report))})
      order by bucket desc limit ${sql.lit(BLOCKS_MAX)}`.execute(db)
    for (const { first } of rows) count += await addUp(db, report, first)
  }
  return count
}

/** The weeks stay as they are until the transaction ends. A number beyond 2^63 leaves its weeks without a block. */
async function addUp(db: Database, report: ReportSlug, first: Day): Promise<number> {
  return db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    await takeScopeLock(tx, { report, window: 'week' })
    const isOfBlock = sql`bucket between ${first}::date and ${first}::date + ${sql.lit(BLOCK_DAYS - 1)}`
    await sql`delete from metric_snapshot where report_slug = ${report} and bucket_window = 'block' and bucket = ${first}::date`.execute(
      tx,
    )
    const result = await sql<{ count: number }>`
      with part as materialized (${sumsOfWeeks(report, isOfBlock)}),
      block as (
        insert into report_bucket (bucket, built_at, run_id, report_slug, bucket_window)
        select ${first}::date, max(built_at), (array_agg(run_id order by built_at desc))[1], ${report}, 'block' from (${builtWeeks(report)}) week
        where ${isOfBlock} and not exists (select from part where abs(value) > ${String(BIGINT_MAX)}::numeric)
        having count(*) = ${sql.lit(BLOCK_WEEKS)}
        on conflict (report_slug, bucket_window, bucket) do update set built_at = excluded.built_at, run_id = excluded.run_id
        returning run_id
      ), stored as (
        insert into metric_snapshot (value, bucket, run_id, report_slug, bucket_window, dimension_key, metric, dimension_value)
        select value::bigint, bucket, run_id, ${report}, 'block', dimension_key, metric, dimension_value from part cross join block
      )
      select count(*)::int as count from block`.execute(tx)
    return onlyRow(result).count
  })
}
