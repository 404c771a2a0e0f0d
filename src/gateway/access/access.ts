import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import type { Scope } from '../../store/access/api-key.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { hashOfId } from '../../store/access/session.ts'
import { type Caller, callerOfKey, callerOfSeller, callerOfSession } from './caller.ts'
import { shownKey, shownToken } from './credentials.ts'
import type { Keys } from './key-ring.ts'
import { refuseForeignPages } from './loopback.ts'
import type { SellerOfToken } from './seller-tokens.ts'
import { isOfOwnPage, shownSessionId } from './session-cookie.ts'
import type { FindSession } from './session-ring.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scope that a caller's key must have; "any" when one is enough, "open" when no key is needed. Every route of the API states it. */
    access?: Scope | 'any' | 'open'
    /** Whether the route is about one seller: a key or token that is bound to one may call it, and the handler calls `sellerOf`. */
    ofSeller?: boolean
    /** Whether a publishable key is not enough, although its scope is. */
    needsSecretKey?: boolean
  }
  interface FastifyRequest {
    /** The key that the caller showed, or its token; null where no key is needed. */
    apiKey: Caller | null
  }
}

/** How callers are recognised. */
export interface Access {
  keys: () => Promise<Keys>
  /** Undefined when tokens are not used. */
  sellerOfToken: SellerOfToken | undefined
  sessionOf: FindSession
  /** Notes that a key or a session was used. */
  noteUse: (caller: Caller) => void
}

export interface AccessDeps extends Access {
  /** Whether other machines can reach the gateway: then every request needs a key, from the start. */
  isPublic: boolean
  observer: Pick<GatewayObserver, 'turnedAway'>
}

/**
 * As long as no key was ever made, only this machine may call, and it may do everything. From the first key on every request needs a
 * key with the scope of its route. A seller's token is checked in both cases.
 */
export function requireAccess(app: FastifyInstance, { observer, ...deps }: AccessDeps): void {
  app.decorateRequest('apiKey', null)
  app.addHook('onRoute', ({ url, config }) => {
    if (url.startsWith('/api/') && config?.access === undefined) throw new Error(`the route ${url} does not say its access`)
  })
  app.addHook('onRequest', async (request) => {
    try {
      refuseTokenInUrl(request)
      request.apiKey = await callerOf(request, deps)
      if (request.apiKey !== null) deps.noteUse(request.apiKey)
    } catch (error) {
      if (error instanceof DecidedError) observer.turnedAway(error.code)
      throw error
    }
  })
}

/** The caller of a request that may go on; null where no key is needed. @throws DecidedError for every other request. */
async function callerOf(request: FastifyRequest, deps: Omit<AccessDeps, 'observer'>): Promise<Caller | null> {
  const access = request.routeOptions.config.access ?? 'open'
  // Probes must be answered even when the keys cannot be read.
  const keys = access === 'open' ? await deps.keys().catch(() => undefined) : await deps.keys()
  if (keys === undefined) return null
  const needsKey = keys.areUsed || deps.isPublic
  if (needsKey) refusePreflights(request)
  else refuseForeignPages(request)
  if (access === 'open') return null
  const token = shownToken(request)
  if (token !== undefined && deps.sellerOfToken !== undefined) {
    return callerOfSeller(request, access, (await deps.sellerOfToken(token)).sellerId)
  }
  if (!needsKey) return null
  const sessionId = shownKey(request) === undefined ? shownSessionId(request) : undefined
  if (sessionId === undefined) return callerOfKey(request, access, keys)
  refuseOtherPages(request)
  const session = await deps.sessionOf(hashOfId(sessionId))
  const isOfToken = session !== undefined && session.keyId === null
  return callerOfSession(request, access, isOfToken && deps.sellerOfToken === undefined ? undefined : session, keys)
}

/** A browser sends the cookie of a session also with requests that other pages cause. */
function refuseOtherPages(request: FastifyRequest): void {
  if (isOfOwnPage(request)) return
  // A person who follows a link is asked to sign in, or asks again from this page.
  const code = ['GET', 'HEAD'].includes(request.method) ? 'unauthorized' : 'forbidden'
  throw new DecidedError(code, 'a session is for pages of this address: the request is not of one')
}

function refuseTokenInUrl({ query }: FastifyRequest): void {
  if ((query as { token?: unknown } | undefined)?.token === undefined) return
  throw new DecidedError('forbidden', 'a token must not be part of an address: it ends up in logs')
}

/** Preflights of pages that may call were answered by the CORS plugin; these are of all other pages. */
function refusePreflights({ method }: FastifyRequest): void {
  if (method === 'OPTIONS') throw new DecidedError('forbidden', 'pages of this origin may not call')
}
