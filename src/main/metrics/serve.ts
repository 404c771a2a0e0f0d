import { createServer, type RequestListener, type Server } from 'node:http'
import { boundHeaders, HEAD_LIMITS, HEAD_TOO_LARGE, hasManyHeaders } from '../../admission/request-head.ts'
import { foreignPageProblem } from '../../admission/loopback.ts'
import { isPublicHost } from '../config/addresses.ts'

/** A collector has one or two. */
const CONNECTIONS_MAX = 100

/** Metrics as text. A Registry of prom-client is one. */
export interface MetricsText {
  contentType: string
  metrics: () => Promise<string>
}

/**
 * Serves /metrics and /health of a process without an HTTP server of its own. At an address of this machine alone it refuses pages
 * elsewhere, which reach it through a browser of this machine.
 */
export async function serveMetrics(
  registry: MetricsText,
  options: { host: string; port: number; isHealthy: () => boolean; readiness?: () => { status: 'ready' | 'not_ready' } },
): Promise<Server> {
  const answer: RequestListener = (request, response) => {
    const path = request.url?.split('?')[0]
    const problem = isPublicHost(options.host) ? undefined : foreignPageProblem(request, 'refused')
    if (hasManyHeaders(request)) response.writeHead(431, { connection: 'close' }).end(`${HEAD_TOO_LARGE}\n`)
    else if (problem !== undefined) response.writeHead(403).end(`${problem}\n`)
    else if (request.method === 'GET' && path === '/health') {
      const isHealthy = options.isHealthy()
      response.writeHead(isHealthy ? 200 : 503, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ status: isHealthy ? 'ok' : 'starting' }))
    } else if (request.method === 'GET' && path === '/ready' && options.readiness !== undefined) {
      const state = options.readiness()
      response.writeHead(state.status === 'ready' ? 200 : 503, { 'content-type': 'application/json' })
      response.end(JSON.stringify(state))
    } else if (request.method === 'GET' && path === '/metrics') {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      )
    } else response.writeHead(404).end('only GET /metrics and /health are here\n')
  }
  const server = createServer(HEAD_LIMITS, answer)
  boundHeaders(server)
  server.maxConnections = CONNECTIONS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return server
}
