import { sql } from 'kysely'
import { LOW_STOCK_PRODUCTS_MAX, type LowStock } from '../../contract/product-metrics.ts'
import { audit } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { utc } from '../database/json.ts'
import { alterTables } from '../database/locks.ts'
import { onlyRow } from '../database/rows.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { LOW_STOCK_KEY, lowStockMetrics } from './metric-state.ts'

const CROSSINGS_SHOWN_MAX = 100
const CROSSING_DAYS = 30
const DROPPED_MAX = 5_000

/** The products that are low, by the index that has them alone, and the latest crossings. Costs what it lists. */
export async function lowStock(db: Queryable): Promise<LowStock> {
  const low_stock_below = await lowStockBelow(db)
  const result = await sql<Pick<LowStock, 'products' | 'crossings'>>`
    select
      (select coalesce(json_agg(json_strip_nulls(json_build_object('product_id', product_id, 'seller_id', seller_id, 'name', name,
          'quantity', quantity, 'category', category)) order by quantity, product_id), '[]')
        from (
          select * from catalog.product where status = 'active' and quantity < ${sql.lit(low_stock_below)}
          order by quantity, product_id limit ${LOW_STOCK_PRODUCTS_MAX}
        ) low) as products,
      (select coalesce(json_agg(json_build_object('crossed_at', ${sql.raw(utc('crossed_at'))}::json, 'product_id', product_id,
          'seller_id', latest.seller_id, 'name', p.name, 'is_low', is_low, 'quantity_before', quantity_before,
          'quantity', latest.quantity) order by crossed_at desc, crossing_id desc), '[]')
        from (select * from low_stock_crossing order by crossed_at desc, crossing_id desc limit ${CROSSINGS_SHOWN_MAX}) latest
          left join catalog.product p using (product_id)
      ) as crossings`.execute(db)
  const { products, crossings } = onlyRow(result)
  const crossed = crossings.map(({ seller_id, name, ...rest }) => ({
    ...rest,
    ...(seller_id !== null && { seller_id }),
    ...(name !== null && { name }),
  }))
  return { ...(await lowStockMetrics(db)), low_stock_below, products, crossings: crossed }
}

/** Products with fewer items are low. */
export async function lowStockBelow(db: Queryable): Promise<number> {
  const result = await sql<{ below: number }>`select low_stock_below as below from product_metric_setting`.execute(db)
  return onlyRow(result).below
}

/**
 * Changes which products are low. Writers of products wait while the index is made: 1 s for a million products. Needs the owner of the
 * table.
 */
export function changeLowStock(db: Database, below: number, actor: string): Promise<void> {
  return alterTables(db, async (tx) => {
    await allowLongStatements(tx)
    await sql`lock table catalog.product in share row exclusive mode`.execute(tx)
    const before = await lowStockBelow(tx)
    if (before === below) return
    await sql`update product_metric_setting set low_stock_below = ${below}`.execute(tx)
    const countOf = (limit: number) =>
      sql`(select count(*) from catalog.product where status = 'active' and quantity < ${sql.lit(limit)})`
    await sql`
      insert into product_metric_delta (key, currency, total, active, deleted, value, price_sum)
      select ${LOW_STOCK_KEY}, '', n, n, 0, 0, 0 from (select ${countOf(below)} - ${countOf(before)} as n) d where n <> 0`.execute(
      tx,
    )
    // Readers wait for the exchange only, and not while the index is made.
    await sql`
      create index product_low_stock_next on catalog.product (quantity, product_id)
      where status = 'active' and quantity < ${sql.lit(below)}`.execute(tx)
    await sql`drop index catalog.product_low_stock`.execute(tx)
    await sql`alter index catalog.product_low_stock_next rename to product_low_stock`.execute(tx)
    const metadata = { low_stock_below: below, before }
    await audit(tx, { actor, action: 'low_stock.change', resourceType: 'low_stock', resourceId: LOW_STOCK_KEY, metadata })
  })
}

/** Deletes some crossings that are older than 30 days. @returns how many. */
export async function dropOldCrossings(db: Queryable): Promise<number> {
  const { numAffectedRows } = await sql`
    with old as materialized (
      select crossing_id from low_stock_crossing where crossed_at < now() - ${CROSSING_DAYS} * interval '24 hours'
      order by crossed_at limit ${DROPPED_MAX}
    )
    delete from low_stock_crossing c using old where c.crossing_id = old.crossing_id`.execute(db)
  return Number(numAffectedRows)
}
