import type { FastifyInstance } from 'fastify'
import { Problem } from './problem.ts'

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Without keys everything is allowed, but only from this machine. A web page elsewhere could still make a browser here
 * call us, or point its own name at 127.0.0.1: so the Host and the Origin must be this machine's.
 */
export function requireLoopback(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    if (!isLoopback(`http://${request.headers.host ?? ''}`)) {
      throw new Problem('forbidden', 'the Host header must be localhost, 127.0.0.1 or [::1]')
    }
    const { origin } = request.headers
    if (origin !== undefined && !isLoopback(origin)) throw new Problem('forbidden', 'the Origin header must be of this machine')
  })
}

function isLoopback(address: string): boolean {
  return LOOPBACK_NAMES.has(URL.parse(address)?.hostname ?? '')
}
