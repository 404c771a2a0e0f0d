import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { SERIES_HOURS_MAX, SeriesRequest, SeriesResponse } from '../../contract/series.ts'
import { productSeries } from '../../store/popularity/series.ts'
import { taskCallerOf } from '../access/caller.ts'
import { repeatable } from '../http/repeated.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

/** A question for more hours of products waits in the line of reads that add up hours. */
const SHORT_HOURS_MAX = 5_000

const SERIES = {
  config: { access: 'read' },
  schema: {
    operationId: 'productSeries',
    summary: 'Events of products, by the hour or day',
    description:
      'Counted events of each product from the aggregates by hour, the hour that runs included. Up to 168 hours are counted by the hour; longer ranges, and those in which hours were made into days, by the UTC day. A product without events, or unknown, has zeros. An answer has at most 200,000 numbers: products · hours or days · (1 + event types).',
    tags: ['popularity'],
    querystring: SeriesRequest.extend({
      hours: wholeNumberOfText(1, SERIES_HOURS_MAX).default(24).describe(SeriesRequest.shape.hours.description!),
    }),
    response: { 200: SeriesResponse.describe('A series for each product.') },
  },
  preValidation: repeatable('product_ids', 'event_types'),
} as const satisfies RouteShorthandOptions

export function seriesRoutes({ lines }: RouteDeps): RoutePlugin {
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/products/series', SERIES, (request) => {
      const { query } = request
      const line = query.product_ids.length * query.hours > SHORT_HOURS_MAX ? lines.addedUp : lines.short
      return line.read(taskCallerOf(request), (db) => productSeries(db, query, Date.now()))
    })
  }
}
