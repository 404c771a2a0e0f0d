import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
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

const compressBrotli = promisify(brotliCompress)
const compressGzip = promisify(gzip)
/** A page of 20 kB takes 0.4 ms, and is a tenth larger than at the highest quality, which takes 30 ms. */
const BROTLI_QUALITY = 4

/** Whether a request asks for the changed parts of a view, and not for a whole page. */
export function asksForParts({ headers }: FastifyRequest): boolean {
  return headers['hx-request'] === 'true' && headers['hx-history-restore-request'] !== 'true'
}

/** Sends HTML. A browser that has the same already gets 304. */
export async function sendPage(request: FastifyRequest, reply: FastifyReply, text: string): Promise<FastifyReply> {
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
  reply.headers({
    'content-security-policy': PAGE_POLICY,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'private, no-cache',
    vary: 'accept-encoding, cookie, authorization, hx-request, origin',
    etag,
  })
  if (reply.statusCode === 200 && request.headers['if-none-match'] === etag) return reply.code(304).send()
  reply.type('text/html; charset=utf-8')
  const body = Buffer.from(text)
  const encoding = encodingOf(request)
  if (encoding === undefined) return reply.send(body)
  return reply.header('content-encoding', encoding).send(await compressed(body, encoding))
}

/** The encoding that a client takes and that is the smallest. */
export function encodingOf({ headers }: FastifyRequest): 'br' | 'gzip' | undefined {
  const accepted = headers['accept-encoding']
  if (accepted === undefined) return undefined
  const names = [accepted]
    .flat()
    .join()
    .split(',')
    .filter((part) => !/;\s*q=0(\.0*)?\s*$/.test(part))
    .map((part) => part.split(';')[0]!.trim().toLowerCase())
  return names.includes('br') ? 'br' : names.includes('gzip') ? 'gzip' : undefined
}

async function compressed(body: Buffer, encoding: 'br' | 'gzip'): Promise<Buffer> {
  if (encoding === 'gzip') return compressGzip(body)
  return compressBrotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } })
}
