import type { SellerMetrics } from '../../contract/product-metrics.ts'
import type { SellerDashboardResponse } from '../../contract/seller-dashboard.ts'
import { isProblem } from '../../page/template/answer.ts'
import { sellerView } from '../../page/views/seller.ts'
import { DAYS, rangeOf } from '../page/day-range.ts'
import type { PageView } from '../page/view.ts'

const FORBIDDEN = 403

/** One seller: the only view that a key or token of a seller opens. */
export const seller: PageView = {
  path: '/sellers/:seller_id',
  label: 'Seller',
  isInHeader: false,
  access: 'read',
  ofSeller: true,
  hasChart: true,
  filters: { days: DAYS },
  show: async (api, { params, query, nowMs, sellerId: ownId }) => {
    const sellerId = params['seller_id']!
    const { days, start, end } = rangeOf(query, nowMs)
    const { currency } = query
    const [dashboard, catalog] = await Promise.all([
      api.get<SellerDashboardResponse>('/api/v1/analytic/seller-dashboard', { seller_id: sellerId, start, end, currency }),
      api.get<{ data: SellerMetrics }>(`/api/v1/catalog/metrics/sellers/${encodeURIComponent(sellerId)}`),
    ])
    const isForbidden = isProblem(dashboard) && dashboard.error.code === 'forbidden'
    const body = sellerView({ sellerId, days, currency, dashboard, catalog, isOwn: ownId !== null })
    return { title: sellerId, body, ...(isForbidden && { status: FORBIDDEN }) }
  },
}
