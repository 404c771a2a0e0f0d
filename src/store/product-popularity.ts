import { sql } from 'kysely'
import type { Popularity, TopResponse } from '../contract/popularity.ts'
import { fromMicros } from '../ranking/weights.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { Database } from './database.ts'

/** Best score first; ties by id, so that two pages never disagree. One index range of `limit` rows. */
export async function topByScore(db: Database, page: { limit: number; after: TopPosition | undefined }): Promise<TopResponse> {
  const { after } = page
  const beyond =
    after === undefined
      ? sql`true`
      : sql`p.score_micros <= ${after.scoreMicros}::bigint
          and (p.score_micros < ${after.scoreMicros}::bigint or p.product_id > ${after.productId})`
  const { rows } = await sql<PopularityRow>`
    select ${COLUMNS} from product_popularity p cross join popularity_rules r
    where ${beyond} order by p.score_micros desc, p.product_id limit ${page.limit + 1}`.execute(db)
  const shown = rows.slice(0, page.limit)
  const last = rows.length > page.limit ? shown.at(-1) : undefined
  return {
    data: shown.map(toPopularity),
    meta: { next_cursor: last ? encodeCursor(TOP, [last.scoreMicros, last.productId]) : null },
  }
}

/** One product; undefined when no event of it was ever counted. */
export async function popularityOf(db: Database, productId: string): Promise<Popularity | undefined> {
  const { rows } = await sql<PopularityRow>`
    select ${COLUMNS} from product_popularity p cross join popularity_rules r where p.product_id = ${productId}`.execute(db)
  return rows[0] && toPopularity(rows[0])
}

export interface TopPosition {
  scoreMicros: string
  productId: string
}

const TOP = 'top'
const BIGINT = /^-?\d{1,18}$/

/** Where a page of the top list ended; undefined for a text that is no cursor of it. */
export function topPositionOf(cursor: string): TopPosition | undefined {
  const [scoreMicros, productId] = decodeCursor(TOP, cursor) ?? []
  if (scoreMicros === undefined || productId === undefined || !BIGINT.test(scoreMicros)) return undefined
  return { scoreMicros, productId }
}

interface PopularityRow {
  productId: string
  scoreMicros: string
  trendingScore: number
  viewCount: string
  purchaseCount: string
  favoriteCount: string
  cartCount: string
  reviewCount: string
  searchCount: string
  searchClickCount: string
  lastInteraction: Date
  dateUpdated: Date
}

/** trending is kept as of the landmark; here it is brought to now. The exponent is held above float8's underflow. */
const COLUMNS = sql`p.product_id as "productId", p.score_micros as "scoreMicros",
  p.trending * power(2::float8, greatest(date_part('epoch', r.landmark - now()) / 3600 / r.half_life_hours, -1000)) as "trendingScore",
  p.view_count as "viewCount", p.purchase_count as "purchaseCount", p.favorite_count as "favoriteCount",
  p.cart_count as "cartCount", p.review_count as "reviewCount", p.search_count as "searchCount",
  p.search_click_count as "searchClickCount", p.last_interaction as "lastInteraction", p.date_updated as "dateUpdated"`

function toPopularity(row: PopularityRow): Popularity {
  return {
    product_id: row.productId,
    score: fromMicros(Number(row.scoreMicros)),
    trending_score: row.trendingScore,
    view_count: Number(row.viewCount),
    purchase_count: Number(row.purchaseCount),
    favorite_count: Number(row.favoriteCount),
    cart_count: Number(row.cartCount),
    review_count: Number(row.reviewCount),
    search_count: Number(row.searchCount),
    search_click_count: Number(row.searchClickCount),
    last_interaction: row.lastInteraction.toISOString(),
    date_updated: row.dateUpdated.toISOString(),
  }
}
