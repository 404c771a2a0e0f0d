import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
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

export interface Served {
  host: string
  port: number
  isHealthy: () => boolean
  readiness?: () => { status: 'ready' | 'not_ready' }
  /** What the consumer of Kafka answers at /lag; undefined while it does not know. */
  lag?: () => Promise<object | undefined>
}

/**
 * Serves /metrics and /health of a process without an HTTP server of its own. At an address of this machine alone it refuses pages
 * elsewhere, which reach it through a browser of this machine.
 */
export async function serveMetrics(registry: MetricsText, options: Served): Promise<Server> {
  const answer: RequestListener = (request, response) => {
    const path = request.url?.split('?')[0]
    const problem = isPublicHost(options.host) ? undefined : foreignPageProblem(request, 'refused')
    if (hasManyHeaders(request)) response.writeHead(431, { connection: 'close' }).end(`${HEAD_TOO_LARGE}\n`)
    else if (problem !== undefined) response.writeHead(403).end(`${problem}\n`)
    else if (request.method === 'GET' && path === '/health') {
      const isHealthy = options.isHealthy()
      answerJson(response, isHealthy ? 200 : 503, { status: isHealthy ? 'ok' : 'starting' })
    } else if (request.method === 'GET' && path === '/ready' && options.readiness !== undefined) {
      const state = options.readiness()
      answerJson(response, state.status === 'ready' ? 200 : 503, state)
    } else if (request.method === 'GET' && path === '/lag' && options.lag !== undefined) {
      options.lag().then(
        (lag) => answerJson(response, lag === undefined ? 503 : 200, lag ?? { status: 'unknown' }),
        () => response.writeHead(500).end(),
      )
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

function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
