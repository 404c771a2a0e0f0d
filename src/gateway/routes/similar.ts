import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { SimilarRequest, SimilarResponse } from '../../contract/similar-product.ts'
import { createSimilarProducts, RANKED_SHARE } from '../../store/recommendations/similar-products.ts'
import { sendJson } from '../http/send-json.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const { product_id: ProductOfPath, kind, limit, explain, expand, in_stock: inStock } = SimilarRequest.shape

const Query = z.strictObject({
  kind,
  limit: wholeNumberOfText(1, 100).default(10).describe(limit.description!),
  explain: z.enum(['true', 'false']).default('false').describe(explain.description!),
  expand,
  in_stock: z.enum(['true', 'false']).optional().describe(inStock.description!),
})

const SIMILAR = {
  config: { access: 'read' },
  schema: {
    operationId: 'similarProducts',
    summary: 'Products like one',
    description:
      'What shoppers had before and after it, what was bought together with it, or the alternatives of its category. Hidden and deleted products, and those out of stock, are never there. For a product that is newer than the similarities the list has products of its category and brand, and `meta.strategy` is `category_and_brand`.',
    tags: ['recommendations'],
    params: z.object({ product_id: ProductOfPath }),
    querystring: Query,
    response: {
      200: SimilarResponse.describe('The products, best first.'),
      404: ErrorBody.describe('Neither the catalog nor the log has the product.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** Few callers ask for it, and lists that are not kept are ranked again. */
const UP_TO_DATE_BYTES = 256 * 1024

/**
 * Most answers share a statement with others. The rest are index probes, up to one for each product of a category and a brand, in the line
 * of short reads.
 */
export function similarRoutes({ source, lines, similarity, settings }: RouteDeps): RoutePlugin {
  const bytesMax = settings.similarityBytesMax * RANKED_SHARE
  const usual = createSimilarProducts({ versions: similarity, db: source.shared, bytesMax })
  // For callers that want to see what they have written: what it shares it reads from the primary.
  const upToDate = createSimilarProducts({ versions: similarity, db: source.primary, bytesMax: UP_TO_DATE_BYTES })
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/products/:product_id/similar', SIMILAR, async (request, reply) => {
      const { explain: explains, in_stock: _inStock, ...query } = request.query
      const wanted = { ...request.params, ...query, explain: explains === 'true' }
      const similar = request.minLsn === undefined ? usual : upToDate
      const quick = await similar.quick(wanted)
      const answer = quick ?? (await lines.short.read(taskCallerOf(request), (from) => similar.answer(from, wanted)))
      return sendJson(reply, Buffer.from(JSON.stringify(answer)))
    })
  }
}
