import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { SellerDashboardRequest, SellerDashboardResponse } from '../../contract/seller-dashboard.ts'
import type { Database } from '../../store/database/connection.ts'
import { sellerDashboard } from '../../store/sellers/seller-dashboard.ts'
import type { CallGate } from '../recording/call-gate.ts'

import { sellerOf } from '../access/seller-access.ts'

/**
 * Reads go straight to the store, and no answer is kept: what is paid is there at once. They wait in turn, and leave connections to
 * others: a seller who sells very much keeps a processor busy.
 */
export function sellerRoutes({ db, gate }: { db: Database; gate: CallGate }) {
  return async (app: FastifyInstance) => {
    app.withTypeProvider<ZodTypeProvider>().get(
      '/api/v1/analytic/seller-dashboard',
      {
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
      },
      async (request) => {
        const { seller_id: named, ...asked } = request.query
        const sellerId = sellerOf(request, named)
        return gate(0, () => sellerDashboard(db, sellerId, asked, Date.now()))
      },
    )
  }
}
