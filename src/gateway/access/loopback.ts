import { DecidedError } from '../../contract/decided-error.ts'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Without keys everything is allowed, but only from this machine. A web page elsewhere could still make a browser here
 * call us, or point its own name at 127.0.0.1: so the Host and the Origin must be this machine's.
 */
export function refuseForeignPages({ headers }: FastifyRequest): void {
  if (!isLoopback(`http://${headers.host ?? ''}`)) {
    throw new DecidedError('forbidden', 'the Host header must be localhost, 127.0.0.1 or [::1]')
  }
  const isForeign = headers.origin === undefined ? isFromForeignPage(headers) : !isLoopback(headers.origin)
  if (isForeign) throw new DecidedError('forbidden', 'requests of web pages elsewhere are refused')
}

/** An image of a page elsewhere carries no Origin, but browsers say where it comes from. A link may be followed. */
function isFromForeignPage(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate'
}

/** Whether an address or an origin is this machine's. */
export function isLoopback(address: string): boolean {
  return LOOPBACK_NAMES.has(URL.parse(address)?.hostname ?? '')
}
