import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import {
  METRICS_DAYS_MAX,
  RecommendationMetricsRequest,
  RecommendationMetricsResponse,
} from '../../contract/recommendation-metrics.ts'
import { recommendationMetrics } from '../../store/recommendations/metrics.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const { shape } = RecommendationMetricsRequest
const MetricsQuery = z.strictObject({
  days: wholeNumberOfText(1, METRICS_DAYS_MAX).default(7).describe(shape.days.description!),
  per_day: z.enum(['true', 'false']).default('false').describe(shape.per_day.description!),
})

const METRICS = {
  config: { access: 'read' },
  schema: {
    operationId: 'recommendationMetrics',
    summary: 'What recommendations led to',
    description:
      'Clicks, carts, purchases and net revenue of products that were recommended, by strategy, blend and version of the similarities, and by the day on which they were shown. An event counts for the recommendation that its `metadata.recommendation_id` names; without it, for the latest one that showed its product to its shopper in the `ATTRIBUTION_HOURS` before. Read from the log, so late events and refunds change the numbers of the day of the impression.',
    tags: ['recommendations'],
    querystring: MetricsQuery,
    response: { 200: RecommendationMetricsResponse.describe('The numbers.') },
  },
} as const satisfies RouteShorthandOptions

export function recommendationMetricsRoutes({ lines, settings }: RouteDeps): RoutePlugin {
  const { attributionHours } = settings
  const read = lines.long.shared({
    read: (db, request: RecommendationMetricsRequest) =>
      recommendationMetrics(db, request, { nowMs: Date.now(), attributionHours }),
    keyOf: JSON.stringify,
    // No answer is older than its question.
    joinMs: 0,
  })
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/recommendations/metrics', METRICS, (request) => {
      const { days, per_day: perDay } = request.query
      return read({ days, per_day: perDay === 'true' }, taskCallerOf(request))
    })
  }
}
