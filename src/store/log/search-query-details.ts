import { sql } from 'kysely'
import { type ListedSearchQuery, QUERY_PRODUCTS_MAX, type SearchQuery } from '../../contract/search.ts'
import { DAY_MS, instantOf } from '../../contract/fields/time.ts'
import type { Queryable } from '../database/connection.ts'

interface QueryDetails {
  products: ListedSearchQuery['products']
  /** Of the window before. */
  searches: number
  clicks: number
}

/** What queries of a window led to, and how often they were asked in the window before. */
export async function queryDetails(
  db: Queryable,
  queries: readonly string[],
  { days, toMs }: { days: number; toMs: number },
): Promise<Map<string, QueryDetails>> {
  if (queries.length === 0) return new Map()
  const windowOf = (from: number, to: number) =>
    sql`occurred_at >= ${instantOf(from)}::timestamptz and occurred_at < ${instantOf(to)}::timestamptz`
  const inWindow = windowOf(toMs - days * DAY_MS, toMs)
  const beforeIt = windowOf(toMs - 2 * days * DAY_MS, toMs - days * DAY_MS)
  const isAsked = sql`normalised_query = any(${queries}::text[])`
  const isAskedClick = sql`event_type = 'click_from_search' and (metadata->>'query') collate "C" = any(${queries}::text[])`
  const { rows } = await sql<QueryDetails & { query: string }>`
    with shown as (
      select s.normalised_query as query, p.product_id, count(*)::int as searches
      from search s cross join unnest(s.product_ids) as p(product_id) where ${isAsked} and ${inWindow} group by 1, 2
    ), clicked as (
      select (metadata->>'query') collate "C" as query, ref_id as product_id, count(*)::int as clicks
      from interaction where ${isAskedClick} and not is_category and ${inWindow} group by 1, 2
    ), ranked as (
      select query, product_id, coalesce(searches, 0) as searches, coalesce(clicks, 0) as clicks,
        row_number() over (partition by query order by coalesce(clicks, 0) desc, coalesce(searches, 0) desc, product_id) as place
      from shown full join clicked using (query, product_id)
    ), products as (
      select query, json_agg(json_build_object('product_id', product_id, 'searches', searches, 'clicks', clicks) order by place) as list
      from ranked where place <= ${QUERY_PRODUCTS_MAX} group by query
    ), searched_before as (
      select normalised_query as query, count(*)::int as searches from search where ${isAsked} and ${beforeIt} group by 1
    ), clicked_before as (
      select (metadata->>'query') collate "C" as query, count(*)::int as clicks from interaction where ${isAskedClick} and ${beforeIt} group by 1
    )
    select q.query, coalesce(p.list, '[]') as products, coalesce(s.searches, 0) as searches, coalesce(c.clicks, 0) as clicks
    from unnest(${queries}::text[] collate "C") as q(query) left join products p using (query)
      left join searched_before s using (query) left join clicked_before c using (query)`.execute(db)
  return new Map(rows.map(({ query, ...details }) => [query, details]))
}

export function detailOf({ searches, clicks }: SearchQuery, details: QueryDetails | undefined) {
  return {
    products: details?.products ?? [],
    change: { searches: percentOf(searches, details?.searches), clicks: percentOf(clicks, details?.clicks) },
  }
}

/** How much greater a number is than before, in percent to a tenth; null without a before. */
function percentOf(now: number, before = 0): number | null {
  return before === 0 ? null : Math.round(((now - before) / before) * 1_000) / 10
}
