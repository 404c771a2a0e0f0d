import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { OPERATIONS_PAGE_POLICY, operationsPage } from '../http/operations-page.ts'
import type { Readiness, RouteDeps, RoutePlugin } from './deps.ts'

export const PROCESS_TAG = { name: 'process', description: 'For operators.' }

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'

const HEALTH = {
  schema: {
    operationId: 'health',
    summary: 'The gateway is alive',
    description: 'For a liveness probe: it depends on no other process.',
    tags: ['process'],
    response: { 200: z.object({ status: z.literal('ok') }).meta({ description: 'It is.', examples: [{ status: 'ok' }] }) },
  },
} as const satisfies RouteShorthandOptions

const Ready = z
  .object({
    status: z.literal('ok'),
    details: z
      .object({
        paused_tasks: z
          .array(z.string())
          .nullable()
          .optional()
          .describe(
            'Tasks that are paused and wait for an operator; null when they are not known: Restate did not answer in time, or its admin port is not set.',
          ),
        lost_calls: z
          .object({
            timeline: z.int(),
            timeline_before: z.int(),
            calls: z.int().nullable().describe('null before the first comparison.'),
            compared_at: z.iso.datetime().nullable(),
          })
          .optional()
          .describe(
            'After a failover or a restore of PostgreSQL: how many calls that were acknowledged it lacks. Until ./footfall reconcile finds nothing missing.',
          ),
        kafka_consumer: z
          .object({ status: z.string(), kafka: z.boolean(), postgresql: z.boolean(), waiting_seconds: z.number() })
          .nullable()
          .optional()
          .describe(
            'The consumer of Kafka, when it is not ready; null when it does not answer. The gateway is ready without it.',
          ),
        standbys: z
          .array(z.object({ server: z.string(), lag_ms: z.int().nullable(), is_read: z.boolean() }))
          .optional()
          .describe(
            'The standbys of DATABASE_READ_URL: the greatest age of what each shows, null when it is not known, and whether reads go to it. The gateway is ready without them.',
          ),
      })
      .optional()
      .describe('What an operator should look at.'),
  })
  .meta({ description: 'It is.', examples: [{ status: 'ok' }] })

const READY = {
  schema: {
    operationId: 'ready',
    summary: 'The gateway can do its work',
    description:
      'For a readiness probe: PostgreSQL and the service endpoint answer, Restate runs a call, and the services are registered. Answers within 2 s, with what was true at most a second ago. `details` names tasks that are paused, and calls that a failover of PostgreSQL lost.',
    tags: ['process'],
    response: { 200: Ready, 503: ErrorBody.describe('`details` says what is missing.') },
  },
} as const satisfies RouteShorthandOptions

const METRICS = { config: { access: 'manage' }, schema: { hide: true } } as const satisfies RouteShorthandOptions
const HIDDEN = { schema: { hide: true } } as const satisfies RouteShorthandOptions

export function processRoutes(deps: RouteDeps): RoutePlugin {
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/health', HEALTH, async () => ({ status: 'ok' as const }))

    routes.get('/ready', READY, async () => readyAnswerOf(await deps.readiness()))

    routes.get('/metrics', METRICS, async (_request, reply) => reply.type(PROMETHEUS_TEXT).send(await deps.metrics()))

    // Made once, because a document of 165 KB takes 3 ms, and every caller may ask for it.
    const document = once(() => Buffer.from(JSON.stringify(app.swagger())))
    const page = once(() => Buffer.from(operationsPage(app.swagger())))

    routes.get('/openapi.json', HIDDEN, async (_request, reply) => reply.type('application/json; charset=utf-8').send(document()))

    routes.get('/api', HIDDEN, async (_request, reply) =>
      reply.header('content-security-policy', OPERATIONS_PAGE_POLICY).type('text/html; charset=utf-8').send(page()),
    )
  }
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** @throws DecidedError that names the missing parts. */
function readyAnswerOf(readiness: Readiness) {
  const { paused_tasks, kafka_consumer, standbys, lost_calls, ...parts } = readiness
  const missing = Object.entries(parts).filter(([, isThere]) => !isThere)
  if (missing.length > 0) {
    const names = missing.map(([name]) => name).join(', ')
    throw new DecidedError('unavailable', `not ready: ${names}`, { details: { ...readiness } })
  }
  const details = {
    ...(paused_tasks?.length !== 0 && { paused_tasks }),
    ...(lost_calls !== undefined && { lost_calls }),
    ...(kafka_consumer !== undefined && kafka_consumer?.status !== 'ready' && { kafka_consumer }),
    ...(standbys !== undefined && { standbys }),
  }
  return { status: 'ok' as const, ...(Object.keys(details).length > 0 && { details }) }
}
