import { DecidedError } from '../../contract/decided-error.ts'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'

/** What the gateway needs to do its work; true where it is there. */
export interface Readiness {
  postgresql: boolean
  restate: boolean
  endpoint: boolean
  registration: boolean
  /** Tasks that wait for an operator; null when Restate did not say in time. The gateway is ready all the same. */
  paused_tasks: string[] | null
}

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'

const Status = z.object({ status: z.literal('ok') }).meta({ description: 'It is.', examples: [{ status: 'ok' }] })

const Ready = z
  .object({
    status: z.literal('ok'),
    details: z
      .object({ paused_tasks: z.array(z.string()).nullable() })
      .optional()
      .describe('Tasks that are paused and wait for an operator; null when Restate did not say in time.'),
  })
  .meta({ description: 'It is.', examples: [{ status: 'ok' }] })

export function processRoutes(deps: { readiness: () => Promise<Readiness>; metrics: () => Promise<string> }) {
  return async (app: FastifyInstance) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get(
      '/health',
      {
        schema: {
          operationId: 'health',
          summary: 'The gateway is alive',
          description: 'For a liveness probe: asks nobody else.',
          tags: ['process'],
          response: { 200: Status },
        },
      },
      async () => ({ status: 'ok' as const }),
    )

    routes.get(
      '/ready',
      {
        schema: {
          operationId: 'ready',
          summary: 'The gateway can do its work',
          description:
            'For a readiness probe: PostgreSQL, Restate, the service endpoint and the registration are there. `details` names tasks that are paused.',
          tags: ['process'],
          response: { 200: Ready, 503: ErrorBody.describe('`details` says what is not there.') },
        },
      },
      async () => {
        const readiness = await deps.readiness()
        const { paused_tasks, ...parts } = readiness
        const missing = Object.entries(parts).filter(([, there]) => !there)
        if (missing.length === 0)
          return { status: 'ok' as const, ...(paused_tasks?.length !== 0 && { details: { paused_tasks } }) }
        throw new DecidedError('unavailable', `not there: ${missing.map(([name]) => name).join(', ')}`, {
          details: { ...readiness },
        })
      },
    )

    routes.get('/metrics', { config: { access: 'manage' }, schema: { hide: true } }, async (_request, reply) =>
      reply.type(PROMETHEUS_TEXT).send(await deps.metrics()),
    )
    routes.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
    routes.get('/', { schema: { hide: true } }, async (_request, reply) =>
      reply.header('content-security-policy', PAGE_POLICY).type('text/html; charset=utf-8').send(PAGE),
    )
  }
}

/** Its style is in the page itself. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Footfall</title>
<style>body { font: 16px/1.6 system-ui; max-width: 44rem; margin: 4rem auto; padding: 0 1rem } code { background: #eee; padding: 0 .3em }</style>
<h1>Footfall</h1>
<p>What shoppers do, counted exactly once.</p>
<ul>
  <li><code>POST /api/v1/analytic/interaction</code> records interactions</li>
  <li><a href="/api/v1/analytic/popularity/top">/api/v1/analytic/popularity/top</a>: products by score</li>
  <li><a href="/api/v1/products/popular">/api/v1/products/popular</a>: what is trending, viewed, bought, rising; by window, category and instant</li>
  <li><code>GET /api/v1/analytic/popularity/{product_id}</code>: one product</li>
  <li><code>POST /api/v1/catalog/products</code> brings the catalogue up to date</li>
  <li><code>GET /api/v1/catalog/products/{product_id}</code>: one product of it</li>
  <li><a href="/api/v1/analytic/verify">/api/v1/analytic/verify</a>: replays the log against every number</li>
  <li><a href="/api/v1/schedules">/api/v1/schedules</a>: what runs by the clock, and what became of it</li>
  <li><a href="/docs">/docs</a>: the whole API, to be tried out; <a href="/openapi.json">/openapi.json</a>: the same for programs</li>
  <li><a href="/health">/health</a> and <a href="/ready">/ready</a></li>
  <li><a href="/metrics">/metrics</a>: for Prometheus</li>
</ul>
</html>
`
