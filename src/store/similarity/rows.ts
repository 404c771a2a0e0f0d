import { sql } from 'kysely'
import type { ScoreRow } from '../../ranking/recommend/score.ts'
import { float4Values, int4Values } from '../database/binary-array.ts'
import { RANKING_DEFAULTS } from '../../ranking/similarity/ranking-settings.ts'
import type { Queryable } from '../database/connection.ts'

/** What scores are made of: numbers of other products, best first. */
export interface StoredScoreRow extends ScoreRow {
  productNo: number
}

/** The whole row of a product. */
export interface SimilarityRow extends StoredScoreRow {
  counts: Uint32Array
  /** The same from each neighbour to the product; 0 when the product is not among the best of the neighbour. */
  backScores: Float32Array
  backCounts: Uint32Array
  bought: Int32Array
  boughtCounts: Int32Array
}

/** Objects and buffers of a row, apart from the numbers themselves. */
const ROW_BYTES = 1_300
const SCORE_ROW_BYTES = 700

export function bytesOfRow({ neighbours, contentNeighbours, bought }: SimilarityRow): number {
  return ROW_BYTES + 20 * neighbours.length + 8 * contentNeighbours.length + 8 * bought.length
}

export function bytesOfScoreRow({ neighbours, contentNeighbours }: StoredScoreRow): number {
  return SCORE_ROW_BYTES + 8 * neighbours.length + 8 * contentNeighbours.length
}

interface ScoreBuffers {
  productNo: number
  neighbour: Buffer
  score: Buffer
  content: Buffer
  cosine: Buffer
}

interface RowBuffers extends ScoreBuffers {
  count: Buffer
  backScore: Buffer
  backCount: Buffer
  bought: Buffer
  boughtCount: Buffer
}

/**
 * The rows of these products in a version, in any order, without products that it does not have. Costs an index probe and a page for each.
 * A row with all its neighbours takes 55 µs of this process in binary form; as text it took 160.
 */
export async function rowsOf(db: Queryable, version: number, productNos: readonly number[]): Promise<SimilarityRow[]> {
  const { rows } = await sql<RowBuffers>`
    select ${SCORE_COLUMNS}, array_send(count) as count, array_send(back_score) as "backScore", array_send(back_count) as "backCount",
      array_send(bought) as bought, array_send(bought_count) as "boughtCount"
    from similarity_row where version = ${version} and product_no = any(${productNos}::int[])`.execute(db)
  return rows.map((row) => ({
    ...scoreRowOf(row),
    counts: new Uint32Array(int4Values(row.count).buffer),
    backScores: float4Values(row.backScore),
    backCounts: new Uint32Array(int4Values(row.backCount).buffer),
    bought: int4Values(row.bought),
    boughtCounts: int4Values(row.boughtCount),
  }))
}

/** The parts of these rows that scores are made of. It takes a third of the time. */
export async function scoreRowsOf(db: Queryable, version: number, productNos: readonly number[]): Promise<StoredScoreRow[]> {
  const { rows } = await sql<ScoreBuffers>`
    select ${SCORE_COLUMNS} from similarity_row
    where version = ${version} and product_no = any(${productNos}::int[])`.execute(db)
  return rows.map(scoreRowOf)
}

const SCORE_COLUMNS = sql.raw(
  'product_no as "productNo", array_send(neighbour) as neighbour, array_send(score) as score, array_send(content) as content, array_send(cosine) as cosine',
)

function scoreRowOf({ productNo, neighbour, score, content, cosine }: ScoreBuffers): StoredScoreRow {
  return {
    productNo,
    neighbours: int4Values(neighbour),
    scores: float4Values(score),
    contentNeighbours: int4Values(content),
    cosines: float4Values(cosine),
  }
}

/** The version that answers use. */
export interface VersionInForce {
  version: number
  products: number
  contentWeight: number
  /** λ of its ranking settings. */
  decay: number
  madeAt: Date
}

/** The version in force; undefined before the first one. Costs two index probes. */
export async function versionInForce(db: Queryable): Promise<VersionInForce | undefined> {
  const { rows } = await sql<Omit<VersionInForce, 'version'> & { version: string }>`
    select v.version, v.products, v.content_weight as "contentWeight",
      coalesce((v.settings ->> 'decay')::float8, ${RANKING_DEFAULTS.decay}) as decay, v.made_at as "madeAt"
    from similarity_current c join similarity_version v on v.version = c.version`.execute(db)
  const [row] = rows
  return row && { ...row, version: Number(row.version) }
}

/** How many products one statement reads, so that no other work of the process waits long for one. */
const PRODUCTS_AT_ONCE = 5_000

export interface ProductPage {
  ids: string[]
  /** How many baskets of each product count. */
  baskets: number[]
}

/** The products of a version, in the order of their numbers, page by page. Costs 1 µs per product. */
export async function* productPages(db: Queryable, version: number, products: number): AsyncGenerator<ProductPage> {
  for (let from = 0; from < products; from += PRODUCTS_AT_ONCE) {
    const { rows } = await sql<{ id: string; baskets: number }>`
      select product_id as id, baskets from similarity_product
      where version = ${version} and product_no >= ${from} and product_no < ${from + PRODUCTS_AT_ONCE} order by product_no`.execute(
      db,
    )
    if (rows.length < Math.min(PRODUCTS_AT_ONCE, products - from)) throw new Error(`version ${version} lacks products`)
    yield { ids: rows.map(({ id }) => id), baskets: rows.map(({ baskets }) => baskets) }
  }
}
