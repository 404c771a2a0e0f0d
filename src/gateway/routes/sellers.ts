import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { SellersRequest, SellersResponse } from '../../contract/seller-list.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { SellerDashboardRequest, SellerDashboardResponse } from '../../contract/seller-dashboard.ts'
import { sellerList } from '../../store/sellers/seller-list.ts'
import { sellerDashboard } from '../../store/sellers/seller-dashboard.ts'
import { taskCallerOf } from '../access/caller.ts'
import { sellerOf } from '../access/seller-access.ts'
import { shareAnswers } from '../caching/shared-answers.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const SELLERS_TAG = { name: 'sellers', description: 'What each seller sold.' }

const DASHBOARD = {
  config: { access: 'read', ofSeller: true, saysHowMade: true },
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
      'Sellers with sales in a range of days of UTC, the most orders first; ties by id. Amounts of different currencies are never added. The pages of a cursor are of one range, also after midnight. The list is live: a seller whose orders change between two pages may repeat or be missed. An answer is kept for a second, or for three times as long as it took to read, up to ten seconds. A key or token of a seller gets that seller alone.',
    tags: ['sellers'],
    querystring: SellersRequest.extend({
      limit: wholeNumberOfText(1, 100).default(20).describe(SellersRequest.shape.limit.description!),
    }),
    response: { 200: SellersResponse.describe('A page of sellers.') },
  },
} as const satisfies RouteShorthandOptions

/** The list adds up the days of every seller, so its answers are shared. No dashboard is kept, so that a payment shows there immediately. */
export function sellerRoutes({ lines, settings: { pendingDays, popularCacheMs } }: RouteDeps): RoutePlugin {
  const listOf = shareAnswers<SellersRequest & { sellerId: string | undefined }, SellersResponse>(lines.long, {
    read: (db, { sellerId, ...request }) => sellerList(db, request, { sellerId, nowMs: Date.now() }),
    keyOf: ({ sellerId, start, end, limit, cursor }) => JSON.stringify([sellerId ?? null, start, end, limit, cursor]),
    cacheMs: popularCacheMs,
  })
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/sellers', SELLERS, (request) =>
      listOf({ ...request.query, sellerId: request.apiKey?.sellerId ?? undefined }, taskCallerOf(request)),
    )

    routes.get('/api/v1/analytic/seller-dashboard', DASHBOARD, async (request) => {
      const { seller_id: requestedId, ...range } = request.query
      const sellerId = sellerOf(request, requestedId)
      return lines.long.read(taskCallerOf(request), (db) =>
        sellerDashboard(db, sellerId, range, { nowMs: Date.now(), pendingDays }),
      )
    })
  }
}
