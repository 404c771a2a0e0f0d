import { sql } from 'kysely'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { REPORTS_IN_BLOCKS } from '../reports/report-blocks.ts'
import { takeScopeLock } from '../reports/report-buckets.ts'
import { PROVIDERS } from '../payments/providers.ts'
import { firstDayOf, monthsAfter } from './months.ts'
import { addErased, advance, type ErasureAt } from './run-machine.ts'

/** The instants of a month. */
const monthOfEvents = (firstDay: string) =>
  sql`i.occurred_at >= ${`${firstDay}T00:00:00Z`}::timestamptz and i.occurred_at < (${firstDay}::date + interval '1 month') at time zone 'UTC'`

/** The next month of a part that goes month by month, in a transaction of its own: `work` is for its first day. */
async function inNextMonth(
  db: Database,
  table: 'interaction' | 'search' | 'analytics_event',
  at: ErasureAt,
  work: (tx: Queryable, firstDay: string) => Promise<void>,
): Promise<void> {
  const [month, ...later] = await monthsAfter(db, table, at.place)
  await db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    if (month !== undefined) await work(tx, firstDayOf(month))
    await advance(tx, at, month !== undefined && later.length > 0 ? month : null)
  })
}

/**
 * Finds the interactions of the next month. Costs a pass over the month, because the log has no index by shopper: it would cost every
 * recording more than the few erasures need.
 */
export function findEvents(db: Database, at: ErasureAt): Promise<void> {
  const { runId } = at
  return inNextMonth(db, 'interaction', at, async (tx, firstDay) => {
    await sql`
      insert into erasure_event (run_id, occurred_at, event_id, batch_id)
      select ${runId}::uuid, i.occurred_at, i.event_id, i.batch_id from interaction i cross join erasure_run r
      where r.run_id = ${runId}::uuid and ${monthOfEvents(firstDay)}
        and (i.account_id in (${idsOf(runId, 'account')}) or i.session_id in (${idsOf(runId, 'session')}))
        and (i.occurred_at <= r.erased_at or i.batch_id <= r.batch_max)
      on conflict do nothing`.execute(tx)
  })
}

/** The ids of a kind that a run erases, without the kind. PostgreSQL hashes them, so each row costs the same, however many they are. */
function idsOf(runId: string, kind: 'account' | 'session') {
  return sql`select substr(shopper_id, ${kind.length + 2}) from erasure_shopper
    where run_id = ${runId}::uuid and shopper_id like ${`${kind}:%`}`
}

export function eraseSearches(db: Database, at: ErasureAt): Promise<void> {
  return inNextMonth(db, 'search', at, async (tx, firstDay) => {
    const result = await sql<{ erased: string }>`select erase_searches(${at.runId}::uuid, ${firstDay}::date) as erased`.execute(
      tx,
    )
    await addErased(tx, at.runId, 'search', onlyRow(result).erased)
  })
}

/**
 * Erases the analytics events of the next month, and then the rows of the reports that name the person. The days of changed events are
 * marked dirty, so that the reports are rebuilt.
 */
export async function eraseReports(db: Database, at: ErasureAt): Promise<void> {
  const { runId } = at
  await inNextMonth(db, 'analytics_event', at, async (tx, firstDay) => {
    const result = await sql<{ erased: string; days: string[] | null }>`
      select erased, days::text[] as days from erase_analytics_events(${runId}::uuid, ${firstDay}::date, ${PROVIDERS})`.execute(
      tx,
    )
    const { erased, days } = onlyRow(result)
    await addErased(tx, runId, 'analytics_event', erased)
    if (days !== null) {
      await sql`
        insert into dirty_mark (day, report_slug, bucket_window)
        select day, report_slug, bucket_window from unnest(${days}::date[]) as d(day) cross join aggregate_window`.execute(tx)
    }
    const isLast = (await monthsAfter(tx, 'analytics_event', firstDay.slice(0, 7))).length === 0
    if (isLast) await addErased(tx, runId, 'metric_snapshot', await renameEntities(tx, runId))
  })
}

/** Takes the blocks with the person out of use, under the lock of those who add up blocks. They are added up again from the renamed weeks. */
async function dropBlocksOf(tx: Queryable, runId: string): Promise<void> {
  for (const report of REPORTS_IN_BLOCKS) await takeScopeLock(tx, { report, window: 'week' })
  await sql`
    with gone as (
      delete from metric_snapshot m using erasure_shopper s
      where s.run_id = ${runId}::uuid and m.dimension_value = substr(s.shopper_id, strpos(s.shopper_id, ':') + 1) and m.dimension_key = 'entity' and m.bucket_window = 'block'
      returning m.report_slug, m.bucket
    )
    delete from report_bucket b using gone
    where b.report_slug = gone.report_slug and b.bucket_window = 'block' and b.bucket = gone.bucket`.execute(tx)
}

/**
 * Renames the person in the rows of the reports. A bucket with a dirty mark is rebuilt later, and one from before the horizon never. Every
 * other bucket was rebuilt since, so its row is of events after the erasure. Where a bucket has the pseudonym already, the old row goes.
 */
async function renameEntities(tx: Queryable, runId: string): Promise<number> {
  await dropBlocksOf(tx, runId)
  const rename = sql`
    select m.report_slug, m.bucket_window, m.bucket, m.metric, m.dimension_value, min(s.pseudonym) as pseudonym from metric_snapshot m join erasure_shopper s
      on s.run_id = ${runId}::uuid and m.dimension_value = substr(s.shopper_id, strpos(s.shopper_id, ':') + 1)
    where m.dimension_key = 'entity' and (
      m.bucket < (select horizon at time zone 'UTC' from log_horizon)
      or exists (select from dirty_mark d where d.report_slug = m.report_slug and d.bucket_window = m.bucket_window
        and d.day >= m.bucket and d.day < m.bucket + case m.bucket_window when 'week' then 7 else 1 end))
    group by 1, 2, 3, 4, 5`
  const isOf = sql`m.dimension_key = 'entity' and m.report_slug = r.report_slug and m.bucket_window = r.bucket_window and m.bucket = r.bucket
    and m.metric = r.metric and m.dimension_value = r.dimension_value`
  const gone = await sql`
    delete from metric_snapshot m using (${rename}) r
    where ${isOf} and exists (
      select from metric_snapshot o where (o.report_slug, o.bucket_window, o.bucket, o.metric, o.dimension_key, o.dimension_value)
        = (m.report_slug, m.bucket_window, m.bucket, m.metric, m.dimension_key, r.pseudonym))`.execute(tx)
  const renamed = await sql`
    update metric_snapshot m set dimension_value = r.pseudonym from (${rename}) r where ${isOf}`.execute(tx)
  return Number(gone.numAffectedRows ?? 0) + Number(renamed.numAffectedRows ?? 0)
}
