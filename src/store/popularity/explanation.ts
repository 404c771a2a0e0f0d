import { sql } from 'kysely'
import type { ExplainedType, Explanation } from '../../contract/explanation.ts'
import { SEEN_TYPES_MAX } from '../../contract/event-type.ts'
import { exactParts } from '../../ranking/exact-parts.ts'
import { catalogProduct } from '../catalog/catalog-product.ts'
import type { Queryable } from '../database/connection.ts'
import { trendingOf, weighed } from './cells.ts'
import { decayUntilNow, trendingNow } from './popularity-json.ts'

const MICROS = 1e6
const TRENDING_DECIMALS = 9
/** What the order of adding floats may change, relative to the sum of the absolute values; `verify` allows the same. */
const FLOAT_SHARE_MAX = 1e-9

/** What each event type adds to the scores of a product; undefined when none of its events was counted. */
export async function explainPopularity(db: Queryable, productId: string): Promise<Explanation | undefined> {
  const row = await explanationRow(db, productId)
  return row?.isCounted ? explanationOf(productId, row) : undefined
}

/** The same with zeros for a product of the catalog without counted events; undefined when neither the log nor the catalog had it. */
export async function explainOrZeros(db: Queryable, productId: string): Promise<Explanation | undefined> {
  const row = await explanationRow(db, productId)
  if (row === undefined) return undefined
  return row.isCounted || (await catalogProduct(db, productId)) ? explanationOf(productId, row) : undefined
}

interface ExplanationRow {
  isCounted: boolean
  scoreMicros: number
  trending: number
  asOf: Date
  weightsVersion: number
  halfLifeHours: number
  trendingFrom: Date
  types: TypeRow[]
}

interface TypeRow {
  type: string
  count: number
  weightMicros: number | null
  trendingCount: number
  trending: number
}

/** Undefined in a database without rules. One statement, so that scores, hours and weights are of one moment. Costs the cells of the product, by an index. */
async function explanationRow(db: Queryable, productId: string): Promise<ExplanationRow | undefined> {
  const types = sql`
    select c.event_type as type, sum(c.events)::float8 as count, w.weight_micros::float8 as "weightMicros",
      coalesce(sum(c.events) filter (where c.hour >= r.edge), 0)::float8 as "trendingCount",
      ${trendingOf} * ${decayUntilNow} as trending
    from product_cell c ${weighed} where c.product_id = ${productId}
    group by c.event_type, w.weight_micros
    order by w.weight_micros is null, sum(c.events) * w.weight_micros desc, sum(c.events) desc, c.event_type
    limit (select count(*) from weight v where v.version = r.weights_version) + ${SEEN_TYPES_MAX}::int`
  const { rows } = await sql<ExplanationRow>`
    select p.product_id is not null as "isCounted", coalesce(p.score_micros, 0)::float8 as "scoreMicros",
        coalesce(${trendingNow}, 0) as trending, now() as "asOf", r.weights_version as "weightsVersion",
        r.half_life_hours as "halfLifeHours", r.edge as "trendingFrom",
        (select coalesce(json_agg(t), '[]') from (${types}) t) as types
      from popularity_rules r left join product_popularity p on p.product_id = ${productId}`.execute(db)
  return rows[0]
}

function explanationOf(productId: string, row: ExplanationRow): Explanation {
  const { types, scoreMicros, asOf, weightsVersion, halfLifeHours, trendingFrom } = row
  const trending = exactParts(
    types.map((type) => type.trending),
    trendingTotalOf(row),
    TRENDING_DECIMALS,
  )
  return {
    product_id: productId,
    score: scoreMicros / MICROS,
    trending_score: trending.total,
    as_of: asOf.toISOString(),
    weights_version: weightsVersion,
    half_life_hours: halfLifeHours,
    trending_from: trendingFrom.toISOString(),
    event_types: types.map((type, place) => explainedType(type, trending.parts[place]!)),
  }
}

/**
 * The stored sum, which is what other answers show. It differs by more than the order of additions explains only while hours that left
 * the window are being removed from it, and then the sum of the parts is what it is about to become.
 */
function trendingTotalOf({ types, trending }: ExplanationRow): number {
  const ofParts = types.reduce((sum, type) => sum + type.trending, 0)
  // All terms of a type have the sign of its weight.
  const spread = types.reduce((sum, type) => sum + Math.abs(type.trending), 0)
  const roundedAway = 10 ** -TRENDING_DECIMALS
  return Math.abs(trending - ofParts) <= FLOAT_SHARE_MAX * spread + roundedAway ? trending : ofParts
}

function explainedType({ type, count, weightMicros, trendingCount }: TypeRow, trendingScore: number): ExplainedType {
  return {
    event_type: type,
    count,
    weight: weightMicros === null ? null : weightMicros / MICROS,
    score: ((weightMicros ?? 0) * count) / MICROS,
    trending_count: trendingCount,
    trending_score: trendingScore,
  }
}
