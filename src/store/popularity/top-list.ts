import { sql } from 'kysely'
import type { ListedPopularity, Popularity, ProductPopularity, TopResponse } from '../../contract/popularity.ts'
import { catalogProduct } from '../catalog/catalog-product.ts'
import { isListed, type ListedProducts } from '../catalog/listed-product.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import { JSON_OF_PRODUCT, jsonOfListed } from './popularity-json.ts'
import type { Queryable } from '../database/connection.ts'

interface TopPage extends ListedProducts {
  limit: number
  after: TopPosition | undefined
}

/** Best score first; ties by id, so that two pages never disagree. */
export async function topByScore(db: Queryable, { limit, ...page }: TopPage): Promise<TopResponse> {
  const rows = await topRows(db, { limit: limit + 1, ...page })
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return {
    data: shown.map(({ json }) => JSON.parse(json) as ListedPopularity),
    meta: { next_cursor: last ? topCursorOf(last.position) : null },
  }
}

/**
 * Rows of the top list, each with its position and as the JSON of a ListedPopularity. Costs one index range of `limit` rows, and for each a
 * probe of what the catalog says of it. The limit is in the text, because a plan for any limit would sort the whole table.
 */
export async function topRows(
  db: Queryable,
  { limit, after, ...listed }: TopPage,
): Promise<{ position: TopPosition; json: string }[]> {
  const beyond =
    after === undefined
      ? sql`true`
      : sql`p.score_micros <= ${after.scoreMicros}::bigint
          and (p.score_micros < ${after.scoreMicros}::bigint or p.product_id > ${after.productId})`
  const { rows } = await sql<{ scoreMicros: string; productId: string; json: string }>`
    select p.score_micros as "scoreMicros", p.product_id as "productId", ${jsonOfListed(listed.expand)} as json
    from product_popularity p cross join popularity_rules r
    where ${beyond} and ${isListed(sql`p.product_id`, listed)}
    order by p.score_micros desc, p.product_id limit ${sql.lit(limit)}`.execute(db)
  return rows.map(({ scoreMicros, productId, json }) => ({ position: { scoreMicros: BigInt(scoreMicros), productId }, json }))
}

/** One product; undefined when none of its events was counted. */
export async function popularityOf(db: Queryable, productId: string): Promise<Popularity | undefined> {
  const { rows } = await sql<{ json: string }>`
    select ${JSON_OF_PRODUCT} as json from product_popularity p cross join popularity_rules r
    where p.product_id = ${productId}`.execute(db)
  return rows[0] && (JSON.parse(rows[0].json) as Popularity)
}

/** The same with zeros for a product of the catalog without counted events; undefined when neither the log nor the catalog had it. */
export async function popularityOrZeros(db: Queryable, productId: string): Promise<ProductPopularity | undefined> {
  const found = await popularityOf(db, productId)
  if (found !== undefined) return found
  return (await catalogProduct(db, productId)) && { ...ZEROS, product_id: productId }
}

const ZEROS: Omit<ProductPopularity, 'product_id'> = {
  ...{ score: 0, trending_score: 0, view_count: 0, purchase_count: 0, favorite_count: 0, cart_count: 0, review_count: 0 },
  ...{ search_count: 0, search_click_count: 0, last_interaction: null, date_updated: null },
}

/** A place in the top list. */
export interface TopPosition {
  scoreMicros: bigint
  productId: string
}

const TOP = 'top'
const BIGINT = /^-?\d{1,18}$/

/** The position of a cursor; undefined for a text that is no cursor of the top list. */
export function topPositionOf(cursor: string): TopPosition | undefined {
  const [scoreMicros, productId] = decodeCursor(TOP, cursor) ?? []
  if (scoreMicros === undefined || productId === undefined || !BIGINT.test(scoreMicros)) return undefined
  return { scoreMicros: BigInt(scoreMicros), productId }
}

export function topCursorOf({ scoreMicros, productId }: TopPosition): string {
  return encodeCursor(TOP, [String(scoreMicros), productId])
}

/** The order of the top list: the higher score first, then the smaller id by its bytes, as in the index (collation C). */
export function compareTopPositions(one: TopPosition, other: TopPosition): number {
  if (one.scoreMicros !== other.scoreMicros) return one.scoreMicros > other.scoreMicros ? -1 : 1
  return Buffer.compare(Buffer.from(one.productId), Buffer.from(other.productId))
}
