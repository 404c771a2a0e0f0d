import { createServer, type RequestListener, type Server } from 'node:http'
import type { Registry } from 'prom-client'

/** Serves /metrics of a process that has no HTTP of its own. */
export async function serveMetrics(registry: Registry, options: { host: string; port: number }): Promise<Server> {
  const answer: RequestListener = (request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end('only GET /metrics is here\n')
      return
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  }
  const server = createServer(answer)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return server
}
