import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import { isLoopback } from '../../admission/loopback.ts'
import type { Keys } from './key-ring.ts'
import { isOneOf } from './origins.ts'

const PREFLIGHT_SECONDS = 600

/** Lets pages of the keys' origins call; as long as no key was made, pages of this machine. */
export async function allowOrigins(app: FastifyInstance, deps: { keys: () => Promise<Keys>; isPublic: boolean }): Promise<void> {
  await app.register(cors, {
    origin: async (origin: string | undefined) => {
      if (origin === undefined) return false
      const keys = await deps.keys()
      return keys.areUsed || deps.isPublic ? isOneOf(origin, keys.origins) : isLoopback(origin)
    },
    methods: ['GET', 'POST'],
    allowedHeaders: [
      'authorization',
      'content-encoding',
      'content-type',
      'footfall-min-lsn',
      'idempotency-key',
      'prefer',
      'traceparent',
      'x-request-id',
    ],
    // From the date of an answer, browser.js learns how far the clock of its machine is off.
    exposedHeaders: ['date', 'footfall-lsn', 'retry-after', 'x-request-id'],
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  })
}
