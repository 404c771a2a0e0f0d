import type { SellersResponse } from '../../contract/seller-list.ts'
import { sellersView } from '../../page/views/sellers.ts'
import { DAYS, rangeOf } from '../page/day-range.ts'
import type { PageView } from '../page/view.ts'

/** What each seller sold. */
export const sellers: PageView = {
  path: '/sellers',
  label: 'Sellers',
  isInHeader: true,
  access: 'read',
  filters: { days: DAYS },
  show: async (api, { query, nowMs }) => {
    const range = rangeOf(query, nowMs)
    const { cursor } = query
    const { start, end } = range
    const list = await api.get<SellersResponse>('/api/v1/sellers', { start, end, cursor, limit: 50 })
    return { title: 'Sellers', body: sellersView({ ...range, cursor, list }) }
  },
}
