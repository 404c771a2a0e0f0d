import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** Which part of the log a version is made from, so that it can be made again exactly. */
export interface LogSnapshot {
  readAt: Date
  horizon: Date
  /** The newest batch, and the batches with smaller numbers that were not committed yet. */
  batchTo: string
  batchesMissing: string[]
  /** The merges of sessions into accounts: their number, and when the last one was. */
  merges: string
  mergesTo: string | null
  /** The types with a weight above 0, in order. */
  eventTypes: string[]
}

/** A transaction ends within 30 s or so. In that time no shop begins so many others that record. */
const MISSING_MAX = 10_000

/** Describes the log as the transaction sees it, whose isolation must be REPEATABLE READ. */
export async function readSnapshot(tx: Queryable): Promise<LogSnapshot> {
  const result = await sql<LogSnapshot>`
    select now() as "readAt", l.horizon, newest.id as "batchTo", array(
        select n from generate_series(greatest(newest.id - ${MISSING_MAX - 1}::bigint, 1), newest.id) n
        where not exists (select from interaction_batch b where b.batch_id = n) order by n) as "batchesMissing",
      (select count(*) from shopper_redirect) as merges, (select max(merged_at)::text from shopper_redirect) as "mergesTo",
      array(select w.event_type from weight w join popularity_rules r on r.weights_version = w.version
        where w.weight_micros > 0 order by 1) as "eventTypes"
    from log_horizon l cross join (select coalesce(max(batch_id), 0) as id from interaction_batch) newest`.execute(tx)
  return onlyRow(result)
}
