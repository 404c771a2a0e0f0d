import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { SellerDashboardRequest, SellerDashboardResponse } from '../../contract/seller-dashboard.ts'
import { sellerDashboard } from '../../store/sellers/seller-dashboard.ts'
import { taskCallerOf } from '../access/caller.ts'
import { sellerOf } from '../access/seller-access.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const SELLERS_TAG = { name: 'sellers', description: 'What each seller sold.' }

const DASHBOARD = {
  config: { access: 'read', ofSeller: true },
  schema: {
    operationId: 'sellerDashboard',
    summary: 'What a seller sold',
    description:
      'Revenue, orders and items of a range of days, with the change since the period before, a point of the charts for each bucket, and the products that sold best. Days are those of the time zone, from midnight to midnight. Amounts are of one currency; ask again for another. All of an answer is of one moment. A key or token of a seller gets that one, and no other.',
    tags: ['sellers'],
    querystring: SellerDashboardRequest,
    response: { 200: SellerDashboardResponse.describe('The dashboard.') },
  },
} as const satisfies RouteShorthandOptions

/** No answer is kept, so that a payment shows immediately. */
export function sellerRoutes({ lines, settings: { pendingDays } }: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/analytic/seller-dashboard', DASHBOARD, async (request) => {
      const { seller_id: requestedId, ...range } = request.query
      const sellerId = sellerOf(request, requestedId)
      return lines.long.read(taskCallerOf(request), (db) =>
        sellerDashboard(db, sellerId, range, { nowMs: Date.now(), pendingDays }),
      )
    })
  }
}
