import type { FastifyReply, FastifyRequest } from 'fastify'

/** Nothing inline, nothing evaluated, nothing from other hosts. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

/** Whether a request asks for the changed parts of a view, and not for a whole page. */
export function asksForParts({ headers }: FastifyRequest): boolean {
  return headers['hx-request'] === 'true' && headers['hx-history-restore-request'] !== 'true'
}

/** Whether a browser asks for a page, and not a program for data. */
export function acceptsHtml({ headers: { accept = '' } }: FastifyRequest): boolean {
  return accept.split(',').some((range) => range.split(';')[0]!.trim().toLowerCase() === 'text/html')
}

/** Sends HTML, which gets its tag and its encoding as every answer does. */
export function sendPage(reply: FastifyReply, text: string): FastifyReply {
  reply.headers({
    'content-security-policy': PAGE_POLICY,
    // With no-referrer the Origin of a form that is posted would be null, and a session needs it.
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'private, no-cache',
    vary: 'cookie, authorization, hx-request, origin',
  })
  return reply.type('text/html; charset=utf-8').send(text)
}
