import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

/** What the catalog says about the kind of a product. */
export interface CatalogEntry {
  category?: string | undefined
  brand?: string | undefined
}

/** The entries of these products; those that the catalog does not have are missing. Costs an index probe for each. */
export async function catalogEntries(db: Queryable, productIds: readonly string[]): Promise<Map<string, CatalogEntry>> {
  const { rows } = await sql<{ productId: string; category: string | null; brand: string | null }>`
    select product_id as "productId", category, brand from catalog.product where product_id = any(${productIds}::text[])`.execute(
    db,
  )
  return new Map(
    rows.map(({ productId, category, brand }) => [productId, { category: category ?? undefined, brand: brand ?? undefined }]),
  )
}
