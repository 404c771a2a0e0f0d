import { DecidedError } from '../../contract/decided-error.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PUBLISHABLE_BODY_BYTES_MAX } from '../../contract/interaction.ts'
import type { ApiKey, Scope } from '../../store/access/api-key.ts'
import type { Keys } from './key-ring.ts'
import { refuseForeignPages } from './loopback.ts'
import type { GatewayObserver } from '../http/observer.ts'

import { isToken, type SellerOfToken } from './seller-tokens.ts'

/** What of a key decides over a request. A token stands for a key that reads what is of one seller. */
export type Caller = Omit<ApiKey, 'createdAt' | 'revokedAt'>

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that a caller's key must have; "open" when none is needed. Every route of the API says it. */
    access?: Scope | 'open'
    /** Whether the route is about one seller: a key or token that is bound to one may call it, and the handler asks `sellerOf`. */
    ofSeller?: boolean
  }
  interface FastifyRequest {
    /** The key that the caller showed, where keys are used, or its token. */
    apiKey: Caller | null
  }
}

export interface AccessDeps {
  keys: () => Promise<Keys>
  /** Undefined when tokens are not used. */
  sellerOfToken: SellerOfToken | undefined
  /** Whether others than this machine can reach the gateway: then nothing is allowed without a key. */
  isPublic: boolean
  observer: Pick<GatewayObserver, 'turnedAway'>
}

/**
 * As long as no key was ever made, this machine alone may call, and may do everything. From the first key on every
 * request needs one with the scope of its route. A token that is shown counts in both cases.
 */
export function requireAccess(app: FastifyInstance, deps: AccessDeps): void {
  const { keys, sellerOfToken, isPublic, observer } = deps
  app.decorateRequest('apiKey', null)
  app.addHook('onRoute', ({ url, config }) => {
    if (url.startsWith('/api/') && config?.access === undefined) throw new Error(`the route ${url} does not say its access`)
  })
  app.addHook('onRequest', async (request) => {
    const access = accessOf(request)
    // Whoever watches over the process must hear from it also when the keys cannot be asked for.
    const known = access === 'open' ? await keys().catch(() => undefined) : await keys()
    if (known === undefined) return
    const isGuarded = known.areUsed || isPublic
    try {
      if (isGuarded) refusePreflights(request)
      else refuseForeignPages(request)
      if (access === 'open') return
      const token = shownToken(request)
      if (token !== undefined && sellerOfToken !== undefined) {
        request.apiKey = admitSeller(request, access, await sellerOfToken(token))
      } else if (isGuarded) request.apiKey = admitKey(request, access, known)
    } catch (error) {
      if (error instanceof DecidedError) observer.turnedAway(error.code)
      throw error
    }
  })
}

/** Preflights of pages that may call were answered before; here are those of others. */
function refusePreflights({ method }: FastifyRequest): void {
  if (method === 'OPTIONS') throw new DecidedError('forbidden', 'pages of this origin may not call')
}

/** The key of a request that may go on. */
function admitKey(request: FastifyRequest, access: Scope, keys: Keys): Caller {
  const shown = shownKey(request)
  if (shown === undefined) throw new DecidedError('unauthorized', 'show a key: Authorization: Bearer <key>')
  const key = keys.find(shown.text)
  if (key === undefined) throw new DecidedError('unauthorized', 'the key is not known, or was revoked')
  checkReach(request, access, key)
  if (key.isPublishable) checkPublishable(request, key)
  else if (shown.isInUrl) throw new DecidedError('forbidden', 'a secret key must not be part of an address: it ends up in logs')
  return key
}

/** What the token of a seller stands for, when its request may go on. */
function admitSeller(request: FastifyRequest, access: Scope, sellerId: string): Caller {
  const caller: Caller = {
    keyId: `seller ${sellerId}`,
    name: `seller ${sellerId}`,
    scopes: ['read'],
    isPublishable: false,
    origins: [],
    sellerId,
    requestsPerMinute: null,
  }
  checkReach(request, access, caller)
  return caller
}

function checkReach({ routeOptions }: FastifyRequest, access: Scope, { scopes, sellerId }: Caller): void {
  if (sellerId !== null && routeOptions.config.ofSeller !== true) {
    throw new DecidedError('forbidden', 'the key or token is bound to a seller, and this is not about one')
  }
  if (!scopes.includes(access)) throw new DecidedError('forbidden', `the key has not the scope ${access}`)
}

function accessOf({ routeOptions }: FastifyRequest): Scope | 'open' {
  return routeOptions.config.access ?? 'open'
}

/** A token binds its caller also beside a key in a header of its own. */
function shownToken({ headers: { authorization = '' } }: FastifyRequest): string | undefined {
  const text = bearerOf(authorization)
  return isToken(text) ? text : undefined
}

/** A beacon cannot have headers, so a publishable key may stand in the query; nothing is lost when it is logged. */
function shownKey(request: FastifyRequest): { text: string; isInUrl: boolean } | undefined {
  const { authorization, 'x-management-key': managementKey } = request.headers
  if (typeof managementKey === 'string') return { text: managementKey, isInUrl: false }
  if (authorization !== undefined) return { text: bearerOf(authorization), isInUrl: false }
  const { key } = request.query as { key?: unknown }
  return typeof key === 'string' ? { text: key, isInUrl: true } : undefined
}

function bearerOf(authorization: string): string {
  return authorization.replace(/^bearer +/i, '')
}

/** Everybody can take a publishable key out of the page that uses it. */
function checkPublishable(request: FastifyRequest, key: Caller): void {
  const { origin, 'content-length': length } = request.headers
  if (origin !== undefined && !key.origins.includes(origin))
    throw new DecidedError('forbidden', 'pages of this origin may not use the key')
  if (length === undefined) throw new DecidedError('invalid_request', 'content-length is needed with a publishable key')
  if (Number(length) > PUBLISHABLE_BODY_BYTES_MAX) {
    throw new DecidedError('too_large', `the body is over ${PUBLISHABLE_BODY_BYTES_MAX} bytes, the most with a publishable key`)
  }
}
