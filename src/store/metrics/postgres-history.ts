import { sql } from 'kysely'
import type { MetricHistory, RecordedState } from '../../contract/metric-history.ts'
import { HISTORY_DAYS, type MetricState } from '../../contract/product-metrics.ts'
import { instantOf } from '../../contract/fields/time.ts'
import type { Queryable } from '../database/connection.ts'

const EXPIRED_MAX = 5_000
const IS_KEPT = sql`(expires_at is null or expires_at > now())`

/** The states of metrics in PostgreSQL. */
export function postgresHistory(db: Queryable): MetricHistory {
  return {
    keep: async (states) => {
      if (states.length > 0) await keepStates(db, states)
    },

    at: async (key, atMs) => {
      const { rows } = await sql<StoredState>`
        select * from (
          select * from product_metric_history where key = ${key} and at <= ${instantOf(atMs)}::timestamptz order by at desc limit 1
        ) newest where ${IS_KEPT}`.execute(db)
      return rows.map(recordedOf)[0]
    },

    series: async (key, { fromMs, toMs, limit }) => {
      const { rows } = await sql<StoredState>`
        select key, at, state from product_metric_history
        where key = ${key} and at >= ${instantOf(fromMs)}::timestamptz and at < ${instantOf(toMs)}::timestamptz and ${IS_KEPT}
        order by at desc limit ${limit}`.execute(db)
      return rows.map(recordedOf)
    },
  }
}

/** Deletes some expired states, also while they are kept elsewhere. @returns how many. */
export async function dropExpiredStates(db: Queryable): Promise<number> {
  const { numAffectedRows } = await sql`
    with old as materialized (
      select key, at from product_metric_history where expires_at <= now() order by expires_at limit ${EXPIRED_MAX}
    )
    delete from product_metric_history h using old where h.key = old.key and h.at = old.at`.execute(db)
  return Number(numAffectedRows)
}

interface StoredState {
  key: string
  at: Date
  state: MetricState
}

function recordedOf({ key, at, state }: StoredState): RecordedState {
  return { key, atMs: at.getTime(), state }
}

/** One statement. The replaced states are kept again if they are missing, because another store may have been in use before. */
async function keepStates(db: Queryable, states: Parameters<MetricHistory['keep']>[0]): Promise<void> {
  const rows = states.flatMap(({ key, atMs, state, replaced }) => [
    { key, at: instantOf(atMs), state, replacedAt: null },
    ...(replaced === undefined
      ? []
      : [{ key, at: instantOf(replaced.atMs), state: replaced.state, replacedAt: instantOf(atMs) }]),
  ])
  await sql`
    insert into product_metric_history as h (key, at, state, expires_at)
    select key, at, state, "replacedAt" + ${HISTORY_DAYS} * interval '24 hours'
    from json_to_recordset(${JSON.stringify(rows)}::json) as r (key text, at timestamptz, state jsonb, "replacedAt" timestamptz)
    order by key, at
    on conflict (key, at) do update set expires_at = excluded.expires_at where h.expires_at is null and excluded.expires_at is not null`.execute(
    db,
  )
}
