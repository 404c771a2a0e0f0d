import { sql } from 'kysely'
import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import type { Queryable } from '../database/connection.ts'
import { fixedStatement } from '../database/fixed-statement.ts'
import { onlyRow } from '../database/rows.ts'

/** Facts of a product, and the version of its row in the catalog that they are of; null when the catalog does not have it. */
export interface VersionedFacts {
  /** Undefined when neither the catalog nor the log has the product. */
  facts: ProductFacts | undefined
  rowVersion: string | null
}

/** Of no row, so that the facts are read. */
export const NOT_READ = '0'

/** Lists with one value for each product. */
interface Row {
  ids: string[] | null
  areKnown: boolean[]
  rowVersions: (string | null)[]
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
const TRENDING_FACTOR =
  "power(2::float8, greatest(date_part('epoch', r.landmark - date_trunc('hour', now())) / 3600 / r.half_life_hours, -1000))"
export const TRENDING_OF_HOUR = sql.raw(TRENDING_FACTOR)

/** The lists are JSON, because the driver takes four times as long for as many rows. */
const CHANGED = fixedStatement<Row>(`
  select json_agg(product_id) as ids, json_agg(is_known) as "areKnown", json_agg(row_version) as "rowVersions",
    json_agg(category) as categories, json_agg(brand) as brands, json_agg(seller_id) as sellers, json_agg(price) as prices, json_agg(currency) as currencies, json_agg(quantity) as quantities,
    json_agg(status) as statuses, json_agg(trending) as trending, json_agg(overall) as overall
  from (
    select i.product_id, coalesce(c.product_id, p.product_id) is not null as is_known, c.xmin::text as row_version,
      c.category, c.brand, c.seller_id, c.price, c.currency, c.quantity, c.status,
      coalesce(p.trending * f.factor, 0) as trending, coalesce(p.score_micros::float8 / 1e6, 0) as overall
    from unnest($1::text[], $2::xid[]) as i(product_id, row_version) left join catalog.product c using (product_id)
      left join product_popularity p using (product_id)
      left join (select ${TRENDING_FACTOR} as factor from popularity_rules r) f on true
    where c.xmin is distinct from i.row_version) facts`)

/**
 * What the catalog and the counts say now of those products whose rows in the catalog are not of these versions. Costs an index probe for
 * each product (2 µs of PostgreSQL), and another one for each that is read (8 µs together).
 */
export async function changedFacts(
  db: Queryable,
  productIds: readonly string[],
  rowVersions: readonly (string | null)[],
): Promise<Map<string, VersionedFacts>> {
  const row = onlyRow(await CHANGED(db, [productIds, rowVersions]))
  const changed = new Map<string, VersionedFacts>()
  row.ids?.forEach((productId, at) => {
    const facts: ProductFacts = {
      category: row.categories[at] ?? undefined,
      brand: row.brands[at] ?? undefined,
      sellerId: row.sellers[at] ?? undefined,
      price: row.prices[at] ?? undefined,
      currency: row.currencies[at] ?? undefined,
      quantity: row.quantities[at] ?? undefined,
      status: row.statuses[at] ?? undefined,
      trending: row.trending[at]!,
      overall: row.overall[at]!,
      isNew: false,
    }
    changed.set(productId, { facts: row.areKnown[at]! ? facts : undefined, rowVersion: row.rowVersions[at]! })
  })
  return changed
}
