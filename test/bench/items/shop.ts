import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { addToProduct, COUNTERS, countersOf, scoreOf, trendingOf, weighed } from '../../../src/store/popularity/cells.ts'

export interface Shop {
  products: number
  events: number
  days: number
  categories: number
}

/** Event types with their cumulative shares of the traffic. */
const TYPES_UP_TO = [
  ['view', 0.7],
  ['add_to_cart', 0.82],
  ['product_impression', 0.88],
  ['purchase', 0.93],
  ['click_from_search', 0.96],
  ['remove_from_cart', 0.99],
  ['add_to_favorites', 1],
] as const

/**
 * Stores a shop whose events were counted long ago: products by Zipf(1), uniform times, categories of equal size. The log stays empty,
 * because no list reads it.
 */
export async function storeShop(db: Database, { products, events, days, categories }: Shop): Promise<void> {
  await withoutTimeout(db, async (unlimited) => {
    await sql`
      insert into catalog.product (product_id, name, category, status, updated_at, call_id)
      select 'p-' || n, 'Product ' || n, 'c-' || (n * 31) % ${categories}::int, 'active', now(), gen_random_uuid()
      from generate_series(1, ${products}::int) n`.execute(unlimited)
    await storeCounted(unlimited, { products, events, days })
    await sql`vacuum (analyze)`.execute(unlimited)
  })
}

/** The events of a shop in the aggregates of their products. */
export async function storeCounted(db: Database, { products, events, days }: Omit<Shop, 'categories'>): Promise<void> {
  const types = TYPES_UP_TO.map(([type, upTo]) => sql`when t < ${sql.lit(upTo)} then ${sql.lit(type)}`)
  await sql`
    insert into product_hour (product_id, hour, event_type, events, decayed)
    select product_id, hour, event_type, count(*), sum(power(2::float8, date_part('epoch', at - hour) / 3600 / 72)) from (
      select 'p-' || 1 + (rank * 7919) % ${products}::bigint as product_id, at,
        date_bin('1 hour', at, '2000-01-01 00:00:00+00') as hour, case ${sql.join(types, sql` `)} end as event_type
      from (
        select floor(exp(random() * ln(${products}::float8)))::bigint as rank, random() as t,
          now() - random() * ${days}::int * interval '1 day' as at
        from generate_series(1, ${events}::int)
      ) drawn
    ) event
    group by 1, 2, 3 order by 2, 1, 3`.execute(db)
  await sql`
    insert into product_popularity as p (product_id, score_micros, trending, ${sql.raw(COUNTERS.join(', '))}, interaction_count,
      last_interaction, date_updated)
    select c.product_id, ${scoreOf}, ${trendingOf}, ${countersOf}, sum(c.events), max(c.hour), now()
    from product_hour c cross join popularity_rules r ${weighed}
    group by c.product_id order by c.product_id ${addToProduct}`.execute(db)
}
