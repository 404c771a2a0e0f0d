import { sql } from 'kysely'
import type { SearchQueriesResponse, SearchQuery, SearchQueryFilter } from '../../contract/search.ts'
import { DAY_MS, instantOf } from '../../contract/fields/time.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import type { Queryable } from '../database/connection.ts'
import { detailOf, queryDetails } from './search-query-details.ts'

export interface SearchQueryPage {
  limit: number
  /** The length of the window, and its end, which is not part of it. */
  days: number
  toMs: number
  filter: SearchQueryFilter
  after: SearchQueryPosition | undefined
}

/** A place in a list of queries: by how many they are ranked, then the query. */
interface SearchQueryPosition {
  ranked: number
  query: string
}

/** The condition of each filter on queries q, and the number that it ranks them by. */
const FILTERS = {
  all: { keeps: sql`true`, ranks: sql`q.searches` },
  found_nothing: { keeps: sql`q.found_nothing > 0`, ranks: sql`q.found_nothing` },
  no_click: { keeps: sql`q.clicks = 0 and q.searches > q.found_nothing`, ranks: sql`q.searches` },
} as const satisfies Record<SearchQueryFilter, object>

/**
 * The queries of shoppers in a window, the most frequent first; ties by query. Each page costs a pass over the searches of the window in
 * the log, one over those of the window and the one before for what its queries led to, and over the clicks by an index.
 */
export async function searchQueries(db: Queryable, page: SearchQueryPage): Promise<SearchQueriesResponse> {
  const { limit, days, toMs, filter, after } = page
  const { keeps, ranks } = FILTERS[filter]
  const [from, to] = [instantOf(toMs - days * DAY_MS), instantOf(toMs)]
  const inWindow = sql`occurred_at >= ${from}::timestamptz and occurred_at < ${to}::timestamptz`
  const beyond =
    after === undefined
      ? sql`true`
      : sql`(${ranks} < ${after.ranked}::int or (${ranks} = ${after.ranked}::int and q.query > ${after.query}))`
  const { rows } = await sql<QueryRow>`
    select q.query, q.searches, q.found_nothing, q.clicks, q.clicks::float8 / q.searches as click_through, ${ranks} as ranked
    from (
      select s.query, s.searches, s.found_nothing, coalesce(c.clicks, 0) as clicks
      from (
        select normalised_query as query, count(*)::int as searches,
          (count(*) filter (where cardinality(product_ids) = 0))::int as found_nothing
        from search where ${inWindow} group by 1
      ) s left join (
        select (metadata->>'query') collate "C" as query, count(*)::int as clicks
        from interaction where event_type = 'click_from_search' and ${inWindow} group by 1
      ) c on c.query = s.query
    ) q
    where ${keeps} and ${beyond}
    order by ranked desc, q.query limit ${limit + 1}`.execute(db)
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  const details = await queryDetails(
    db,
    shown.map(({ query }) => query),
    page,
  )
  return {
    data: shown.map(({ ranked: _place, ...query }) => ({ ...query, ...detailOf(query, details.get(query.query)) })),
    meta: { from, to, next_cursor: last ? cursorOf(page, last) : null },
  }
}

type QueryRow = SearchQuery & { ranked: number }

const SEARCH_QUERIES = 'search queries'

function cursorOf({ days, filter, toMs }: SearchQueryPage, { ranked, query }: QueryRow): string {
  return encodeCursor(SEARCH_QUERIES, [filter, String(days), String(toMs), String(ranked), query])
}

/** The position of a cursor and the end of its window; undefined for a text that is no cursor for these days and this filter. */
export function searchQueryPositionOf(
  cursor: string,
  { days, filter }: Pick<SearchQueryPage, 'days' | 'filter'>,
): { toMs: number; after: SearchQueryPosition } | undefined {
  const [ofFilter, ofDays, toMs = '', ranked = '', query] = decodeCursor(SEARCH_QUERIES, cursor) ?? []
  if (ofFilter !== filter || ofDays !== String(days) || query === undefined) return undefined
  if (!/^\d{12,13}$/.test(toMs) || !/^\d{1,9}$/.test(ranked)) return undefined
  return { toMs: Number(toMs), after: { ranked: Number(ranked), query } }
}
