import { hash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createCompression, type Encoding, encodingIn } from './compression.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether its answers tell what persons did, so that nothing keeps them. */
    isPersonal?: boolean
    /** Whether its answers say when and how fast they were made, which their tag leaves out: the same rows have the same tag. */
    saysHowMade?: boolean
  }
}

/** A smaller one fits into one packet with its headers anyway. */
const COMPRESSED_BYTES_MIN = 1_000
/** Larger bodies are sent as they are, because a hash and a compression of them would delay others. */
const BODY_BYTES_MAX = 4 * 1024 * 1024
/** 128 bits, so that different answers never have the same tag. */
const TAG_CHARACTERS = 22
const HOW_MADE = /"(?:generated_at":"[^"]*"|cache_hit":(?:true|false)|execution_ms":[\d.e+-]+)/g
const COMPRESSIBLE = /^(?:text\/|application\/(?:json|problem\+json|javascript)\b)/

/**
 * The one place for the form in which answers of GET go out: a tag that names their content, 304 for a client that has the same, and
 * compression. A tag is that of the bytes before compression, and weak, because one tag stands for all encodings. A list with trending
 * scores changes with every instant, so its tag is good for as long as its block is kept.
 *
 * Streams are left alone, and so are all answers but 200 of a GET. So a secret that is shown once, in the answer of a POST, is never
 * compressed next to text of an attacker (BREACH); keys, tokens and cookies are only in headers.
 */
export function formAnswers(app: FastifyInstance): void {
  const compress = createCompression()
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.routeOptions.config.isPersonal) reply.header('cache-control', 'no-store')
    if (!isFormed(request, reply, payload)) return payload
    // Also for a 304, which has the Vary of the answer that it stands for.
    const encoding = encodingOf(request, reply, payload)
    const content = request.routeOptions.config.saysHowMade ? payload.toString().replaceAll(HOW_MADE, '') : payload
    const tag = tagOf(content)
    if (isTagged(reply)) {
      if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'private, no-cache')
      reply.header('etag', tag)
      // Fastify reads the body of an answer to HEAD, and so it must have one.
      if (request.method === 'GET' && hasTag(request.headers['if-none-match'], tag)) {
        reply.code(304).removeHeader('content-type').removeHeader('content-length')
        return null
      }
    }
    if (encoding === undefined) return payload
    const body = await compress(content === payload ? tag : tagOf(payload), encoding, payload)
    reply.header('content-encoding', encoding).removeHeader('content-length')
    return body
  })
}

function tagOf(content: string | Buffer): string {
  return `W/"${hash('sha256', content, 'base64url').slice(0, TAG_CHARACTERS)}"`
}

function isFormed({ method }: FastifyRequest, reply: FastifyReply, payload: unknown): payload is string | Buffer {
  return (
    (method === 'GET' || method === 'HEAD') &&
    reply.statusCode === 200 &&
    (typeof payload === 'string' || Buffer.isBuffer(payload)) &&
    payload.length <= BODY_BYTES_MAX
  )
}

/** An answer that must not be kept has no tag, and one that has its own keeps it. */
function isTagged(reply: FastifyReply): boolean {
  return !reply.hasHeader('etag') && !/no-store|immutable/.test(String(reply.getHeader('cache-control') ?? ''))
}

/** Whether If-None-Match names the tag; a weak comparison, as RFC 9110 says. */
function hasTag(header: string | string[] | undefined, tag: string): boolean {
  if (header === undefined) return false
  const names = [header].flat().join()
  return names.trim() === '*' || names.split(',').some((name) => name.trim().replace(/^(?!W\/)/, 'W/') === tag)
}

/** The encoding to send an answer in; undefined to send it as it is. */
function encodingOf(request: FastifyRequest, reply: FastifyReply, payload: string | Buffer): Encoding | undefined {
  if (Buffer.byteLength(payload) < COMPRESSED_BYTES_MIN || reply.hasHeader('content-encoding')) return undefined
  if (!COMPRESSIBLE.test(String(reply.getHeader('content-type') ?? ''))) return undefined
  addVary(reply)
  return request.method === 'GET' ? encodingIn(request.headers['accept-encoding']) : undefined
}

function addVary(reply: FastifyReply): void {
  const before = reply.getHeader('vary')
  const names = before === undefined ? [] : String(before).split(', ')
  if (!names.some((name) => name.toLowerCase() === 'accept-encoding'))
    reply.header('vary', [...names, 'Accept-Encoding'].join(', '))
}
