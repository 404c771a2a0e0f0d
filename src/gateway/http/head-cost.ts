import type { IncomingMessage } from 'node:http'

/** So many bytes of the address and the headers cost 1, as of a body. */
const HEAD_BYTES = 4 * 1024

/** What the head of a request costs the event loop: as much as a usual request, or more. Node parses it before the request can wait. */
export function costOfHead({ url = '', rawHeaders }: Pick<IncomingMessage, 'url' | 'rawHeaders'>): number {
  let bytes = url.length
  for (const text of rawHeaders) bytes += text.length
  return Math.max(1, bytes / HEAD_BYTES)
}
