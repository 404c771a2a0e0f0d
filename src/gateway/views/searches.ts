import { z } from 'zod'
import { SEARCH_QUERY_FILTERS, type SearchQueriesResponse } from '../../contract/search.ts'
import { searchesView } from '../../page/views/searches.ts'
import type { PageView } from '../page/view.ts'

/** What shoppers search for, and which searches lead nowhere. */
export const searches: PageView = {
  path: '/searches',
  label: 'Searches',
  isInHeader: true,
  access: 'manage',
  filters: { filter: z.enum(SEARCH_QUERY_FILTERS) },
  show: async (api, { query }) => {
    const filter = SEARCH_QUERY_FILTERS.find((name) => name === query['filter']) ?? 'all'
    const { days = '7', cursor } = query
    const list = await api.get<SearchQueriesResponse>('/api/v1/search/queries', {
      filter,
      days,
      cursor,
      limit: 50,
      expand: 'product',
    })
    return { title: 'Searches', body: searchesView({ filter, days, cursor, list }) }
  },
}
