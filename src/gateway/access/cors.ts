import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import type { Keys } from './key-ring.ts'
import { isLoopback } from './loopback.ts'

const PREFLIGHT_SECONDS = 600

/** Lets pages of the keys' origins call; as long as no key was made, pages of this machine. */
export async function allowOrigins(app: FastifyInstance, deps: { keys: () => Promise<Keys>; isPublic: boolean }): Promise<void> {
  await app.register(cors, {
    origin: async (origin: string | undefined) => {
      if (origin === undefined) return false
      const keys = await deps.keys()
      return keys.areUsed || deps.isPublic ? keys.origins.has(origin) : isLoopback(origin)
    },
    methods: ['GET', 'POST'],
    allowedHeaders: ['authorization', 'content-type', 'idempotency-key', 'prefer', 'traceparent', 'x-request-id'],
    exposedHeaders: ['retry-after', 'x-request-id'],
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  })
}

const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/**
 * An answer of the API is data: no browser should run, frame or guess anything in it. @fastify/helmet, which puts its policy
 * together for each request, took 3 % of the gateway's time for these four. What needs TLS is for the proxy that has it.
 */
export function secureHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(SECURITY_HEADERS)
    done()
  })
}
