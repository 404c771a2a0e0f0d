import { type RawBuilder, sql } from 'kysely'
import type { Mode } from '../../contract/popular-list.ts'
import type { Span } from '../../ranking/span.ts'
import { isListed, type ListedProducts } from '../catalog/listed-product.ts'
import { RISING_MIN } from './rising.ts'

export interface PopularQuery extends ListedProducts {
  mode: Mode
  /** The hours that every number covers; undefined for the stored numbers of all time. */
  span: Span | undefined
  categoryIds: readonly string[] | undefined
  minInteractions: number
  limit: number
  after: PopularPosition | undefined
}

/** A position in a list: the values that it is ordered by, as texts, and the product. */
export interface PopularPosition {
  values: readonly string[]
  productId: string
}

/** A row of a list as it is read. */
export interface Listed {
  values: string[]
  productId: string
  json: string
}

/** A statement that reads rows of a list. */
export type ListRead = RawBuilder<Listed>

/** A position that was read from a cursor; undefined when it is no position of a list by this mode. */
export function positionIn(mode: Mode, productId: string | undefined, values: readonly string[]): PopularPosition | undefined {
  const { by } = ORDERS[mode]
  const isPosition =
    productId !== undefined && values.length === by.length && by.every(({ type }, n) => IS_OF_TYPE[type](values[n]!))
  return isPosition ? { values, productId } : undefined
}

/** Whether PostgreSQL accepts a text as a number of the type. */
const IS_OF_TYPE = {
  bigint: (text: string) => /^-?\d{1,18}$/.test(text),
  float8: (text: string) =>
    /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text) && Number.isFinite(Number(text)) && (Number(text) !== 0 || /^-?0$/.test(text)),
}

interface Order {
  /** Columns of the product p in their order, each with its type. */
  by: readonly { column: string; type: 'bigint' | 'float8' }[]
  /** Which products are in the list. */
  where: RawBuilder<unknown>
}

const counts = (column: string): Order => ({
  by: [{ column, type: 'bigint' }],
  where: sql.raw(`p.${column} > 0`),
})

/** The conditions are those of the indexes of product_popularity. */
const ORDERS: Record<Mode, Order> = {
  trending: { by: [{ column: 'trending', type: 'float8' }], where: sql`true` },
  most_viewed: counts('view_count'),
  most_carted: counts('cart_count'),
  most_ordered: counts('purchase_count'),
  most_searched: {
    by: [
      { column: 'search_click_count', type: 'bigint' },
      { column: 'search_count', type: 'bigint' },
    ],
    where: sql`(p.search_click_count > 0 or p.search_count > 0)`,
  },
  overall: { by: [{ column: 'score_micros', type: 'bigint' }], where: sql`true` },
  rising: { by: [{ column: 'rising_score', type: 'float8' }], where: sql`p.rising_score > ${sql.lit(RISING_MIN)}` },
}

/** Which products p are in a list. Their order in all time has an index with this condition. */
export function whichOf(mode: Mode): RawBuilder<unknown> {
  return ORDERS[mode].where
}

/** The columns that a list is ordered by. */
export function orderColumns(mode: Mode): string[] {
  return ORDERS[mode].by.map(({ column }) => column)
}

/** The values of a position. */
export function valuesOf(mode: Mode, table: string): RawBuilder<unknown> {
  return sql.raw(`array[${ORDERS[mode].by.map(({ column }) => `${table}.${column}::text`).join(', ')}]`)
}

/** Whether a product p with so many interactions is in the list, and after the previous page. */
export function listConditions(
  { mode, categoryIds, inStock, minInteractions, after, span }: PopularQuery,
  interactions: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const conditions = [ORDERS[mode].where]
  if (minInteractions > 1) conditions.push(sql`${interactions} >= ${minInteractions}::bigint`)
  if (categoryIds === undefined) conditions.push(isListed(sql`p.product_id`, { inStock }))
  else if (span === undefined) conditions.push(inCategories(sql`p.product_id`, categoryIds, inStock))
  if (after !== undefined) conditions.push(isBeyond(ORDERS[mode].by, after.values, after.productId))
  return sql.join(conditions, sql` and `)
}

/** After a position: a range of the index by the first column, and by the next one where the first is equal. */
function isBeyond([first, ...rest]: Order['by'], [value, ...values]: readonly string[], productId: string): RawBuilder<unknown> {
  if (first === undefined) return sql`p.product_id > ${productId}`
  const column = sql.raw(`p.${first.column}`)
  const limit = sql`${value}::${sql.raw(first.type)}`
  return sql`(${column} <= ${limit} and (${column} < ${limit} or ${isBeyond(rest, values, productId)}))`
}

/** The order of a list, best first, and its limit. */
export function ordered({ mode, limit }: Pick<PopularQuery, 'mode' | 'limit'>, table = 'p'): RawBuilder<unknown> {
  const columns = ORDERS[mode].by.map(({ column }) => `${table}.${column} desc`).join(', ')
  // The limit is in the text, because a plan for any limit would sort everything.
  return sql.raw(`order by ${columns}, ${table}.product_id limit ${limit}`)
}

/** Whether a product is listed and in one of the categories, by today's catalog. */
export function inCategories(
  productId: RawBuilder<unknown>,
  categoryIds: readonly string[] | undefined,
  inStock = false,
): RawBuilder<unknown> {
  if (categoryIds === undefined) return sql`true`
  const hasStock = inStock ? sql`and (x.quantity is null or x.quantity > 0)` : sql``
  return sql`${productId} in (
    select x.product_id from catalog.product x where x.category = any(${categoryIds}::text[]) and x.status = 'active' ${hasStock})`
}
