import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { isLoopback } from '../../admission/loopback.ts'
import { DecidedError } from '../../contract/decided-error.ts'

/**
 * Without keys everything is allowed, but only from this machine. A page of another site could still make a local browser call the
 * gateway, or resolve its own name to 127.0.0.1, so the Host and the Origin must be this machine's.
 */
export function refuseForeignPages({ headers }: FastifyRequest): void {
  if (!isLoopback(`http://${headers.host ?? ''}`)) {
    throw new DecidedError('forbidden', 'the Host header must be localhost, 127.0.0.1 or [::1]')
  }
  const isForeign = headers.origin === undefined ? isFromForeignPage(headers) : !isLoopback(headers.origin)
  if (isForeign) throw new DecidedError('forbidden', 'requests of web pages elsewhere are refused')
}

/** A request for an image has no Origin, but browsers say that it comes from another site. Following a link is allowed. */
function isFromForeignPage(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate'
}
