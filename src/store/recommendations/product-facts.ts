import { sql } from 'kysely'
import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** Lists with one value for each product that has any. */
interface Row {
  ids: string[] | null
  categories: (string | null)[]
  brands: (string | null)[]
  sellers: (string | null)[]
  prices: (number | null)[]
  currencies: (string | null)[]
  quantities: (number | null)[]
  statuses: (ProductFacts['status'] | null)[]
  trending: number[]
  overall: number[]
}

/**
 * Trending is stored as of the landmark. Here it is as of the last full hour, so that an answer does not change with every second. The
 * exponent is held above float8's underflow.
 */
export const TRENDING_OF_HOUR = sql`
  power(2::float8, greatest(date_part('epoch', r.landmark - date_trunc('hour', now())) / 3600 / r.half_life_hours, -1000))`

/**
 * Adds what the catalog and the counts say of these products now; a product that neither has is left out. Costs two index probes for each.
 * The lists are JSON, because the driver takes four times as long for as many rows. @param newer  products that are newer than the similarities
 */
export async function addFacts(
  db: Queryable,
  facts: Map<string, ProductFacts>,
  productIds: readonly string[],
  newer: ReadonlySet<string>,
): Promise<void> {
  if (productIds.length === 0) return
  const row = onlyRow(
    await sql<Row>`
    select json_agg(product_id) as ids, json_agg(category) as categories, json_agg(brand) as brands, json_agg(seller_id) as sellers,
      json_agg(price) as prices, json_agg(currency) as currencies, json_agg(quantity) as quantities, json_agg(status) as statuses,
      json_agg(trending) as trending, json_agg(overall) as overall
    from (
      select i.product_id, c.category, c.brand, c.seller_id, c.price, c.currency, c.quantity, c.status,
        coalesce(p.trending * f.factor, 0) as trending, coalesce(p.score_micros::float8 / 1e6, 0) as overall
      from unnest(${productIds}::text[]) as i(product_id) left join catalog.product c using (product_id)
        left join product_popularity p using (product_id) left join (select ${TRENDING_OF_HOUR} as factor from popularity_rules r) f on true
      where c.product_id is not null or p.product_id is not null) facts`.execute(db),
  )
  row.ids?.forEach((productId, at) => {
    facts.set(productId, {
      category: row.categories[at] ?? undefined,
      brand: row.brands[at] ?? undefined,
      sellerId: row.sellers[at] ?? undefined,
      price: row.prices[at] ?? undefined,
      currency: row.currencies[at] ?? undefined,
      quantity: row.quantities[at] ?? undefined,
      status: row.statuses[at] ?? undefined,
      trending: row.trending[at]!,
      overall: row.overall[at]!,
      isNew: newer.has(productId),
    })
  })
}
