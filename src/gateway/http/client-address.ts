import rateLimit from '@fastify/rate-limit'

/** The address of a client for limits: of IPv6 the /64, because a client has all addresses of such a network. */
export function clientAddress(ip: string | undefined): string {
  return rateLimit.normalizeIP(ip ?? '')
}
