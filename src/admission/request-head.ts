import type { IncomingMessage, Server } from 'node:http'

/** Of the address and all headers: 50 categories whose ids have 200 ASCII characters, and 5 KiB for everything else. */
const HEAD_BYTES_MAX = 16 * 1024
/** A browser sends some 20, and proxies add some. */
const HEADERS_MAX = 100

/** Options of an HTTP server that bound what a request may hold before it is known, and for how long. */
export const HEAD_LIMITS = { maxHeaderSize: HEAD_BYTES_MAX, headersTimeout: 10_000, connectionsCheckingInterval: 5_000 } as const

/** The answer to a larger request, with 431. */
export const HEAD_TOO_LARGE = `the request has more than ${HEAD_BYTES_MAX / 1024} KiB of address and headers, or more than ${HEADERS_MAX} headers`

/** Bounds the number of headers. Node takes one more, so that `hasManyHeaders` sees it, and drops or refuses the rest. */
export function boundHeaders(server: Server): void {
  server.maxHeadersCount = HEADERS_MAX + 1
}

/** To be asked before a header decides about the request, because it may be one that Node dropped. */
export function hasManyHeaders({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): boolean {
  return rawHeaders.length > HEADERS_MAX * 2
}
