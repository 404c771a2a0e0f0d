import { randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { isLoopbackHost } from '../../admission/loopback.ts'

/*
 * The cookie of a session, and which requests may use it. A browser sends a cookie with requests that pages of other sites cause, so a
 * session counts only for requests that the browser marks as those of its own page.
 */

const ID_BYTES = 32
const ID = /^[\w-]{43}$/
/** Bound to the host by browsers, and never sent without TLS. */
const SECURE_NAME = '__Host-footfall'
/** Browsers do not agree on whether http://localhost is as good as TLS. */
const LOOPBACK_NAME = 'footfall'

export function newSessionId(): string {
  return randomBytes(ID_BYTES).toString('base64url')
}

/** The id that a request shows; undefined without exactly one cookie of the right name and form. */
export function shownSessionId(request: FastifyRequest): string | undefined {
  const name = nameFor(request)
  const values = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim().split('='))
    .filter(([key]) => key === name)
    .map(([, ...value]) => value.join('='))
  const [id = ''] = values
  return values.length === 1 && ID.test(id) ? id : undefined
}

/** The header that gives a browser its session, until it is closed or the session ends. */
export function sessionCookie(request: FastifyRequest, id: string): string {
  return `${nameFor(request)}=${id}; ${attributesFor(request)}`
}

/** The header that takes it away. */
export function noSessionCookie(request: FastifyRequest): string {
  return `${nameFor(request)}=; Max-Age=0; ${attributesFor(request)}`
}

/** Whether the cookie would need TLS, and the page was not sent with it: browsers would drop the cookie. */
export function lacksTls(request: FastifyRequest): boolean {
  return !isLoopback(request) && request.headers.origin?.startsWith('http:') === true
}

/**
 * Whether a request is of a page of this gateway, or is the first one of a person who typed the address or opened a bookmark. A request
 * that may change something must be marked by the browser, and name this gateway as its origin.
 */
export function isOfOwnPage(request: FastifyRequest): boolean {
  const { method, headers } = request
  const site = headers['sec-fetch-site']
  if (!['GET', 'HEAD'].includes(method)) return site === 'same-origin' && isOwnOrigin(request)
  if (headers.origin !== undefined && !isOwnOrigin(request)) return false
  return site === 'same-origin' || ((site === undefined || site === 'none') && isNavigation(request))
}

/** Whether a request that signs in is of a page of this gateway, or of a program, which has no page. */
export function isOfOwnPageOrProgram(request: FastifyRequest): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers
  return (origin === undefined && site === undefined) || isOfOwnPage(request)
}

function isNavigation({ headers }: FastifyRequest): boolean {
  return headers['sec-fetch-mode'] === undefined || headers['sec-fetch-mode'] === 'navigate'
}

/** Behind a proxy that is named in TRUSTED_PROXIES the host is the one that the proxy says. */
function isOwnOrigin({ headers: { origin = '' }, host, raw }: FastifyRequest): boolean {
  const hosts = raw.rawHeaders.filter((name, place) => place % 2 === 0 && name.toLowerCase() === 'host')
  const parsed = URL.parse(origin)
  return hosts.length === 1 && parsed !== null && parsed.origin === origin && parsed.host === host.toLowerCase()
}

const isLoopback = ({ protocol, host }: FastifyRequest) => protocol === 'http' && isLoopbackHost(host)

function nameFor(request: FastifyRequest): string {
  return isLoopback(request) ? LOOPBACK_NAME : SECURE_NAME
}

function attributesFor(request: FastifyRequest): string {
  return `Path=/; ${isLoopback(request) ? '' : 'Secure; '}HttpOnly; SameSite=Strict`
}
