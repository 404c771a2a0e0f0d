import type { IncomingMessage } from 'node:http'

/**
 * An authority of this machine. Matched as text, because forgiving parsers find a loopback host in evil@localhost or localhost/evil.
 */
const LOOPBACK_AUTHORITY = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?$/
const PORT_MAX = 65_535

/** Whether a Host header names this machine: localhost, 127.0.0.1 or [::1], with or without a port. */
export function isLoopbackHost(host: string): boolean {
  const match = LOOPBACK_AUTHORITY.exec(host)
  if (match === null) return false
  const port = Number(match[1] ?? 1)
  return port >= 1 && port <= PORT_MAX
}

/** Whether an origin is that of a page of this machine. */
export function isLoopback(origin: string): boolean {
  return isLoopbackHost(/^https?:\/\/(.*)$/s.exec(origin)?.[1] ?? '')
}

/** The parts of a request that say for which page a browser makes it. */
export type RequestHead = Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'rawHeaders'>

/** Whether links from elsewhere may be followed to a server. Not where a GET changes something. */
export type Links = 'followed' | 'refused'

/**
 * Why a request to a server of this machine may come from a web page elsewhere; undefined when it does not. A page makes a browser
 * of this machine call, or resolves a name of its own to 127.0.0.1. Then the Host is not this machine's.
 */
export function foreignPageProblem(request: RequestHead, links: Links): string | undefined {
  if (!isForThisMachine(request)) return 'the Host header must be localhost, 127.0.0.1 or [::1]'
  const { origin } = request.headers
  const isForeign = origin === undefined ? isOfForeignPage(request, links) : !isLoopback(origin)
  return isForeign ? 'requests of web pages elsewhere are refused' : undefined
}

function isForThisMachine({ url = '', headers, rawHeaders }: RequestHead): boolean {
  const hosts = rawHeaders.filter((name, place) => place % 2 === 0 && name.toLowerCase() === 'host')
  if (hosts.length !== 1 || !isLoopbackHost(headers.host ?? '')) return false
  // An address with an authority, which HTTP puts above the Host header.
  return url.startsWith('/') || url === '*' || isLoopbackHost(/^https?:\/\/([^/?#]*)/i.exec(url)?.[1] ?? '')
}

/**
 * A request without an Origin, e.g. for an image, for a link, or of a program that is no browser. A navigation counts as foreign also
 * when the browser says `none`, because Safari says so of a link from a page that hides its address.
 */
function isOfForeignPage({ method = '', headers }: RequestHead, links: Links): boolean {
  const site = headers['sec-fetch-site']
  if (headers['sec-fetch-mode'] !== 'navigate') return site === 'cross-site'
  if (site === 'same-origin' || site === 'same-site') return false
  return links === 'refused' || !['GET', 'HEAD'].includes(method) || isFramed(headers['sec-fetch-dest'])
}

/** A page that frames another may lay its own content over it, and lead the clicks of its user. */
function isFramed(destination: string | string[] | undefined): boolean {
  return destination !== undefined && destination !== 'document'
}
