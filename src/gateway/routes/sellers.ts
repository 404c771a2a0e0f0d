import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { SellersRequest, SellersResponse } from '../../contract/seller-list.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { SellerDashboardRequest, SellerDashboardResponse } from '../../contract/seller-dashboard.ts'
import { sellerList } from '../../store/sellers/seller-list.ts'
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

const SELLERS = {
  config: { access: 'read', ofSeller: true },
  schema: {
    operationId: 'sellers',
    summary: 'What all sellers sold',
    description:
      'Sellers with sales in a range of days of UTC, the most orders first; ties by id. Amounts of different currencies are never added. The list is live: a seller whose orders change between two pages may repeat or be missed. A key or token of a seller gets that seller alone.',
    tags: ['sellers'],
    querystring: SellersRequest.extend({
      limit: wholeNumberOfText(1, 100).default(20).describe(SellersRequest.shape.limit.description!),
    }),
    response: { 200: SellersResponse.describe('A page of sellers.') },
  },
} as const satisfies RouteShorthandOptions

/** No answer is kept, so that a payment shows immediately. */
export function sellerRoutes({ lines, settings: { pendingDays } }: RouteDeps): RoutePlugin {
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/sellers', SELLERS, (request) => {
      const context = { sellerId: request.apiKey?.sellerId ?? undefined, nowMs: Date.now() }
      return lines.long.read(taskCallerOf(request), (db) => sellerList(db, request.query, context))
    })

    routes.get('/api/v1/analytic/seller-dashboard', DASHBOARD, async (request) => {
      const { seller_id: requestedId, ...range } = request.query
      const sellerId = sellerOf(request, requestedId)
      return lines.long.read(taskCallerOf(request), (db) =>
        sellerDashboard(db, sellerId, range, { nowMs: Date.now(), pendingDays }),
      )
    })
  }
}
