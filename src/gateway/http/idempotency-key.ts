import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

const CHARACTERS_MAX = 255

/** It becomes a header of the call to Restate, so it must be printable ASCII without a blank at its ends. */
const PATTERN = /^[!-~]([ -~]*[!-~])?$/

/** The header that makes a request one call, however often it is sent. */
export const IdempotencyKey = z
  .string()
  .min(1)
  .max(CHARACTERS_MAX)
  .regex(PATTERN, { error: 'must be printable ASCII' })
  .optional()

/** The key of a request, if any. The caller's id is part of it, so that keys of different callers never collide. */
export function keyOf({ headers, apiKey }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key']
  return typeof key === 'string' ? `${apiKey?.keyId ?? 'local'} ${key}` : undefined
}
