import { sql } from 'kysely'
import type { CategoryMetrics, LowStockMetrics, MetricState, SellerMetrics } from '../../contract/product-metrics.ts'
import { instantOf } from '../../contract/fields/time.ts'
import type { Queryable } from '../database/connection.ts'

export const LOW_STOCK_KEY = 'LOWSTOCK'
const SELLER = 'SELLER#'
const CATEGORY = 'CATEGORY#'

export function sellerKey(sellerId: string): string {
  return `${SELLER}${sellerId}`
}

export function categoryKey(category: string): string {
  return `${CATEGORY}${category}`
}

/** The sums of each key and currency: its row and its deltas. Exact, because one statement moves deltas into the row. */
export function summedMetrics(where: ReturnType<typeof sql>) {
  return sql`
    select key, currency, sum(total)::bigint as total, sum(active)::bigint as active, sum(deleted)::bigint as deleted,
      sum(value) as value, sum(price_sum) as price_sum
    from (
      select key, currency, total, active, deleted, value, price_sum from product_metric where ${where}
      union all
      select key, currency, total, active, deleted, value, price_sum from product_metric_delta where ${where}
    ) part group by key, currency`
}

/** The sums of a key in a currency, which is empty for products without a price. Numbers as text, because they may be large. */
interface Cell {
  currency: string
  total: string
  active: string
  deleted: string
  value: string
  average: string | null
}

interface Read<State> {
  state: State
  /** When the statement read it. */
  readAtMs: number
}

/** What these keys come to, all at one instant. A key without products comes to zeros. Costs an index probe per key. */
export async function readStates(db: Queryable, keys: readonly string[]): Promise<Map<string, Read<MetricState>>> {
  const { rows } = await sql<{ key: string; readAt: Date; changedAt: Date | null; cells: Cell[] | null }>`
    with cell as (${summedMetrics(sql`key = any(${keys}::text[])`)}), clock as materialized (select clock_timestamp() as now)
    select k.key, clock.now as "readAt",
      (select max(changed_at) from (
        select changed_at from product_metric_change c where c.key = k.key
        union all
        select changed_at from product_metric_delta d where d.key = k.key
      ) changes) as "changedAt",
      (select json_agg(json_build_object('currency', currency, 'total', total::text, 'active', active::text, 'deleted', deleted::text,
          'value', value::text, 'average', round(price_sum / nullif(total, 0))::text) order by currency)
        from cell where cell.key = k.key and total <> 0) as cells
    from unnest(${keys}::text[]) as k(key) cross join clock`.execute(db)
  return new Map(
    rows.map(({ key, readAt, changedAt, cells }) => [
      key,
      { state: stateOf(key, cells ?? [], changedAt), readAtMs: readAt.getTime() },
    ]),
  )
}

async function readState<State extends MetricState>(db: Queryable, key: string): Promise<State> {
  return (await readStates(db, [key])).get(key)!.state as State
}

/** What a seller's products come to now. */
export function sellerMetrics(db: Queryable, sellerId: string): Promise<SellerMetrics> {
  return readState(db, sellerKey(sellerId))
}

/** What the products of a category come to now. */
export function categoryMetrics(db: Queryable, category: string): Promise<CategoryMetrics> {
  return readState(db, categoryKey(category))
}

/** What the products of some sellers come to now, all at one instant, in their order. */
export async function metricsOfSellers(db: Queryable, sellerIds: readonly string[]): Promise<SellerMetrics[]> {
  return statesInOrder(db, sellerIds.map(sellerKey))
}

/** The same for categories. */
export async function metricsOfCategories(db: Queryable, categories: readonly string[]): Promise<CategoryMetrics[]> {
  return statesInOrder(db, categories.map(categoryKey))
}

async function statesInOrder<State extends MetricState>(db: Queryable, keys: readonly string[]): Promise<State[]> {
  const unique = [...new Set(keys)]
  const states = await readStates(db, unique)
  return unique.map((key) => states.get(key)!.state as State)
}

/** How many products are low now. */
export function lowStockMetrics(db: Queryable): Promise<LowStockMetrics> {
  return readState(db, LOW_STOCK_KEY)
}

function stateOf(key: string, cells: readonly Cell[], changedAt: Date | null): MetricState {
  const last_updated = changedAt === null ? null : instantOf(changedAt.getTime())
  const sumOf = (column: 'total' | 'active' | 'deleted') => cells.reduce((sum, cell) => sum + Number(cell[column]), 0)
  const priced = cells.filter(({ currency }) => currency !== '')
  const amounts = priced.map(({ currency, value }) => ({ currency, amount: Number(value) }))
  const total_products = sumOf('total')
  if (key === LOW_STOCK_KEY) return { low_stock_count: total_products, last_updated }
  if (key.startsWith(SELLER)) {
    const counts = { total_products, active_products: sumOf('active'), deleted_products: sumOf('deleted') }
    return { seller_id: key.slice(SELLER.length), ...counts, amounts, last_updated }
  }
  const average_prices = priced.map(({ currency, average }) => ({ currency, amount: Number(average) }))
  return { category: key.slice(CATEGORY.length), total_products, amounts, average_prices, last_updated }
}
