import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { createLineSample } from './line-sample.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The cause that an answer does not show; it is part of the request's log line. */
    failure?: unknown
  }
}

/** Of an address that no route matches: it may be as long as all headers. */
const PATH_CHARACTERS_MAX = 200

/**
 * Writes one line per request. Successes are at the level debug, because there are thousands a second and the metrics count them; so are
 * errors that a caller causes, beyond the first ten of a minute. A success with a failure in it, e.g. a webhook that is kept to be
 * replayed, is logged as such an error. The query is left out, because it may have a publishable key, and an address that matches a route
 * is shown by its pattern. The caller gets the line's id as x-request-id.
 */
export function logEachRequest(app: FastifyInstance): void {
  const sample = createLineSample()
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    done()
  })
  app.addHook('onResponse', async (request, reply) => {
    const { statusCode: status } = reply
    const { method, failure } = request
    const line = { method, ...addressOf(request), status, ms: Math.round(reply.elapsedTime) }
    const fields = failure === undefined ? line : { ...line, err: failure }
    const level = failure === undefined || status >= 400 ? levelOf(status) : 'info'
    // The answer of a 500 refers its caller to the log.
    if (level === 'debug' || status === 500) return request.log[level](fields, 'request')
    // A failure must not be left out because of the mistakes of other callers.
    const { isShown, leftOut } = sample(failure === undefined ? `${status}` : `${status} with a cause`)
    if (isShown) request.log[level](leftOut === 0 ? fields : { ...fields, left_out: leftOut }, 'request')
    else request.log.debug(fields, 'request')
  })
}

function addressOf({ routeOptions: { url: route }, url }: FastifyRequest): { route: string } | { path: string } {
  return route === undefined ? { path: shownPathOf(url) } : { route }
}

/** The path of an address in messages. */
export function shownPathOf(url: string): string {
  const path = url.split('?', 1)[0]!
  return path.length > PATH_CHARACTERS_MAX ? `${path.slice(0, PATH_CHARACTERS_MAX)}…` : path
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
