import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

type Sql = ReturnType<typeof sql>

const PROVED = ['seller_id', 'category', 'brand', 'name', 'currency', 'price', 'quantity', 'status']
const SEARCHED = ['name', 'category', 'brand', 'seller_id', 'status']
const CELLS = ['total', 'active', 'deleted', 'value', 'price_sum']

const listOf = (names: readonly string[], of: (name: string) => string) => sql.raw(names.map(of).join(', '))

/** What the parts below need of a stored product p: its columns, and those of the version before as old_…. */
export const CHANGED_COLUMNS = sql`p.product_id, old.product_id is not null as was_there,
        ${listOf(PROVED, (name) => `new.${name}, old.${name} as old_${name}`)}`

const metricColumns = listOf(CELLS, (cell) => cell)
const isNoZero = sql.raw(CELLS.map((cell) => `${cell} <> 0`).join(' or '))

/**
 * The parts of a statement that do what the triggers of catalog.product do, for the products of its part `changed`: metrics, crossings of
 * low stock, and the search. Alerts are crossed by a statement of its own, `crossAlerts`.
 */
export const PRODUCT_EFFECTS = sql`
    measured as (
      insert into product_metric_delta (key, currency, ${metricColumns})
      select * from (
        select c.key, c.cell_currency, ${listOf(CELLS, (cell) => `sum(p.sign * c.${cell}) as ${cell}`)}
        from (
          select 1 as sign, seller_id, category, currency, price, quantity, status from changed
          union all
          select -1, old_seller_id, old_category, old_currency, old_price, old_quantity, old_status from changed where was_there
        ) p cross join product_metric_setting s cross join lateral
          product_metric_cells(p.seller_id, p.category, p.currency, p.price, p.quantity, p.status, s.low_stock_below) c
        group by c.key, c.cell_currency
      ) sums where ${isNoZero}
    ), became_low as (
      insert into low_stock_crossing (product_id, seller_id, quantity_before, quantity, is_low)
      select product_id, seller_id, old_quantity, quantity, is_low from (
        select c.*, coalesce(c.status = 'active' and c.quantity < s.low_stock_below, false) as is_low,
          coalesce(c.old_status = 'active' and c.old_quantity < s.low_stock_below, false) as was_low
        from changed c cross join product_metric_setting s
      ) p where is_low <> was_low order by product_id
    ), searched as (
      insert into catalog.product_search as s (product_id, words)
      select product_id, catalog.product_words(name, category, brand, seller_id, status) from changed
      where not was_there or (${listOf(SEARCHED, (name) => name)}) is distinct from (${listOf(SEARCHED, (name) => `old_${name}`)})
      order by product_id
      on conflict (product_id) do update set words = excluded.words where s.words <> excluded.words
    )`

/** What products had in stock before they were changed, as three lists. Quantities are texts, because JSON holds no bigint. */
export interface StockBefore {
  productIds: string[]
  quantities: (string | null)[]
  statuses: string[]
}

/** A StockBefore of the products of `changed` whose quantity or status is another one. */
export const STOCK_BEFORE: Sql = sql`(
  select json_build_object('productIds', coalesce(json_agg(product_id), '[]'),
    'quantities', coalesce(json_agg(old_quantity::text), '[]'), 'statuses', coalesce(json_agg(old_status), '[]'))
  from changed where was_there and (quantity, status) is distinct from (old_quantity, old_status))`

/** Crosses the alerts of stock that products passed. In the transaction that changed them, and after its statement. */
export async function crossAlerts(tx: Queryable, { productIds, quantities, statuses }: StockBefore): Promise<void> {
  if (productIds.length === 0) return
  await sql`select cross_stock_alerts(${productIds}::text[], ${quantities}::bigint[], ${statuses}::text[])`.execute(tx)
}
