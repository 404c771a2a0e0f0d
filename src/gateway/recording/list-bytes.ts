import type { FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'

/** A body that lists items, which is not parsed before. @throws DecidedError for none. */
export function bytesOf({ body }: FastifyRequest): Buffer<ArrayBuffer> {
  if (Buffer.isBuffer(body)) return body as Buffer<ArrayBuffer>
  throw new DecidedError('invalid_request', 'the body is empty')
}

/** A buffer that is handed over to the thread must have nothing else in it, such as the next request of the connection. */
export function ownBytesOf(request: FastifyRequest): Uint8Array<ArrayBuffer> {
  const bytes = bytesOf(request)
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
