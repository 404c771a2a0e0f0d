import { sql } from 'kysely'
import { ListedProduct } from '../../contract/product.ts'
import type { Queryable } from '../database/connection.ts'
import { type Gathered, gathered } from '../database/gathered.ts'

/** A list that was asked for with its products, or without those out of stock. */
export interface ListedProducts {
  expand?: 'product' | undefined
  inStock?: boolean | undefined
}

/**
 * Whether a list shows a product: lists leave out products that the catalog has as hidden or deleted, and on request those out of stock. A product
 * that the catalog does not have is shown. Costs a probe of a small index, or, for the stock, of the key.
 */
export function isListed(productId: ReturnType<typeof sql>, { inStock = false }: ListedProducts = {}) {
  const isLeftOut = inStock ? sql`(x.status <> 'active' or x.quantity <= 0)` : sql`x.status <> 'active'`
  return sql`not exists (select from catalog.product x where x.product_id = ${productId} and ${isLeftOut})`
}

const PAIRS = Object.keys(ListedProduct.shape).map((name) => `'${name}', x.${name}`)
const JSON_OF_X = `json_strip_nulls(json_build_object(${PAIRS.join(', ')}))`

/** The product beside a row, as JSON; null when the catalog does not have it. Costs a probe of the key for each row that is shown. */
export function productBeside(productId: string): string {
  return `coalesce((select ${JSON_OF_X}::text from catalog.product x where x.product_id = ${productId}), 'null')`
}

export type ProductReader = Gathered<string, ListedProduct>

/** A statement of so many products takes 3 to 5 ms. */
const PRODUCTS_MAX = 1_500

/** Asks the database for all callers of the moment in one statement. */
export function createProductReader(db: Queryable): ProductReader {
  return gathered(async (productIds) => {
    const { rows } = await sql<{ id: string; product: ListedProduct }>`
      select x.product_id as id, ${sql.raw(JSON_OF_X)} as product from catalog.product x
      where x.product_id = any(${productIds}::text[])`.execute(db)
    return new Map(rows.map(({ id, product }) => [id, product]))
  }, PRODUCTS_MAX)
}

/** The rows, on request each with its product. */
export async function withProducts<Row extends { product_id: string }>(
  read: ProductReader,
  rows: readonly Row[],
  expand: ListedProducts['expand'],
): Promise<(Row & { product?: ListedProduct | null })[]> {
  if (expand === undefined || rows.length === 0) return [...rows]
  const products = await read(rows.map(({ product_id }) => product_id))
  return rows.map((row) => ({ ...row, product: products.get(row.product_id) ?? null }))
}
