import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** The cause that an answer of 500 or 503 does not show; it is part of the request's log line. */
    failure?: unknown
  }
}

/**
 * Writes one line per request. Successes are at the level debug, because there are thousands a second and the metrics count them. The
 * query is left out, because it may have a publishable key. The caller gets the line's id as x-request-id.
 */
export function logEachRequest(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    done()
  })
  app.addHook('onResponse', async (request, reply) => {
    const { statusCode: status } = reply
    const path = request.url.split('?')[0]
    const line = { method: request.method, path, status, ms: Math.round(reply.elapsedTime) }
    const fields = request.failure === undefined ? line : { ...line, err: request.failure }
    request.log[levelOf(status)](fields, 'request')
  })
}

function levelOf(status: number): 'debug' | 'info' | 'warn' | 'error' {
  if (status === 500) return 'error'
  if (status === 503) return 'warn'
  return status >= 400 ? 'info' : 'debug'
}

/** The caller's request id if it is 1 to 100 letters, digits and `_ . : -`, so that its log and ours can be joined. */
export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,100}$/.test(header) ? header : randomUUID()
}
