import { sql } from 'kysely'
import type { Database } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { onlyRow } from '../database/rows.ts'

/** Rows that one statement looks at: about 30 ms. */
const ROWS_MAX = 10_000

/**
 * Deletes the recent events from before the horizon, because the log has them no more. It goes through the whole table by shoppers, and
 * does nothing when the horizon has not moved since. When it is killed, the next call begins again. It leaves rows that another transaction
 * has locked, and so never waits; no read returns them.
 */
export async function sweepRecent(db: Database): Promise<void> {
  const result = await sql<{ horizon: Date; isSwept: boolean }>`
    select horizon, swept_to >= horizon as "isSwept" from log_horizon cross join recent_progress`.execute(db)
  const { horizon, isSwept } = onlyRow(result)
  if (isSwept) return
  for (let after: string | null = ''; after !== null;) after = await sweepAfter(db, horizon, after)
  await sql`update recent_progress set swept_to = greatest(swept_to, ${horizon}::timestamptz)`.execute(db)
}

/** @returns the shopper up to which the rows were looked at; null after the last one. */
async function sweepAfter(db: Database, horizon: Date, after: string): Promise<string | null> {
  if (await isDistributed(db)) return sweepShardsAfter(db, horizon, after)
  const result = await sql<{ end: string | null }>`
    with last as (
      select (select shopper_id from shopper_recent where shopper_id > ${after} order by shopper_id offset ${ROWS_MAX} limit 1) as id
    ), old as (
      select r.ctid as place from shopper_recent r cross join last
      where r.shopper_id > ${after} and (last.id is null or r.shopper_id <= last.id) and r.occurred_at < ${horizon}
      for update of r skip locked
    ), gone as (
      delete from shopper_recent where ctid = any(array(select place from old))
    )
    select id as end from last`.execute(db)
  return onlyRow(result).end
}

/** The same without the places of rows, which say nothing where there are shards. It waits for rows that another transaction has locked. */
async function sweepShardsAfter(db: Database, horizon: Date, after: string): Promise<string | null> {
  const { rows } = await sql<{ end: string }>`
    select shopper_id as "end" from shopper_recent where shopper_id > ${after} order by shopper_id offset ${ROWS_MAX} limit 1`.execute(
    db,
  )
  const end = rows[0]?.end ?? null
  const isInRange = end === null ? sql`true` : sql`shopper_id <= ${end}`
  await sql`
    delete from shopper_recent where shopper_id > ${after} and ${isInRange} and occurred_at < ${horizon}`.execute(db)
  return end
}
