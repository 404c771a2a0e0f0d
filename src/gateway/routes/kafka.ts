import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { KafkaLagResponse } from '../../contract/kafka-lag.ts'
import { shareRunning } from '../caching/share-running.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const LAG = {
  config: { access: 'manage' },
  schema: {
    operationId: 'kafkaLag',
    summary: 'How far the topics of Kafka were read',
    description: 'Each partition with the offsets that are not stored yet, as the consumer knows it. At most some seconds old.',
    tags: ['process'],
    querystring: z.strictObject({}),
    response: {
      200: KafkaLagResponse.describe('The partitions.'),
      404: ErrorBody.describe('Kafka is not read: neither KAFKA_BROKERS nor KAFKA_CONSUMER_URL is set.'),
      503: ErrorBody.describe('The consumer does not answer, or its brokers or PostgreSQL do not answer it.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** An answer is shared for so long, because every open page asks. */
const LAG_MS_MAX = 1_000

export function kafkaRoutes({ kafkaLag }: RouteDeps): RoutePlugin {
  const lag = kafkaLag && shareRunning(kafkaLag, LAG_MS_MAX)
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/kafka', LAG, async (request) => {
      if (lag === undefined) throw notFound('Kafka is not read here: set KAFKA_BROKERS or KAFKA_CONSUMER_URL')
      return lag().catch((error: unknown) => {
        request.failure = error
        throw new DecidedError('unavailable', 'the consumer of Kafka cannot say how far it has read; try again')
      })
    })
  }
}
