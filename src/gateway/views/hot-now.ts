import { type Mode, MODES, type PopularResponse } from '../../contract/popular-list.ts'
import type { SearchQueriesResponse } from '../../contract/search.ts'
import { dataOf } from '../../page/template/answer.ts'
import { type HotNow, hotNowView, RANKS_MAX } from '../../page/views/hot-now.ts'
import type { PageApi } from '../page/page-api.ts'
import type { PageView, ViewRequest } from '../page/view.ts'

const PATH = '/api/v1/products/popular'
const HOUR_MS = 3_600_000
/** The list of a past hour changes only with late events, and adds up so many hours that the events of others wait for it. */
const PAST_KEEP_MS = 600_000
const LOST_SEARCHES = 10

/** What is popular at the moment, live. */
export const hotNow: PageView = {
  path: '/',
  label: 'Hot now',
  isInHeader: true,
  access: 'read',
  isLive: true,
  show: async (api, request) => {
    const query = queryOf(request)
    const { mode, time_window_days, category_ids, as_of } = query
    const filters = { mode, time_window_days, category_ids }
    const atMs = as_of === undefined ? request.nowMs : Date.parse(as_of)
    const ranksAt = (ms: number) => ranksOf(api, { ...filters, as_of: hourNearest(ms) })
    // Another word than a mode is refused, and what stands around the list is that of the usual one.
    const list = await api.get<PopularResponse>(PATH, { ...query, mode: request.query['mode'] ?? mode, expand: 'product' })
    const rows = dataOf(list) ?? []
    // Nothing stands beside an empty list, or one that could not be read.
    const [hourAgo, dayAgo, series, lost] = await Promise.all([
      rows.length === 0 ? undefined : ranksAt(atMs - HOUR_MS),
      rows.length === 0 ? undefined : ranksAt(atMs - 24 * HOUR_MS),
      seriesOf(api, rows, as_of),
      request.scopes.includes('manage') ? lostSearchesOf(api) : undefined,
    ])
    const firstRank = query.cursor === undefined ? 1 : (wholeNumberOf(request.query['from']) ?? 1)
    return { title: 'Hot now', body: hotNowView({ query, list, firstRank, hourAgo, dayAgo, series, lostSearches: lost }) }
  },
}

function queryOf({ query: { mode, time_window_days, category_ids, as_of, cursor } }: ViewRequest): HotNow['query'] {
  return {
    mode: mode !== undefined && Object.hasOwn(MODES, mode) ? (mode as Mode) : 'trending',
    ...(time_window_days !== undefined && { time_window_days }),
    ...(category_ids !== undefined && { category_ids }),
    ...(as_of !== undefined && { as_of }),
    ...(cursor !== undefined && { cursor }),
  }
}

function wholeNumberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined
}

/** Lists of the past are those of whole hours. */
function hourNearest(ms: number): string | undefined {
  const hour = new Date(Math.round(ms / HOUR_MS) * HOUR_MS)
  return Number.isNaN(hour.getTime()) ? undefined : hour.toISOString()
}

async function ranksOf(api: PageApi, query: Record<string, string | undefined>): Promise<HotNow['hourAgo']> {
  if (query['as_of'] === undefined) return undefined
  const list = dataOf(await api.get<PopularResponse>(PATH, { ...query, limit: RANKS_MAX }, { keepMs: PAST_KEEP_MS }))
  return list && new Map(list.map(({ product_id }, index) => [product_id, index + 1]))
}

async function seriesOf(
  api: PageApi,
  products: readonly { product_id: string }[],
  asOf: string | undefined,
): Promise<HotNow['series']> {
  if (products.length === 0) return undefined
  const productIds = products.map(({ product_id }) => product_id)
  const answer = await api.get<{ data: { product_id: string; counts: number[] }[] }>('/api/v1/products/series', {
    product_ids: productIds,
    hours: 24,
    as_of: asOf,
  })
  const rows = dataOf(answer)
  return rows && new Map(rows.map(({ product_id, counts }) => [product_id, counts]))
}

async function lostSearchesOf(api: PageApi): Promise<HotNow['lostSearches']> {
  const answer = await api.get<SearchQueriesResponse>('/api/v1/search/queries', { filter: 'found_nothing', limit: LOST_SEARCHES })
  return dataOf(answer)
}
