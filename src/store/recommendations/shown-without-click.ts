import { sql } from 'kysely'
import { instantOf } from '../../contract/fields/time.ts'
import type { Queryable } from '../database/connection.ts'

/** A product that was shown to a shopper. */
export interface ShownProduct {
  productId: string
  /** When it was shown last. */
  shownAtMs: number
  /** In how many answers. */
  times: number
}

/** Impressions of one shopper that are read, the newest. */
const IMPRESSIONS_MAX = 200

/**
 * The products that were shown under these ids of a shopper since an instant, without those of which the shopper has a later event, whatever
 * its type. By product id. Costs an index probe for each id, and reads at most 200 impressions.
 */
export async function shownWithoutClick(db: Queryable, shopperIds: readonly string[], sinceMs: number): Promise<ShownProduct[]> {
  const { rows } = await sql<{ productId: string; shownAtMs: string; times: number }>`
    with later as materialized (
      select product_id, max(occurred_at) as at from shopper_recent
      where shopper_id = any(${shopperIds}::text[]) and occurred_at >= ${instantOf(sinceMs)}::timestamptz group by product_id
    )
    select s.product_id as "productId", (extract(epoch from max(s.shown_at)) * 1000)::bigint as "shownAtMs", count(*)::int as times
    from (
      select p.shown_at, unnest(p.product_ids) as product_id from (
        select shown_at, product_ids from impression
        where shopper_id = any(${shopperIds}::text[]) and shown_at >= ${instantOf(sinceMs)}::timestamptz
        order by shown_at desc limit ${IMPRESSIONS_MAX}
      ) p
    ) s
    where not exists (select from later l where l.product_id = s.product_id and l.at >= s.shown_at)
    group by s.product_id order by s.product_id collate "C"`.execute(db)
  return rows.map(({ shownAtMs, ...row }) => ({ ...row, shownAtMs: Number(shownAtMs) }))
}
