import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

export interface KnownProduct {
  /** Counted events of all types. */
  interactions: number
  /** Whether neither the catalog nor the log has the product. */
  isUnknown: boolean
}

/** What is known of each of these products. Costs an index probe for each, and one of the catalog for each without counted events. */
export async function knownProducts(db: Queryable, productIds: readonly string[]): Promise<Map<string, KnownProduct>> {
  const { rows } = await sql<KnownProduct & { productId: string }>`
    select i.product_id as "productId", coalesce(p.interaction_count, 0)::float8 as interactions,
      p.product_id is null and not exists (select from catalog.product c where c.product_id = i.product_id) as "isUnknown"
    from unnest(${productIds}::text[]) as i(product_id) left join product_popularity p using (product_id)`.execute(db)
  return new Map(rows.map(({ productId, ...known }) => [productId, known]))
}
