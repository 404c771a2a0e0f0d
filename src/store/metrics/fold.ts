import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** Few enough for a short statement, and more than a request of 10,000 products leaves as a rule. */
export const FOLD_DELTAS_MAX = 5_000

/**
 * Moves deltas into the rows of their metrics, and notes which keys changed. One statement, so that a reader or a crash never finds a delta
 * in both or in neither. Deltas that another fold has taken are skipped: their ids do not tell which of them were committed.
 * @returns how many deltas it moved.
 */
export async function foldDeltas(db: Queryable): Promise<number> {
  const result = await sql<{ folded: number }>`
    with chosen as materialized (
      select key, currency, delta_id from product_metric_delta limit ${FOLD_DELTAS_MAX} for update skip locked
    ), taken as (
      delete from product_metric_delta d using chosen c where d.key = c.key and d.currency = c.currency and d.delta_id = c.delta_id
      returning d.key, d.currency, d.total, d.active, d.deleted, d.value, d.price_sum, d.changed_at
    ), folded as (
      insert into product_metric as m (key, currency, total, active, deleted, value, price_sum)
      select key, currency, sum(total), sum(active), sum(deleted), sum(value), sum(price_sum)
      from taken group by key, currency order by key, currency
      on conflict (key, currency) do update set total = m.total + excluded.total, active = m.active + excluded.active,
        deleted = m.deleted + excluded.deleted, value = m.value + excluded.value, price_sum = m.price_sum + excluded.price_sum
    ), changed as (
      insert into product_metric_change as c (key, changed_at, is_due)
      select key, max(changed_at), true from taken group by key order by key
      on conflict (key) do update set changed_at = greatest(c.changed_at, excluded.changed_at), is_due = true
    )
    select count(*)::int as folded from taken`.execute(db)
  return onlyRow(result).folded
}
