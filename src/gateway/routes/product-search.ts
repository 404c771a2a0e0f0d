import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { SearchProductsRequest, SearchProductsResponse } from '../../contract/product-search.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { createProductSearch } from '../../store/catalog/product-search.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const { shape } = SearchProductsRequest
const Query = SearchProductsRequest.extend({
  limit: wholeNumberOfText(1, 100).default(20).describe(shape.limit.description!),
  seen: z.enum(['true', 'false']).optional().describe(shape.seen.description!),
})

const SEARCH = {
  config: { access: 'read' },
  schema: {
    operationId: 'searchProducts',
    summary: 'Search the catalog',
    description:
      'Products by the words of their names or the beginning of their ids, and by category, brand, seller and status, also hidden and deleted ones. Each of the filters is compared as a whole. `meta.order` says how the pages of a search are ordered. The list is live: a product that changes between two pages may repeat or be missed.',
    tags: ['catalog'],
    querystring: Query,
    response: { 200: SearchProductsResponse.describe('A page of products.') },
  },
} as const satisfies RouteShorthandOptions

export function productSearchRoutes({ lines }: RouteDeps): RoutePlugin {
  const search = createProductSearch()
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/catalog/products', SEARCH, async (request) => {
      const { seen, ...query } = request.query
      const wanted: SearchProductsRequest = { ...query, ...(seen !== undefined && { seen: seen === 'true' }) }
      const caller = taskCallerOf(request)
      const quick = await lines.short.read(caller, (db) => search.quick(db, wanted))
      return quick ?? lines.long.read(caller, (db) => search.whole(db, wanted))
    })
  }
}
