import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { RerankRequest, RerankResponse } from '../../contract/rerank.ts'
import { taskCallerOf } from '../access/caller.ts'
import { rerankList } from '../shoppers/rerank-list.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const RECOMMENDATIONS_TAG = { name: 'recommendations', description: 'What to show a shopper next, and why.' }

/** 500 of the longest ids, each character as two escapes, have 1.2 MB. */
const RERANK_BYTES_MAX = 2 * 1024 * 1024

const RERANK = {
  bodyLimit: RERANK_BYTES_MAX,
  config: { access: 'read' },
  schema: {
    operationId: 'rerank',
    summary: 'Order a list by what its shopper does now',
    description:
      "The list is the caller's, e.g. of a search: up to 500 products with scores. Rules multiply the scores: up for categories of the shopper's visit, down for products that the shopper has just seen, for little known ones, and for categories that fill the list. Nothing is dropped and nothing is stored. Unknown products come last. While PostgreSQL or the Redis does not answer, events or facts may be missing, and `meta.is_partial` is true.",
    tags: ['recommendations'],
    body: RerankRequest,
    querystring: z.strictObject({}),
    response: {
      200: RerankResponse.describe('The list, best first.'),
      400: ErrorBody.describe('A field is wrong, or the session is not of the account; `details` names the field.'),
      413: ErrorBody.describe('The body is over 2 MiB.'),
    },
  },
} as const satisfies RouteShorthandOptions

export function rerankRoutes(deps: RouteDeps): RoutePlugin {
  return async (app) => {
    app
      .withTypeProvider<ZodTypeProvider>()
      .post('/api/v1/rerank', RERANK, (request) => rerankList(deps, request.body, taskCallerOf(request)))
  }
}
