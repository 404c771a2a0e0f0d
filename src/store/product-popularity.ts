import { sql } from 'kysely'
import type { Popularity, TopResponse } from '../contract/popularity.ts'
import { fromMicros } from '../ranking/weights.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { Database } from './database.ts'

export interface TopPage {
  limit: number
  after: TopPosition | undefined
}

/** Best score first; ties by id, so that two pages never disagree. */
export async function topByScore(db: Database, { limit, after }: TopPage): Promise<TopResponse> {
  const rows = await topRows(db, { limit: limit + 1, after })
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return { data: shown.map((row) => row.popularity), meta: { next_cursor: last ? topCursorOf(last.position) : null } }
}

/**
 * Rows of the top list with their places in it. One index range of `limit` rows. The limit stands in the text, because a
 * plan for any limit would sort the whole table.
 */
export async function topRows(
  db: Database,
  { limit, after }: TopPage,
): Promise<{ position: TopPosition; popularity: Popularity }[]> {
  const beyond =
    after === undefined
      ? sql`true`
      : sql`p.score_micros <= ${after.scoreMicros}::bigint
          and (p.score_micros < ${after.scoreMicros}::bigint or p.product_id > ${after.productId})`
  const { rows } = await sql<PopularityRow>`
    select ${COLUMNS} from product_popularity p cross join popularity_rules r
    where ${beyond} order by p.score_micros desc, p.product_id limit ${sql.lit(limit)}`.execute(db)
  return rows.map((row) => ({
    position: { scoreMicros: BigInt(row.scoreMicros), productId: row.productId },
    popularity: toPopularity(row),
  }))
}

/** One product; undefined when no event of it was ever counted. */
export async function popularityOf(db: Database, productId: string): Promise<Popularity | undefined> {
  const { rows } = await sql<PopularityRow>`
    select ${COLUMNS} from product_popularity p cross join popularity_rules r where p.product_id = ${productId}`.execute(db)
  return rows[0] && toPopularity(rows[0])
}

/** A place in the top list. */
export interface TopPosition {
  scoreMicros: bigint
  productId: string
}

const TOP = 'top'
const BIGINT = /^-?\d{1,18}$/

/** Where a page of the top list ended; undefined for a text that is no cursor of it. */
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
  lastInteraction: string
  dateUpdated: string
}

/** trending is kept as of the landmark; here it is brought to now. The exponent is held above float8's underflow. */
const COLUMNS = sql`p.product_id as "productId", p.score_micros as "scoreMicros",
  p.trending * power(2::float8, greatest(date_part('epoch', r.landmark - now()) / 3600 / r.half_life_hours, -1000)) as "trendingScore",
  p.view_count as "viewCount", p.purchase_count as "purchaseCount", p.favorite_count as "favoriteCount",
  p.cart_count as "cartCount", p.review_count as "reviewCount", p.search_count as "searchCount",
  p.search_click_count as "searchClickCount", p.last_interaction::text as "lastInteraction",
  p.date_updated::text as "dateUpdated"`

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
    last_interaction: instantOfText(row.lastInteraction),
    date_updated: instantOfText(row.dateUpdated),
  }
}

/** PostgreSQL's text of an instant in UTC, 2026-03-01 12:00:00.041234+00, as RFC 3339; ten times as fast as by way of a Date. */
function instantOfText(text: string): string {
  const fraction = text.slice(20, text.indexOf('+')).padEnd(3, '0').slice(0, 3)
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${text[19] === '.' ? fraction : '000'}Z`
}
