import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import { NOT_JSON } from './problem.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Checks that the sender signed these bytes. @throws DecidedError when not. */
    checkSignature?: (request: FastifyRequest, body: Buffer) => Promise<void>
  }
  interface FastifyRequest {
    /** Whether its body passed `checkSignature`. */
    isSigned: boolean
  }
}

/**
 * Reads bodies as JSON. The beacon of a page can only send text/plain, so that is read as JSON too: with a publishable key, or as long
 * as no keys are used.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  app.decorateRequest('isSigned', false)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    ['application/json', 'text/plain'],
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      if (request.headers['content-type']?.startsWith('text/') && request.apiKey?.isPublishable === false)
        throw new DecidedError('invalid_request', NOT_JSON)
      if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
        throw new DecidedError('invalid_request', 'compressed bodies are not read; send it without content-encoding')
      }
      const { checkSignature } = request.routeOptions.config
      await checkSignature?.(request, body)
      request.isSigned = checkSignature !== undefined
      return parseJson(body)
    },
  )
}

/**
 * JSON.parse instead of Fastify's parser, which rejects the whole request for a key __proto__: here it is an unknown field of one item.
 * Bytes that are not UTF-8 are refused, because ids would be read otherwise than they were sent.
 */
function parseJson(body: Buffer): unknown {
  if (body.length === 0) throw new DecidedError('invalid_request', 'the body is empty')
  if (!isUtf8(body)) throw new DecidedError('invalid_request', 'the body is not UTF-8')
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    throw new DecidedError('invalid_request', `the body is not JSON: ${(error as Error).message}`)
  }
}
