import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { ExplanationResponse } from '../../contract/explanation.ts'
import { GetPopularityRequest } from '../../contract/popularity.ts'
import { explainOrZeros } from '../../store/popularity/explanation.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const EXPLANATION = {
  config: { access: 'read' },
  schema: {
    operationId: 'explainPopularity',
    summary: 'Where the scores of a product come from',
    description:
      'What each event type adds to `score` and to `trending_score`. The parts add up exactly to what `popularity/{product_id}` shows at the same instant, in whole millionths and billionths: a program that adds floats rounds its sum to as many decimals. While hours that left the trending window are being removed, which takes seconds each half-hour, the trending score here is already without them. A product of the catalog without events has zeros, and no types.',
    tags: ['popularity'],
    params: GetPopularityRequest,
    querystring: z.strictObject({}),
    response: {
      200: ExplanationResponse.describe('The parts of its scores.'),
      404: ErrorBody.describe('No event of the product was ever counted, and the catalog never had it.'),
    },
  },
} as const satisfies RouteShorthandOptions

export function explanationRoutes({ lines }: RouteDeps): RoutePlugin {
  return async (app) => {
    app
      .withTypeProvider<ZodTypeProvider>()
      .get('/api/v1/analytic/popularity/:product_id/explain', EXPLANATION, async (request) => {
        const { product_id: productId } = request.params
        const data = await lines.long.read(taskCallerOf(request), (db) => explainOrZeros(db, productId))
        if (data === undefined) throw notFound(`no event of product ${productId} was ever counted, and the catalog never had it`)
        return { data }
      })
  }
}
