import type { FastifyRequest } from 'fastify'
import { isToken } from './seller-tokens.ts'

/** The token that a request shows, if any. It counts even when a key is in a header of its own. */
export function shownToken({ headers: { authorization = '' } }: FastifyRequest): string | undefined {
  const text = bearerOf(authorization)
  return isToken(text) ? text : undefined
}

/** The key that a request shows, if any. Beacons cannot have headers, so a publishable key may be in the query. */
export function shownKey(request: FastifyRequest): { text: string; isInUrl: boolean } | undefined {
  const { authorization, 'x-management-key': managementKey } = request.headers
  if (typeof managementKey === 'string') return { text: managementKey, isInUrl: false }
  if (authorization !== undefined) return { text: bearerOf(authorization), isInUrl: false }
  const { key } = request.query as { key?: unknown }
  return typeof key === 'string' ? { text: key, isInUrl: true } : undefined
}

function bearerOf(authorization: string): string {
  return authorization.replace(/^bearer +/i, '')
}
