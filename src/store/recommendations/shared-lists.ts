import { sql } from 'kysely'
import { CANDIDATE_LIMITS, FILTERED_LIMITS } from '../../ranking/recommend/candidates.ts'
import type { PopularityScale } from '../../ranking/recommend/blend.ts'
import type { Filters } from '../../ranking/recommend/rules.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { TRENDING_OF_HOUR } from './product-facts.ts'

/** What is the same for all shoppers. */
export interface SharedLists {
  /** The types of events with a weight above 0, in order. */
  eventTypes: readonly string[]
  trending: readonly string[]
  rising: readonly string[]
  popular: readonly string[]
  /** The largest numbers of the products of these lists. */
  scale: PopularityScale
}

/** A product that is hidden, deleted or out of stock is in no list. Costs an index probe for each product. */
const IS_AVAILABLE = sql`not exists (
  select from catalog.product x where x.product_id = p.product_id and (x.status <> 'active' or x.quantity <= 0))`

interface Row {
  eventTypes: string[]
  trending: string[]
  rising: string[]
  popular: string[]
  trendingMax: number | null
  overallMax: number | null
}

/** Costs an index range and a probe of the catalog for each product, and for each that cannot be bought. */
export async function readSharedLists(db: Queryable): Promise<SharedLists> {
  const best = (columns: string, table: string, max: number) => sql`
    select p.* from ${sql.raw(table)} p where ${IS_AVAILABLE} order by ${sql.raw(columns)} desc, p.product_id limit ${sql.lit(max)}`
  const row = onlyRow(
    await sql<Row>`
    select * from (with trending as materialized (${best('p.trending', 'product_popularity', FILTERED_LIMITS.trending)}
    ), popular as materialized (${best('p.score_micros', 'product_popularity', FILTERED_LIMITS.popular)}
    ), rising as materialized (${best('p.rising_score', 'product_rising', CANDIDATE_LIMITS.rising)}
    )
    select array(select w.event_type from weight w join popularity_rules r on r.weights_version = w.version
        where w.weight_micros > 0 order by 1) as "eventTypes",
      array(select product_id from trending) as trending, array(select product_id from rising) as rising,
      array(select product_id from popular) as popular,
      (select max(t.trending) * ${TRENDING_OF_HOUR} from trending t cross join popularity_rules r group by r.landmark, r.half_life_hours)
        as "trendingMax",
      (select max(score_micros)::float8 / 1e6 from popular) as "overallMax") lists`.execute(db),
  )
  const { eventTypes, trending, rising, popular, trendingMax, overallMax } = row
  return { eventTypes, trending, rising, popular, scale: { trending: trendingMax ?? 0, overall: overallMax ?? 0 } }
}

/** The filters that the catalog can answer. */
export type ListFilters = Omit<Filters, 'exclude'>

/** How many products a list of popular ones under conditions has. */
const POPULAR_AMONG_MAX = 200

/**
 * The most popular products that can be bought and pass filters; products without counted events come last. Costs a probe for each
 * product of the categories or sellers, and a scan of the catalog without either.
 */
export async function popularAmong(db: Queryable, filters: ListFilters): Promise<string[]> {
  const { categoryIds, brands, sellerIds, priceMin, priceMax, currency } = filters
  const among = (column: string, names: ReadonlySet<string> | undefined) =>
    names === undefined ? sql`true` : sql`${sql.ref(column)} = any(${[...names]}::text[])`
  const { rows } = await sql<{ productId: string }>`
    select x.product_id as "productId" from catalog.product x left join product_popularity p using (product_id)
    where x.status = 'active' and (x.quantity is null or x.quantity > 0) and ${among('x.category', categoryIds)}
      and ${among('x.brand', brands)} and ${among('x.seller_id', sellerIds)}
      and ${priceMin === undefined ? sql`true` : sql`x.price >= ${priceMin}::bigint`}
      and ${priceMax === undefined ? sql`true` : sql`x.price <= ${priceMax}::bigint`}
      and ${currency === undefined ? sql`true` : sql`x.currency = ${currency}`}
    order by p.trending desc nulls last, p.score_micros desc, x.product_id limit ${sql.lit(POPULAR_AMONG_MAX)}`.execute(db)
  return rows.map(({ productId }) => productId)
}

/**
 * Products of the catalog that are newer than a version, and can be bought: the most popular first, then those that changed last. A
 * version has every product of the catalog with a category or a brand, unless it is full; then a product that did not change since is no
 * newer. Costs a scan of the catalog and of the version's products, which `except` compares as sets, because PostgreSQL has no statistics
 * of a version that was made a moment ago and would compare each product of the one with each of the other.
 */
export async function newerProducts(db: Queryable, version: number): Promise<string[]> {
  const { rows } = await sql<{ productId: string }>`
    select x.product_id as "productId"
    from (select product_id from catalog.product
        except select product_id from similarity_product where version = ${version}::bigint) newer
      join catalog.product x using (product_id) cross join (
        select version, read_at, products >= coalesce((settings ->> 'productsMax')::int, products + 1) as is_full
        from similarity_version where version = ${version}::bigint) v
      left join product_popularity p using (product_id)
    where x.status = 'active' and (x.quantity is null or x.quantity > 0) and (x.category is not null or x.brand is not null)
      and (x.updated_at >= v.read_at or not v.is_full)
    order by p.trending desc nulls last, p.score_micros desc nulls last, x.updated_at desc, x.product_id limit ${sql.lit(CANDIDATE_LIMITS.new)}`.execute(
    db,
  )
  return rows.map(({ productId }) => productId)
}
