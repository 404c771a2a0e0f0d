import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

const CHARACTERS_MAX = 255

/** It becomes a header of the call to Restate: printable ASCII, no blank at its ends. */
const PATTERN = /^[!-~]([ -~]*[!-~])?$/

/** The header that makes a request one call, however often it is sent. */
export const IdempotencyKey = z
  .string()
  .min(1)
  .max(CHARACTERS_MAX)
  .regex(PATTERN, { error: 'must be printable ASCII' })
  .optional()

/** The key of a request, if it has one. Keys of different callers never meet. */
export function keyOf({ headers, apiKey }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key']
  return typeof key === 'string' ? `${apiKey?.keyId ?? 'local'} ${key}` : undefined
}
