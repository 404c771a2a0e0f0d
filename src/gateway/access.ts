import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PUBLISHABLE_BODY_BYTES_MAX } from '../contract/interaction.ts'
import type { ApiKey, Scope } from '../store/api-key.ts'
import type { Keys } from './key-ring.ts'
import { refuseForeignPages } from './loopback.ts'
import type { GatewayObserver } from './observer.ts'
import { Problem } from './problem.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that a caller's key must have; "open" when none is needed. Every route of the API says it. */
    access?: Scope | 'open'
  }
  interface FastifyRequest {
    /** The key that the caller showed, where keys are used. */
    apiKey: ApiKey | null
  }
}

export interface AccessDeps {
  keys: () => Promise<Keys>
  /** Whether others than this machine can reach the gateway: then nothing is allowed without a key. */
  isPublic: boolean
  observer: Pick<GatewayObserver, 'turnedAway'>
}

/**
 * As long as no key was ever made, this machine alone may call, and may do everything. From the first key on every
 * request needs one with the scope of its route.
 */
export function requireAccess(app: FastifyInstance, { keys, isPublic, observer }: AccessDeps): void {
  app.decorateRequest('apiKey', null)
  app.addHook('onRoute', ({ url, config }) => {
    if (url.startsWith('/api/') && config?.access === undefined) throw new Error(`the route ${url} does not say its access`)
  })
  app.addHook('onRequest', async (request) => {
    // Whoever watches over the process must hear from it also when the keys cannot be asked for.
    const known = accessOf(request) === 'open' ? await keys().catch(() => undefined) : await keys()
    if (known === undefined) return
    try {
      if (known.areUsed || isPublic) request.apiKey = admit(request, known)
      else refuseForeignPages(request)
    } catch (error) {
      if (error instanceof Problem) observer.turnedAway(error.code)
      throw error
    }
  })
}

/** The key of a request that may go on; null where none is needed. */
function admit(request: FastifyRequest, keys: Keys): ApiKey | null {
  // Preflights of pages that may call were answered before; here are those of others.
  if (request.method === 'OPTIONS') throw new Problem('forbidden', 'pages of this origin may not call')
  const access = accessOf(request)
  if (access === 'open') return null
  const shown = shownKey(request)
  if (shown === undefined) throw new Problem('unauthorized', 'show a key: Authorization: Bearer <key>')
  const key = keys.find(shown.text)
  if (key === undefined) throw new Problem('unauthorized', 'the key is not known, or was revoked')
  if (!key.scopes.includes(access)) throw new Problem('forbidden', `the key has not the scope ${access}`)
  if (key.sellerId !== null) throw new Problem('forbidden', 'the key is bound to a seller, and this is not about one')
  if (key.isPublishable) checkPublishable(request, key)
  else if (shown.isInUrl) throw new Problem('forbidden', 'a secret key must not be part of an address: it ends up in logs')
  return key
}

function accessOf({ routeOptions }: FastifyRequest): Scope | 'open' {
  return routeOptions.config.access ?? 'open'
}

/** A beacon cannot have headers, so a publishable key may stand in the query; nothing is lost when it is logged. */
function shownKey(request: FastifyRequest): { text: string; isInUrl: boolean } | undefined {
  const { authorization, 'x-management-key': managementKey } = request.headers
  if (typeof managementKey === 'string') return { text: managementKey, isInUrl: false }
  if (authorization !== undefined) return { text: authorization.replace(/^bearer +/i, ''), isInUrl: false }
  const { key } = request.query as { key?: unknown }
  return typeof key === 'string' ? { text: key, isInUrl: true } : undefined
}

/** Everybody can take a publishable key out of the page that uses it. */
function checkPublishable(request: FastifyRequest, key: ApiKey): void {
  const { origin, 'content-length': length } = request.headers
  if (origin !== undefined && !key.origins.includes(origin))
    throw new Problem('forbidden', 'pages of this origin may not use the key')
  if (length === undefined) throw new Problem('invalid_request', 'content-length is needed with a publishable key')
  if (Number(length) > PUBLISHABLE_BODY_BYTES_MAX) {
    throw new Problem('too_large', `the body is over ${PUBLISHABLE_BODY_BYTES_MAX} bytes, the most with a publishable key`)
  }
}
