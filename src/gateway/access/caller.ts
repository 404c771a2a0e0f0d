import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import { PUBLISHABLE_BODY_BYTES_MAX } from '../../contract/interaction.ts'
import type { ApiKey, Scope } from '../../store/access/api-key.ts'
import type { StoredSession } from '../../store/access/session.ts'
import type { TaskCaller } from '../http/caller-shares.ts'
import { clientAddress } from '../http/client-address.ts'
import { READ_PLACES } from '../standbys/read-places.ts'
import { shownKey } from './credentials.ts'
import type { Keys } from './key-ring.ts'
import { isOneOf } from './origins.ts'

/** What of a key decides about a request. A seller's token is treated as a key that reads what is of that seller. */
export interface Caller extends Omit<ApiKey, 'createdAt' | 'revokedAt' | 'lastUsedAt'> {
  /** Of a page where a person signed in; absent when the request shows the key or the token itself. */
  sessionId?: string
  /** Whether it is the seller of a token, and no key. */
  isOfToken?: true
}

/** What no other caller has: the key, or, where no key is needed, the address. */
export function callerIdOf({ apiKey, ip }: Pick<FastifyRequest, 'apiKey' | 'ip'>): string {
  return apiKey?.keyId ?? clientAddress(ip)
}

/** The same, but of a publishable key each address: the browsers of all shoppers have the same key. */
export function senderIdOf(request: Pick<FastifyRequest, 'apiKey' | 'ip'>): string {
  const { apiKey, ip } = request
  return apiKey?.isPublishable ? `${apiKey.keyId} ${clientAddress(ip)}` : callerIdOf(request)
}

/** The caller of a request's task. As long as no key is needed all requests are of this machine, and none has a share. */
export function taskCallerOf(request: FastifyRequest): TaskCaller {
  return {
    id: callerIdOf(request),
    hasShare: request.apiKey !== null,
    readsFrom: READ_PLACES[request.routeOptions.schema?.operationId ?? ''],
    minLsn: request.minLsn,
    // Made when it is needed, because most requests are answered without waiting.
    get signal() {
      return hangUpOf(request)
    },
  }
}

/** Of each connection with a request that needed it. */
const hangUps = new WeakMap<Socket, AbortSignal>()

/** Is aborted when the caller of a request has hung up. A request itself closes when its body was read. */
export function hangUpOf({ raw: { socket } }: FastifyRequest): AbortSignal {
  if (socket.destroyed) return AbortSignal.abort()
  const known = hangUps.get(socket)
  if (known !== undefined) return known
  const hangUp = new AbortController()
  socket.once('close', () => hangUp.abort())
  hangUps.set(socket, hangUp.signal)
  return hangUp.signal
}

/** The key of a request. @throws DecidedError when the request shows none, or its key does not allow it. */
export function callerOfKey(request: FastifyRequest, access: Scope | 'any', keys: Keys): Caller {
  const shown = shownKey(request)
  if (shown === undefined) throw new DecidedError('unauthorized', 'show a key: Authorization: Bearer <key>')
  const key = keys.find(shown.text)
  if (key === undefined) throw new DecidedError('unauthorized', 'the key is not known, or was revoked')
  checkReach(request, access, key)
  if (key.isPublishable) checkPublishable(request, key)
  else if (shown.isInUrl) throw new DecidedError('forbidden', 'a secret key must not be part of an address: it ends up in logs')
  return key
}

/** What a seller's token stands for. @throws DecidedError when it does not allow the request. */
export function callerOfSeller(request: FastifyRequest, access: Scope | 'any', sellerId: string): Caller {
  const caller = sellerCaller(sellerId)
  checkReach(request, access, caller)
  return caller
}

/** The key or the seller of a live session. @throws DecidedError when it ended with its key, or does not allow the request. */
export function callerOfSession(
  request: FastifyRequest,
  access: Scope | 'any',
  session: StoredSession | undefined,
  keys: Keys,
): Caller {
  const { sessionId, keyId, sellerId } = session ?? NO_SESSION
  const caller = keyId !== null ? keys.ofId(keyId) : sellerId !== null ? sellerCaller(sellerId) : undefined
  if (caller === undefined) throw new DecidedError('unauthorized', 'the session has ended: sign in again')
  checkReach(request, access, caller)
  return { ...caller, sessionId }
}

const NO_SESSION: StoredSession = { sessionId: '', keyId: null, sellerId: null }

/** The seller of a token, who reads what is of that seller. */
export function sellerCaller(sellerId: string): Caller {
  return {
    keyId: `seller ${sellerId}`,
    name: `seller ${sellerId}`,
    scopes: ['read'],
    isPublishable: false,
    origins: [],
    sellerId,
    requestsPerMinute: null,
    isOfToken: true,
  }
}

function checkReach({ routeOptions }: FastifyRequest, access: Scope | 'any', { scopes, sellerId, isPublishable }: Caller): void {
  const { ofSeller = false, needsSecretKey = false } = routeOptions.config
  if (sellerId !== null && !ofSeller) {
    throw new DecidedError('forbidden', 'the key or token is bound to a seller, and this is not about one')
  }
  if (access !== 'any' && !scopes.includes(access))
    throw new DecidedError('forbidden', `the key does not have the scope ${access}`)
  if (isPublishable && needsSecretKey) throw new DecidedError('forbidden', 'the key is publishable, and this needs a secret one')
}

/** A publishable key is visible in the page that uses it, so it works from the key's origins only, and with small bodies. */
function checkPublishable(request: FastifyRequest, key: Caller): void {
  const { origin, 'content-length': length } = request.headers
  if (origin !== undefined && !isOneOf(origin, new Set(key.origins)))
    throw new DecidedError('forbidden', 'pages of this origin may not use the key')
  if (length === undefined) throw new DecidedError('invalid_request', 'content-length is needed with a publishable key')
  if (Number(length) > PUBLISHABLE_BODY_BYTES_MAX) {
    throw new DecidedError('too_large', `the body is over ${PUBLISHABLE_BODY_BYTES_MAX} bytes, the most with a publishable key`)
  }
}
