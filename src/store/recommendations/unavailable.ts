import { sql } from 'kysely'
import { type Gathered, gathered } from '../database/gathered.ts'
import type { Queryable } from '../database/connection.ts'

/** Whether products cannot be bought now; a product that can, or that the catalog does not have, is left out. */
export type Unavailable = Gathered<string, true>

/** A statement of so many products takes 1 to 2 ms. */
const PRODUCTS_MAX = 2_000

/** Asks the database for all callers of the moment in one statement, which costs an index probe for each product. */
export function createUnavailable(db: Queryable): Unavailable {
  return gathered(async (productIds) => {
    const { rows } = await sql<{ id: string }>`
      select product_id as id from catalog.product
      where product_id = any(${productIds}::text[]) and (status <> 'active' or quantity <= 0)`.execute(db)
    return new Map(rows.map(({ id }) => [id, true as const]))
  }, PRODUCTS_MAX)
}
