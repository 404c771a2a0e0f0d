import type { FastifyRequest } from 'fastify'
import { DecidedError, invalidField } from '../../contract/decided-error.ts'

/** The seller of a request: named in it, or bound to its key or token. @throws DecidedError when these are two sellers, or none. */
export function sellerOf({ apiKey }: FastifyRequest, requested: string | undefined): string {
  const bound = apiKey?.sellerId ?? undefined
  if (bound !== undefined && requested !== undefined && requested !== bound) {
    throw new DecidedError('forbidden', 'the key or token is bound to another seller')
  }
  const seller = requested ?? bound
  if (seller === undefined) throw invalidField('seller_id', 'is needed')
  return seller
}
